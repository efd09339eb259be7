//! What the service writes of devices: one statement per tenant, never one per device.
//!
//! The tenant and the account are in every `WHERE`, and row-level security holds the line should a
//! `WHERE` ever be wrong. A batch that carries an epoch is written only while the stored one is the
//! same: what a former owner of an integration still sends is left out.

use std::ops::Range;

use sqlx::{Connection, PgConnection, query_as};

use super::error::{classify, row_fault};
use super::scope::{Limits, Scope, begin_writing, confine, enter};
use crate::device::{UpdateBatch, WriteReceipt};
use crate::store::write_plan::{
    Bisection, GONE, LINKED_ELSEWHERE, RELINKED, RowChange, TenantOutcome, TenantRows, UNLINKED,
    WritePlan,
};
use crate::store::{LeaseLost, StoreError};

/// Writes in one transaction. At first in the hope that every row fits: savepoints would double the
/// trips to the server. Where one does not fit, everything is undone and done again with care.
pub(super) async fn write(
    connection: &mut PgConnection,
    limits: &Limits,
    batches: &[UpdateBatch],
) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
    let plan = WritePlan::of(batches);
    let outcomes = match transact(connection, limits, &plan, Care::Hopeful).await {
        Err(Halt::Row) => transact(connection, limits, &plan, Care::RowByRow).await,
        done => done,
    };
    match outcomes {
        Ok(outcomes) => Ok(plan.answers(&outcomes)),
        Err(Halt::Store(error)) => Err(error),
        Err(Halt::Row) => Err(StoreError::Rejected("a row was refused twice".into())),
    }
}

/// What to do about a row whose value is refused.
#[derive(Debug, Clone, Copy)]
enum Care {
    /// Give up the transaction.
    Hopeful,
    /// Find it by halving and leave it out.
    RowByRow,
}

