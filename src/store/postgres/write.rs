//! What the service writes: device rows in bulk, and how a sync ended.
//!
//! One statement per tenant, never one per device. The tenant and the account are in every `WHERE`,
//! and row-level security holds the line should a `WHERE` ever be wrong.

use sqlx::{Connection, PgConnection, query, query_as, query_scalar};

use super::error::{classify, row_fault};
use super::scope::{Limits, Scope, enter};
use crate::device::{TenantId, UpdateBatch, WriteReceipt};
use crate::integration::{Outcome, SyncRecord};
use crate::store::write_plan::{
    Bisection, Failure, GONE, LINKED_ELSEWHERE, RowChange, TenantRows, UNLINKED, WritePlan,
};
use crate::store::{LeaseLost, NotRecorded, StoreError};

pub(super) async fn write(
    connection: &mut PgConnection,
    limits: &Limits,
    batches: &[UpdateBatch],
) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
    let plan = WritePlan::of(batches);
    let mut failures = Vec::with_capacity(plan.tenants.len());
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    for tenant in &plan.tenants {
        enter(&mut transaction, limits, Scope::Tenant(tenant.tenant_id)).await?;
        failures.push(write_tenant(&mut transaction, tenant).await?);
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(plan.receipts(&failures).into_iter().map(Ok).collect())
}

