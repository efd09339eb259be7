//! The history of syncs: what is kept of each, how much of it, and reading it. Writing is a part of recording an
//! outcome, in its transaction.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row, query};

use super::error::classify;
use super::scope::{Limits, Scope, enter};
use crate::device::{IntegrationId, TenantId};
use crate::integration::Outcome;
use crate::runs::{
    Retention, RunFigures, RunFilter, RunRow, SyncRecord, failures_from_json, failures_to_json,
};
use crate::store::StoreError;

/// A run that is recorded again, because the answer to its commit was lost, is there already.
const INSERT: &str = "\
    INSERT INTO sync_runs (tenant_id, integration_id, started_at, finished_at, outcome, devices, \
                           synced, failed, carrier_calls, throttled_ms, error, failures) \
    SELECT $1, u.*  FROM ( \
        SELECT id, started_at, finished_at, outcome, devices, synced, failed, calls, throttled_ms, \
               error, failures::jsonb \
        FROM UNNEST($2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::bigint[], \
                    $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], \
                    $12::text[]) \
             AS u (id, started_at, finished_at, outcome, devices, synced, failed, calls, \
                   throttled_ms, error, failures)) AS u \
    ON CONFLICT (tenant_id, integration_id, started_at) DO NOTHING";

/// The older ones of these integrations.
const FORGET: &str = "\
    DELETE FROM sync_runs AS r \
    USING UNNEST($2::text[]) AS u (id) \
    LEFT JOIN LATERAL ( \
        SELECT o.started_at FROM sync_runs AS o \
        WHERE o.tenant_id = $1 AND o.integration_id = u.id \
        ORDER BY o.started_at DESC OFFSET $4 LIMIT 1) AS first_beyond ON true \
    WHERE r.tenant_id = $1 AND r.integration_id = u.id \
      AND r.started_at <= GREATEST($3, first_beyond.started_at)";

/// What is too old of integrations that somebody has removed without us: nobody records for them any more.
const FORGET_ORPHANS: &str = "\
    DELETE FROM sync_runs AS r \
    WHERE r.tenant_id = $1 AND r.started_at <= $2 \
      AND NOT EXISTS (SELECT FROM carrier_integrations AS i \
                      WHERE i.tenant_id = $1 AND i.id::text = r.integration_id)";

/// Keeps the runs of these records, which are `tenant`'s and have been recorded.
pub(super) async fn keep(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    records: &[&SyncRecord],
    retention: Retention,
) -> Result<(), StoreError> {
    let runs: Vec<(&SyncRecord, &RunFigures)> = records
        .iter()
        .filter_map(|record| Some((*record, record.run.as_ref()?)))
        .collect();
    let Some(now) = runs.iter().map(|(_, run)| run.finished_at()).max() else {
        return Ok(());
    };
    insert(transaction, tenant, &runs).await?;
    let ids: Vec<_> = runs
        .iter()
        .map(|(record, _)| record.integration_id.as_str())
        .collect();
    query(FORGET)
        .bind(tenant.as_str())
        .bind(ids)
        .bind(retention.oldest_kept(now))
        .bind(i64::from(retention.per_integration))
        .execute(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
    query(FORGET_ORPHANS)
        .bind(tenant.as_str())
        .bind(retention.oldest_kept(now))
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| classify(&e))
}

async fn insert(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    runs: &[(&SyncRecord, &RunFigures)],
) -> Result<(), StoreError> {
    fn each<'a, T>(
        runs: &[(&'a SyncRecord, &'a RunFigures)],
        field: impl Fn(&'a SyncRecord, &'a RunFigures) -> T,
    ) -> Vec<T> {
        runs.iter()
            .map(|(record, run)| field(record, run))
            .collect()
    }
    query(INSERT)
        .bind(tenant.as_str())
        .bind(each(runs, |record, _| record.integration_id.as_str()))
        .bind(each(runs, |_, run| run.started_at))
        .bind(each(runs, |_, run| run.finished_at()))
        .bind(each(runs, |record, _| record.outcome.as_str()))
        .bind(each(runs, |_, run| signed(run.devices as u64)))
        .bind(each(runs, |_, run| signed(run.synced as u64)))
        .bind(each(runs, |_, run| signed(run.failed() as u64)))
        .bind(each(runs, |_, run| signed(run.carrier_calls)))
        .bind(each(runs, |_, run| signed(run.throttled_ms())))
        .bind(each(runs, |record, _| {
            record.error.as_deref().map(super::record::storable)
        }))
        .bind(each(runs, |_, run| failures_to_json(&run.failures)))
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| classify(&e))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) async fn list(
    connection: &mut PgConnection,
    limits: &Limits,
    filter: &RunFilter,
) -> Result<Vec<RunRow>, StoreError> {
    let scope = filter
        .tenant_id
        .as_ref()
        .map_or(Scope::AllTenants, Scope::Tenant);
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, scope).await?;
    let after = filter.after.as_ref();
    let mut after = after.map(|key| Key {
        started_at: key.started_at,
        tenant_id: key.tenant_id.as_str().to_owned(),
        integration_id: key.integration_id.as_str().to_owned(),
    });
    let mut found = Vec::new();
    // Less than asked for means the end, so what cannot be read is made up for by what comes after it.
    loop {
        let wanted = filter.limit as usize - found.len();
        let rows = rows(&mut transaction, filter, after.as_ref(), wanted).await?;
        found.extend(rows.iter().filter_map(run));
        after = rows.last().and_then(key);
        if rows.len() < wanted || found.len() == filter.limit as usize || after.is_none() {
            break;
        }
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(found)
}

/// What tells a row from others, as it is stored.
struct Key {
    started_at: DateTime<Utc>,
    tenant_id: String,
    integration_id: String,
}

fn key(row: &PgRow) -> Option<Key> {
    Some(Key {
        started_at: row.try_get("started_at").ok()?,
        tenant_id: row.try_get("tenant_id").ok()?,
        integration_id: row.try_get("integration_id").ok()?,
    })
}

async fn rows(
    transaction: &mut PgConnection,
    filter: &RunFilter,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<PgRow>, StoreError> {
    query(
        "SELECT tenant_id, integration_id, started_at, finished_at, outcome, devices, synced, failed, \
                carrier_calls, throttled_ms, error, failures::text AS failures \
         FROM sync_runs \
         WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR integration_id = $2) \
           AND ($3::timestamptz IS NULL OR (started_at, tenant_id, integration_id) < ($3, $4, $5)) \
         ORDER BY started_at DESC, tenant_id DESC, integration_id DESC LIMIT $6",
    )
    .bind(filter.tenant_id.as_ref().map(TenantId::as_str))
    .bind(filter.integration_id.as_ref().map(IntegrationId::as_str))
    .bind(after.map(|key| key.started_at))
    .bind(after.map(|key| &key.tenant_id))
    .bind(after.map(|key| &key.integration_id))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))
}

fn run(row: &PgRow) -> Option<RunRow> {
    try_run(row)
        .inspect_err(|error| tracing::warn!(error, "run left out: unreadable"))
        .ok()
}

fn try_run(row: &PgRow) -> Result<RunRow, Box<dyn std::error::Error>> {
    let count =
        |column| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
    Ok(RunRow {
        integration_id: IntegrationId::parse(row.try_get("integration_id")?)?,
        tenant_id: TenantId::parse(row.try_get("tenant_id")?)?,
        started_at: row.try_get::<DateTime<Utc>, _>("started_at")?,
        finished_at: row.try_get("finished_at")?,
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