/// Why a transaction was given up.
#[derive(Debug)]
enum Halt {
    /// A row's value was refused.
    Row,
    /// Anything else.
    Store(StoreError),
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(classify(&error))
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn transact(
    connection: &mut PgConnection,
    limits: &Limits,
    plan: &WritePlan<'_>,
    care: Care,
) -> Result<Vec<TenantOutcome>, Halt> {
    let mut outcomes = Vec::with_capacity(plan.tenants.len());
    let mut transaction = begin_writing(connection).await?;
    for (index, tenant) in plan.tenants.iter().enumerate() {
        match index {
            0 => enter(&mut transaction, limits, Scope::Tenant(tenant.tenant_id)).await?,
            _ => confine(&mut transaction, tenant.tenant_id).await?,
        }
        let found = match care {
            Care::Hopeful => write_all(&mut transaction, tenant).await?,
            Care::RowByRow => write_what_fits(&mut transaction, tenant).await?,
        };
        outcomes.push(explain(&mut transaction, tenant, found).await?);
    }
    transaction.commit().await?;
    Ok(outcomes)
}

/// What a tenant's statements found.
#[derive(Debug, Default)]
struct Found {
    /// Rows that were not written; without a reason where they matched nothing.
    failures: Vec<(usize, Option<String>)>,
    /// See [`TenantOutcome`].
    lost: Vec<i32>,
}

async fn write_all(transaction: &mut PgConnection, tenant: &TenantRows<'_>) -> Result<Found, Halt> {
    let all = 0..tenant.rows.len();
    match update(transaction, tenant, all).await {
        Ok(found) => Ok(found),
        Err(error) if row_fault(&error).is_some() => Err(Halt::Row),
        Err(error) => Err(error.into()),
    }
}

/// Writes a tenant's rows; a row whose value is refused is left out, found by halving.
async fn write_what_fits(
    transaction: &mut PgConnection,
    tenant: &TenantRows<'_>,
) -> Result<Found, Halt> {
    let mut all = Found::default();
    let mut bisection = Bisection::over(tenant.rows.len());
    while let Some(range) = bisection.next() {
        let mut savepoint = transaction.begin().await?;
        match update(&mut savepoint, tenant, range.clone()).await {
            Ok(found) => {
                savepoint.commit().await?;
                all.failures.extend(found.failures);
                // The lock on the lease is held to the end, so each statement finds the same.
                all.lost = found.lost;
            }
            Err(error) => {
                let reason = row_fault(&error).ok_or_else(|| classify(&error))?;
                savepoint.rollback().await?;
                let culprit = bisection.refused(range);
                all.failures.extend(culprit.map(|row| (row, Some(reason))));
            }
        }
    }
    Ok(all)
}

/// Whether the stored start of a cycle is better known than the update's: the carrier has named it
/// before, and the update only derives one for the same cycle (ends of one cycle are off by seconds).
macro_rules! knows_start {
    () => {
        "(u.cycle_source = 'derived' AND d.billing_cycle_source = 'reported' \
          AND d.billing_cycle_end > u.cycle_end - interval '10 minutes' \
          AND d.billing_cycle_end < u.cycle_end + interval '10 minutes')"
    };
}

/// Whether the stored cycle is over, and bytes come that are of a later one nobody told: under the old one they
/// would be a wrong bill.
macro_rules! is_over {
    () => {
        "(u.bytes IS NOT NULL AND u.cycle_end IS NULL AND d.billing_cycle_end <= u.read_at)"
    };
}

/// One row per element of the arrays, one array per field. A start that the carrier once reported is
/// not replaced by one derived for the same cycle.
///
/// Answers one row: the positions that matched, or NULL where all did, and the leases that are lost.
/// The statement itself decides: a look before or after would race with an operator.
///
/// Each row's own key is to be looked up, also where tenants are small on average and one is large.
/// So the tenant comes out of the rows like the device (`OFFSET 0` keeps the planner from seeing that
/// it is one): given as a parameter, it invites to walk all devices of the tenant. And account and name are
/// compared by `IS NOT DISTINCT FROM`, which no index serves: by `=`, all devices of the account would
/// be read for each of its rows.
///
/// `held` locks the integrations against being claimed until the transaction ends, and against nothing
/// else: a claim takes `FOR UPDATE`, the one lock short of a changed key that excludes `KEY SHARE`. A
/// claim that was first is waited for, and what it stored is then seen. A row passes only with a lease
/// that `held` has found (zero: it was written under none), so none is changed before.
const UPDATE: &str = concat!(
    "WITH held AS MATERIALIZED ( \
        SELECT c.id::text AS id, c.lease_epoch AS epoch FROM carrier_integrations AS c \
        WHERE c.tenant_id = $1 AND c.id::text = ANY ($14) FOR KEY SHARE \
    ), leases AS MATERIALIZED ( \
        SELECT number, held.id IS NOT NULL AS is_held \
        FROM UNNEST($14::text[], $15::bigint[]) WITH ORDINALITY AS lease (id, epoch, number) \
        LEFT JOIN held USING (id, epoch) \
    ), written AS ( \
        UPDATE device_connections AS d SET \
            data_used_bytes = COALESCE(u.bytes, d.data_used_bytes), \
            data_used_mb = COALESCE(u.mb_hundredths * 0.01, d.data_used_mb), \
            data_used_updated_at = COALESCE(u.read_at, d.data_used_updated_at), \
            billing_cycle_start = CASE WHEN ",
    knows_start!(),
    " THEN d.billing_cycle_start WHEN NOT ",
    is_over!(),
    " THEN COALESCE(u.cycle_start, d.billing_cycle_start) END, \
            billing_cycle_end = CASE WHEN NOT ",
    is_over!(),
    " THEN COALESCE(u.cycle_end, d.billing_cycle_end) END, \
            billing_cycle_source = CASE WHEN ",
    knows_start!(),
    " THEN d.billing_cycle_source WHEN NOT ",
    is_over!(),
    " THEN COALESCE(u.cycle_source, d.billing_cycle_source) END, \
            sim_status = COALESCE(u.sim_status, d.sim_status), \
            network_status = COALESCE(u.network_status, d.network_status), \
            sim_iccid = COALESCE(d.sim_iccid, u.sim_iccid), \
            updated_at = now() \
        FROM (SELECT $1::text AS tenant_id, given.* FROM UNNEST($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[], \
                    $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[], \
                    $12::text[], $13::integer[], $16::text[]) WITH ORDINALITY \
             AS given (device_id, integration_id, bytes, mb_hundredths, read_at, \
                   cycle_start, cycle_end, cycle_source, sim_status, network_status, \
                   sim_iccid, lease, carrier_device_id, position) \
            WHERE given.lease = ANY (ARRAY(SELECT 0 UNION ALL \
                                         SELECT number::integer FROM leases WHERE is_held)) \
            OFFSET 0) AS u \
        WHERE d.tenant_id = u.tenant_id AND d.device_id = u.device_id \
          AND d.carrier_integration_id::text IS NOT DISTINCT FROM u.integration_id \
          AND btrim(d.carrier_device_id::text, E' \\t\\n\\r') IS NOT DISTINCT FROM u.carrier_device_id \
        RETURNING u.position \
    ) \
    SELECT CASE WHEN count(*) < cardinality($2::text[]) \
                THEN COALESCE(array_agg(position), '{}') END, \
           (SELECT array_agg(number::integer) FROM leases WHERE NOT is_held) \
    FROM written"
);

/// Updates some of a tenant's rows; what it found is counted as the tenant counts.
async fn update(
    transaction: &mut PgConnection,
    tenant: &TenantRows<'_>,
    range: Range<usize>,
) -> Result<Found, sqlx::Error> {
    fn each<'a, T>(rows: &[RowChange<'a>], field: impl Fn(&RowChange<'a>) -> T) -> Vec<T> {
        rows.iter().map(field).collect()
    }
    let rows = &tenant.rows[range.clone()];
    let (leased, epochs): (Vec<_>, Vec<_>) = tenant
        .leases
        .iter()
        .map(|(id, epoch)| (id.as_str(), epoch.0))
        .unzip();
    let (matched, lost): Matched = query_as(UPDATE)
        .bind(tenant.tenant_id.as_str())
        .bind(each(rows, |row| row.device_id.as_str()))
        .bind(each(rows, |row| row.integration_id.as_str()))
        .bind(each(rows, |row| row.used.map(|(used, _)| used.as_i64())))
        .bind(each(rows, |row| {
            row.used.map(|(used, _)| used.megabyte_hundredths())
        }))
        .bind(each(rows, |row| row.used.map(|(_, read_at)| read_at)))
        .bind(each(rows, |row| row.cycle.map(|cycle| cycle.start())))
        .bind(each(rows, |row| row.cycle.map(|cycle| cycle.end())))
        .bind(each(rows, |row| {
            row.cycle.map(|cycle| cycle.source().as_str())
        }))
        .bind(each(rows, |row| {
            row.sim_status.map(|status| status.as_str())
        }))
        .bind(each(rows, |row| {
            row.network_status.map(|status| status.as_str())
        }))
        .bind(each(rows, |row| row.iccid))
        .bind(each(rows, |row| row.lease))
        .bind(leased)
        .bind(epochs)
        .bind(each(rows, |row| row.carrier_device_id))
        .fetch_one(transaction)
        .await?;
    let lost = lost.unwrap_or_default();
    let failures = unmatched(range.len(), matched)
        .map(|index| range.start + index)
        .filter(|index| !lost.contains(&tenant.rows[*index].lease))
        .map(|index| (index, None))
        .collect();
    Ok(Found { failures, lost })
}

