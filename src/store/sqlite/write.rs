//! What the service writes: device rows in bulk, and how a sync ended.
//!
//! A batch travels as one JSON text and is unpacked by SQLite: one statement per tenant, one trip to
//! the connection's thread, and one SQL text whatever the batch's size.
//!
//! Epochs are not looked at: one process has the file, so there is no former owner to be told apart.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use sqlx::{Connection, SqliteConnection, query, query_as};

use super::error::{classify, row_fault};
use super::runs;
use super::time::{now, to_text};
use crate::device::{TenantId, UpdateBatch, WriteReceipt};
use crate::integration::Outcome;
use crate::runs::{Retention, SyncRecord};
use crate::store::write_plan::{
    Bisection, Failure, GONE, LINKED_ELSEWHERE, RELINKED, RowChange, TenantOutcome, TenantRows,
    UNLINKED, WritePlan,
};
use crate::store::{LeaseLost, NotRecorded, StoreError};

pub(super) async fn write(
    connection: &mut SqliteConnection,
    batches: &[UpdateBatch],
) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
    let plan = WritePlan::of(batches);
    let mut outcomes = Vec::with_capacity(plan.tenants.len());
    // IMMEDIATE takes the write lock at once: a transaction that reads first can be refused it later.
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|e| classify(&e))?;
    for tenant in &plan.tenants {
        let failures = write_tenant(&mut transaction, tenant).await?;
        outcomes.push(TenantOutcome::new(failures, Vec::new()));
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(plan.answers(&outcomes))
}

/// Writes a tenant's rows; a row whose value is refused is left out, found by halving.
async fn write_tenant(
    transaction: &mut SqliteConnection,
    tenant: &TenantRows<'_>,
) -> Result<Vec<Failure>, StoreError> {
    let mut failures = Vec::new();
    let mut bisection = Bisection::over(tenant.rows.len());
    while let Some(range) = bisection.next() {
        let rows = &tenant.rows[range.clone()];
        // A statement that fails undoes itself, so there is no need of a savepoint.
        match update(transaction, tenant.tenant_id, rows).await {
            Ok(written) if written == rows.len() as u64 => {}
            Ok(_) => {
                let unmatched = unmatched(transaction, tenant.tenant_id, rows).await?;
                failures.extend(unmatched.into_iter().map(|(i, why)| (range.start + i, why)));
            }
            Err(error) => {
                let reason = row_fault(&error).ok_or_else(|| classify(&error))?;
                failures.extend(bisection.refused(range).map(|culprit| (culprit, reason)));
            }
        }
    }
    Ok(failures)
}

/// Whether the stored start of a cycle is better known than the update's: the carrier has named it
/// before, and the update only derives one for the same cycle (ends of one cycle are off by seconds).
macro_rules! knows_start {
    () => {
        "(u.value ->> 8 = 'derived' AND d.billing_cycle_source = 'reported' \
          AND abs(unixepoch(d.billing_cycle_end) - unixepoch(u.value ->> 7)) < 600)"
    };
}

/// Whether the stored cycle is over, and bytes come that are of a later one nobody told: under the old one they
/// would be a wrong bill.
macro_rules! is_over {
    () => {
        "(u.value ->> 3 IS NOT NULL AND u.value ->> 7 IS NULL AND d.billing_cycle_end <= u.value ->> 5)"
    };
}

/// The tenant comes out of the rows like the device: given as a parameter, it would invite the planner
/// to walk the tenant's devices and read the whole batch anew for each (rows times rows).
const UPDATE: &str = concat!(
    "UPDATE device_connections AS d SET \
        data_used_bytes = COALESCE(u.value ->> 3, d.data_used_bytes), \
        data_used_mb = COALESCE((u.value ->> 4) / 100.0, d.data_used_mb), \
        data_used_updated_at = COALESCE(u.value ->> 5, d.data_used_updated_at), \
        billing_cycle_start = CASE WHEN ",
    knows_start!(),
    " THEN d.billing_cycle_start WHEN NOT ",
    is_over!(),
    " THEN COALESCE(u.value ->> 6, d.billing_cycle_start) END, \
        billing_cycle_end = CASE WHEN NOT ",
    is_over!(),
    " THEN COALESCE(u.value ->> 7, d.billing_cycle_end) END, \
        billing_cycle_source = CASE WHEN ",
    knows_start!(),
    " THEN d.billing_cycle_source WHEN NOT ",
    is_over!(),
    " THEN COALESCE(u.value ->> 8, d.billing_cycle_source) END, \
        sim_status = COALESCE(u.value ->> 9, d.sim_status), \
        network_status = COALESCE(u.value ->> 10, d.network_status), \
        sim_iccid = COALESCE(d.sim_iccid, u.value ->> 11), \
        updated_at = ",
    now!(),
    " FROM json_each(?1) AS u \
      WHERE d.tenant_id = u.value ->> 0 AND d.device_id = u.value ->> 1 \
        AND d.carrier_integration_id = u.value ->> 2 \
        AND trim(d.carrier_device_id, ' ' || char(9, 10, 13)) = u.value ->> 12"
);