/// Writes a tenant's rows; a row whose value is refused is left out, found by halving.
async fn write_tenant(
    transaction: &mut PgConnection,
    tenant: &TenantRows<'_>,
) -> Result<Vec<Failure>, StoreError> {
    let mut failures = Vec::new();
    let mut bisection = Bisection::over(tenant.rows.len());
    while let Some(range) = bisection.next() {
        let rows = &tenant.rows[range.clone()];
        let mut savepoint = transaction.begin().await.map_err(|e| classify(&e))?;
        match update(&mut savepoint, tenant.tenant_id, rows).await {
            Ok(unmatched) => {
                savepoint.commit().await.map_err(|e| classify(&e))?;
                failures.extend(
                    unmatched
                        .into_iter()
                        .map(|index| (range.start + index, None)),
                );
            }
            Err(error) => {
                let reason = row_fault(&error).ok_or_else(|| classify(&error))?;
                savepoint.rollback().await.map_err(|e| classify(&e))?;
                failures.extend(
                    bisection
                        .refused(range)
                        .map(|culprit| (culprit, Some(reason))),
                );
            }
        }
    }
    explain(transaction, tenant, failures).await
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

/// One row per element of the arrays, one array per field. A start that the carrier once reported is
/// not replaced by one derived for the same cycle. Answers the rows that matched nothing,
/// decided by the statement itself: a look before or after would race with an operator.
const UPDATE: &str = concat!(
    "WITH written AS ( \
        UPDATE device_connections AS d SET \
            data_used_bytes = COALESCE(u.bytes, d.data_used_bytes), \
            data_used_mb = COALESCE(u.mb_hundredths * 0.01, d.data_used_mb), \
            data_used_updated_at = COALESCE(u.read_at, d.data_used_updated_at), \
            billing_cycle_start = CASE WHEN ",
    knows_start!(),
    " THEN d.billing_cycle_start ELSE COALESCE(u.cycle_start, d.billing_cycle_start) END, \
            billing_cycle_end = COALESCE(u.cycle_end, d.billing_cycle_end), \
            billing_cycle_source = CASE WHEN ",
    knows_start!(),
    " THEN d.billing_cycle_source ELSE COALESCE(u.cycle_source, d.billing_cycle_source) END, \
            sim_status = COALESCE(u.sim_status, d.sim_status), \
            network_status = COALESCE(u.network_status, d.network_status), \
            sim_iccid = COALESCE(d.sim_iccid, u.sim_iccid), \
            updated_at = now() \
        FROM UNNEST($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[], \
                    $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[], \
                    $12::text[]) WITH ORDINALITY \
             AS u (device_id, integration_id, bytes, mb_hundredths, read_at, \
                   cycle_start, cycle_end, cycle_source, sim_status, network_status, \
                   sim_iccid, position) \
        WHERE d.tenant_id = $1 AND d.device_id = u.device_id \
          AND d.carrier_integration_id::text = u.integration_id \
        RETURNING u.position \
    ) \
    SELECT position FROM generate_series(1, cardinality($2::text[])::bigint) AS position \
    EXCEPT SELECT position FROM written"
);

/// Updates rows and answers the indices of those that matched nothing.
async fn update(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    rows: &[RowChange<'_>],
) -> Result<Vec<usize>, sqlx::Error> {
    fn each<'a, T>(rows: &[RowChange<'a>], field: impl Fn(&RowChange<'a>) -> T) -> Vec<T> {
        rows.iter().map(field).collect()
    }
    let unmatched: Vec<i64> = query_scalar(UPDATE)
        .bind(tenant.as_str())
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
        .fetch_all(transaction)
        .await?;
    // Positions count from one and never exceed the number of rows.
    Ok(unmatched
        .into_iter()
        .filter_map(|p| usize::try_from(p - 1).ok())
        .collect())
}

/// Gives every failed row its reason; asks the database only when a row matched nothing.
async fn explain(
    transaction: &mut PgConnection,
    tenant: &TenantRows<'_>,
    failures: Vec<(usize, Option<String>)>,
) -> Result<Vec<Failure>, StoreError> {
    let unmatched: Vec<&str> = failures
        .iter()
        .filter(|(_, reason)| reason.is_none())
        .map(|(index, _)| tenant.rows[*index].device_id.as_str())
        .collect();
    let mut links = std::collections::HashMap::new();
    if !unmatched.is_empty() {
        let found: Vec<(String, Option<String>)> = query_as(
            "SELECT device_id::text, carrier_integration_id::text FROM device_connections \
             WHERE tenant_id = $1 AND device_id = ANY ($2)",
        )
        .bind(tenant.tenant_id.as_str())
        .bind(unmatched)
        .fetch_all(transaction)
        .await
        .map_err(|e| classify(&e))?;
        links.extend(found);
    }
    let reason = |index: usize| match links.get(tenant.rows[index].device_id.as_str()) {
        None => GONE.to_owned(),
        Some(None) => UNLINKED.to_owned(),
        Some(Some(_)) => LINKED_ELSEWHERE.to_owned(),
    };
    Ok(failures
        .into_iter()
        .map(|(i, told)| (i, told.unwrap_or_else(|| reason(i))))
        .collect())
}

pub(super) async fn record(
    connection: &mut PgConnection,
    limits: &Limits,
    records: &[SyncRecord],
) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
    let mut answers = Vec::with_capacity(records.len());
    for record in records {
        answers.push(record_one(connection, limits, record).await?);
    }
    Ok(answers)
}

async fn record_one(
    connection: &mut PgConnection,
    limits: &Limits,
    record: &SyncRecord,
) -> Result<Result<(), NotRecorded>, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(&record.tenant_id)).await?;
    let done = query(
        "UPDATE carrier_integrations SET \
            last_sync_at = COALESCE($3, last_sync_at), \
            last_success_at = CASE WHEN $4 THEN COALESCE($3, last_success_at) \
                                   ELSE last_success_at END, \
            last_sync_status = $5, last_sync_error = $6, updated_at = now() \
         WHERE tenant_id = $1 AND id::text = $2",
    )
    .bind(record.tenant_id.as_str())
    .bind(record.integration_id.as_str())
    .bind(record.started_at)
    .bind(record.outcome == Outcome::Success)
    .bind(record.outcome.as_str())
    // A carrier's words may hold a NUL, which no Postgres text can.
    .bind(
        record
            .error
            .as_ref()
            .map(|error| error.replace('\0', "\u{FFFD}")),
    )
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    transaction.commit().await.map_err(|e| classify(&e))?;
    match done.rows_affected() {
        0 => Ok(Err(NotRecorded::Gone)),
        _ => Ok(Ok(())),
    }
}