/// Positions that matched, unless all did; leases that are lost. Both count from one.
type Matched = (Option<Vec<i64>>, Option<Vec<i32>>);

/// The indices, among so many rows, that are not among the positions.
fn unmatched(rows: usize, matched: Option<Vec<i64>>) -> impl Iterator<Item = usize> {
    let mut is_unmatched = vec![matched.is_some(); rows];
    for position in matched.unwrap_or_default() {
        let index = usize::try_from(position - 1).ok();
        if let Some(row) = index.and_then(|index| is_unmatched.get_mut(index)) {
            *row = false;
        }
    }
    (0..rows).filter(move |index| is_unmatched[*index])
}

/// Gives every failed row its reason; asks the database only when a row matched nothing.
async fn explain(
    transaction: &mut PgConnection,
    tenant: &TenantRows<'_>,
    found: Found,
) -> Result<TenantOutcome, StoreError> {
    let unmatched: Vec<&str> = found
        .failures
        .iter()
        .filter(|(_, reason)| reason.is_none())
        .map(|(index, _)| tenant.rows[*index].device_id.as_str())
        .collect();
    let mut links = std::collections::HashMap::new();
    if !unmatched.is_empty() {
        let stored: Vec<(String, Option<String>)> = query_as(
            "SELECT device_id::text, carrier_integration_id::text FROM device_connections \
             WHERE tenant_id = $1 AND device_id = ANY ($2)",
        )
        .bind(tenant.tenant_id.as_str())
        .bind(unmatched)
        .fetch_all(transaction)
        .await
        .map_err(|e| classify(&e))?;
        links.extend(stored);
    }
    let reason = |index: usize| match links.get(tenant.rows[index].device_id.as_str()) {
        None => GONE.to_owned(),
        Some(None) => UNLINKED.to_owned(),
        Some(Some(id)) if id == tenant.rows[index].integration_id.as_str() => RELINKED.to_owned(),
        Some(Some(_)) => LINKED_ELSEWHERE.to_owned(),
    };
    let failures = found.failures.into_iter();
    let failures = failures.map(|(row, told)| (row, told.unwrap_or_else(|| reason(row))));
    Ok(TenantOutcome::new(failures.collect(), found.lost))
}