/// Updates rows and answers how many matched; a row is matched once, devices are unique in a tenant.
async fn update(
    transaction: &mut SqliteConnection,
    tenant: &TenantId,
    rows: &[RowChange<'_>],
) -> Result<u64, sqlx::Error> {
    let rows: Vec<_> = rows.iter().map(|row| as_json(tenant, row)).collect();
    let rows = serde_json::to_string(&rows).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let done = query(UPDATE).bind(rows).execute(transaction).await?;
    Ok(done.rows_affected())
}

/// A tuple becomes a JSON array, in the order that [`UPDATE`] counts.
fn as_json<'a>(tenant: &'a TenantId, row: &'a RowChange<'_>) -> impl Serialize + 'a {
    (
        tenant,
        row.device_id,
        row.integration_id,
        row.used.map(|(used, _)| used.as_i64()),
        row.used.map(|(used, _)| used.megabyte_hundredths()),
        row.used.map(|(_, read_at)| to_text(read_at)),
        row.cycle.map(|cycle| to_text(cycle.start())),
        row.cycle.map(|cycle| to_text(cycle.end())),
        row.cycle.map(|cycle| cycle.source().as_str()),
        row.sim_status.map(|status| status.as_str()),
        row.network_status.map(|status| status.as_str()),
        row.iccid,
        row.carrier_device_id,
    )
}

/// The rows that matched nothing, and why. The transaction holds the write lock, so this is what the
/// update saw.
async fn unmatched(
    transaction: &mut SqliteConnection,
    tenant: &TenantId,
    rows: &[RowChange<'_>],
) -> Result<Vec<Failure>, StoreError> {
    let devices: Vec<_> = rows.iter().map(|row| row.device_id.as_str()).collect();
    let links: Vec<(String, Option<String>, Option<String>)> = query_as(
        "SELECT d.device_id, CAST(d.carrier_integration_id AS TEXT), \
                CAST(d.carrier_device_id AS TEXT) \
         FROM json_each(?2) AS u CROSS JOIN device_connections AS d \
         WHERE d.tenant_id = ?1 AND d.device_id = u.value",
    )
    .bind(tenant.as_str())
    .bind(json!(devices).to_string())
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    let links: HashMap<_, _> = links
        .into_iter()
        .map(|(device, integration, name)| (device, (integration, name.unwrap_or_default())))
        .collect();
    let reason = |row: &RowChange<'_>| match links.get(row.device_id.as_str()) {
        None => Some(GONE),
        Some((None, _)) => Some(UNLINKED),
        Some((Some(id), _)) if id != row.integration_id.as_str() => Some(LINKED_ELSEWHERE),
        Some((_, name)) => (name.trim() != row.carrier_device_id).then_some(RELINKED),
    };
    let told = rows.iter().enumerate();
    Ok(told
        .filter_map(|(i, row)| Some((i, reason(row)?.to_owned())))
        .collect())
}

/// In one transaction, whose cost is a commit whatever it holds.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    records: &[SyncRecord],
    retention: Retention,
) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|e| classify(&e))?;
    let mut answers = Vec::with_capacity(records.len());
    for record in records {
        answers.push(record_one(&mut transaction, record, retention).await?);
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(answers)
}

async fn record_one(
    transaction: &mut SqliteConnection,
    record: &SyncRecord,
    retention: Retention,
) -> Result<Result<(), NotRecorded>, StoreError> {
    let done = query(concat!(
        "UPDATE carrier_integrations SET \
            last_sync_at = COALESCE(?3, last_sync_at), \
            last_success_at = CASE WHEN ?4 THEN COALESCE(?3, last_success_at) \
                                   ELSE last_success_at END, \
            last_sync_status = ?5, last_sync_error = ?6, updated_at = ",
        now!(),
        " WHERE tenant_id = ?1 AND id = ?2"
    ))
    .bind(record.tenant_id.as_str())
    .bind(record.integration_id.as_str())
    .bind(record.started_at().map(to_text))
    .bind(record.outcome == Outcome::Success)
    .bind(record.outcome.as_str())
    .bind(&record.error)
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    if done.rows_affected() == 0 {
        return Ok(Err(NotRecorded::Gone));
    }
    runs::keep(transaction, record, retention).await?;
    Ok(Ok(()))
}
