//! The history of syncs: what is kept of each, how much of it, and reading it. Writing is a part of recording an
//! outcome, in its transaction.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::error::classify;
use super::time::{from_text, to_text};
use crate::device::{IntegrationId, TenantId};
use crate::integration::Outcome;
use crate::runs::{Retention, RunFilter, RunRow, SyncRecord, failures_from_json, failures_to_json};
use crate::store::StoreError;

/// Keeps the run of this record, which has been recorded.
pub(super) async fn keep(
    transaction: &mut SqliteConnection,
    record: &SyncRecord,
    retention: Retention,
) -> Result<(), StoreError> {
    let Some(run) = &record.run else {
        return Ok(());
    };
    // A run that is recorded again is there already.
    query(
        "INSERT INTO sync_runs (tenant_id, integration_id, started_at, finished_at, outcome, devices, \
                                synced, failed, carrier_calls, throttled_ms, error, failures) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT (tenant_id, integration_id, started_at) DO NOTHING",
    )
    .bind(record.tenant_id.as_str())
    .bind(record.integration_id.as_str())
    .bind(to_text(run.started_at))
    .bind(to_text(run.finished_at()))
    .bind(record.outcome.as_str())
    .bind(signed(run.devices as u64))
    .bind(signed(run.synced as u64))
    .bind(signed(run.failed() as u64))
    .bind(signed(run.carrier_calls))
    .bind(signed(run.throttled_ms()))
    .bind(&record.error)
    .bind(failures_to_json(&run.failures))
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    query(
        "DELETE FROM sync_runs WHERE tenant_id = ?1 AND integration_id = ?2 \
           AND started_at <= max(coalesce(?3, ''), coalesce(( \
                SELECT started_at FROM sync_runs WHERE tenant_id = ?1 AND integration_id = ?2 \
                ORDER BY started_at DESC LIMIT 1 OFFSET ?4), ''))",
    )
    .bind(record.tenant_id.as_str())
    .bind(record.integration_id.as_str())
    .bind(retention.oldest_kept(run.finished_at()).map(to_text))
    .bind(i64::from(retention.per_integration))
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    // Of integrations that somebody has removed without us: nobody records for them any more.
    query(
        "DELETE FROM sync_runs WHERE tenant_id = ?1 AND started_at <= ?2 \
           AND NOT EXISTS (SELECT 1 FROM carrier_integrations AS i \
                           WHERE i.tenant_id = ?1 AND CAST(i.id AS TEXT) = sync_runs.integration_id)",
    )
    .bind(record.tenant_id.as_str())
    .bind(retention.oldest_kept(run.finished_at()).map(to_text))
    .execute(transaction)
    .await
    .map(drop)
    .map_err(|e| classify(&e))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    filter: &RunFilter,
) -> Result<Vec<RunRow>, StoreError> {
    let after = filter.after.as_ref();
    let mut after = after.map(|key| Key {
        started_at: to_text(key.started_at),
        tenant_id: key.tenant_id.as_str().to_owned(),
        integration_id: key.integration_id.as_str().to_owned(),
    });
    let mut found = Vec::new();
    // Less than asked for means the end, so what cannot be read is made up for by what comes after it.
    loop {
        let wanted = filter.limit as usize - found.len();
        let rows = rows(connection, filter, after.as_ref(), wanted).await?;
        found.extend(rows.iter().filter_map(run));
        after = rows.last().and_then(key);
        if rows.len() < wanted || found.len() == filter.limit as usize || after.is_none() {
            return Ok(found);
        }
    }
}

/// What tells a row from others, as it is stored.
struct Key {
    started_at: String,
    tenant_id: String,
    integration_id: String,
}

fn key(row: &SqliteRow) -> Option<Key> {
    Some(Key {
        started_at: row.try_get("started_at").ok()?,
        tenant_id: row.try_get("tenant_id").ok()?,
        integration_id: row.try_get("integration_id").ok()?,
    })
}

async fn rows(
    connection: &mut SqliteConnection,
    filter: &RunFilter,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<SqliteRow>, StoreError> {
    query(
        "SELECT tenant_id, integration_id, started_at, finished_at, outcome, devices, synced, failed, \
                carrier_calls, throttled_ms, error, failures \
         FROM sync_runs \
         WHERE (?1 IS NULL OR tenant_id = ?1) AND (?2 IS NULL OR integration_id = ?2) \
           AND (?3 IS NULL OR (started_at, tenant_id, integration_id) < (?3, ?4, ?5)) \
         ORDER BY started_at DESC, tenant_id DESC, integration_id DESC LIMIT ?6",
    )
    .bind(filter.tenant_id.as_ref().map(TenantId::as_str))
    .bind(filter.integration_id.as_ref().map(IntegrationId::as_str))
    .bind(after.map(|key| &key.started_at))
    .bind(after.map(|key| &key.tenant_id))
    .bind(after.map(|key| &key.integration_id))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
    .map_err(|e| classify(&e))
}

fn run(row: &SqliteRow) -> Option<RunRow> {
    try_run(row)
        .inspect_err(|error| tracing::warn!(error, "run left out: unreadable"))
        .ok()
}

fn try_run(row: &SqliteRow) -> Result<RunRow, Box<dyn std::error::Error>> {
    let count =
        |column| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
    let time = |column| {
        let time = from_text(column, row.try_get(column)?);
        time.ok_or_else(|| Box::<dyn std::error::Error>::from("no time"))
    };
    Ok(RunRow {
        integration_id: IntegrationId::parse(row.try_get("integration_id")?)?,
        tenant_id: TenantId::parse(row.try_get("tenant_id")?)?,
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
        outcome: Outcome::parse(row.try_get("outcome")?).ok_or("an unknown outcome")?,
        devices: count("devices")?,
        synced: count("synced")?,
        failed: count("failed")?,
        carrier_calls: count("carrier_calls")?,
        throttled_ms: count("throttled_ms")?,
        error: row.try_get("error")?,
        failures: failures_from_json(row.try_get("failures")?),
    })
}
