//! How fresh the fleet is: one pass over all devices, counted where they lie.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row, query};

use super::error::classify;
use super::scope::{Limits, Scope, enter};
use crate::device::freshness::{FRESH_INTERVALS, GRACE_MINUTES, LONGEST_INTERVAL_MINUTES};
use crate::device::{FreshnessCounts, IntegrationId};
use crate::store::{IntegrationFreshness, StoreError};

/// Devices of integrations that are gone are nobody's to sync.
const COUNT: &str = "\
    WITH since AS ( \
        SELECT tenant_id, id::text AS id, \
               $1::timestamptz - make_interval(mins => ( \
                   least(greatest(coalesce(sync_interval_minutes, 60), 1), $4) * $2 + $3)::int) AS since \
        FROM carrier_integrations) \
    SELECT s.id AS integration_id, \
           count(*) FILTER (WHERE d.data_used_updated_at >= s.since) AS fresh, \
           count(*) FILTER (WHERE d.data_used_updated_at < s.since) AS stale, \
           count(*) FILTER (WHERE d.data_used_updated_at IS NULL) AS never \
    FROM device_connections d \
    JOIN since s ON s.tenant_id = d.tenant_id AND s.id = d.carrier_integration_id::text \
    WHERE d.carrier_device_id IS NOT NULL AND d.device_id IS NOT NULL \
    GROUP BY s.id";

pub(super) async fn count(
    connection: &mut PgConnection,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<Vec<IntegrationFreshness>, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::AllTenants).await?;
    let rows = query(COUNT)
        .bind(now)
        .bind(FRESH_INTERVALS)
        .bind(GRACE_MINUTES)
        .bind(LONGEST_INTERVAL_MINUTES)
        .fetch_all(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(rows.iter().filter_map(counted).collect())
}

fn counted(row: &PgRow) -> Option<IntegrationFreshness> {
    try_counted(row)
        .inspect_err(|error| tracing::warn!(error, "integration left out: unreadable"))
        .ok()
}

fn try_counted(row: &PgRow) -> Result<IntegrationFreshness, Box<dyn std::error::Error>> {
    let count =
        |column| Ok::<_, Box<dyn std::error::Error>>(row.try_get::<i64, _>(column)?.try_into()?);
    Ok(IntegrationFreshness {
        integration_id: IntegrationId::parse(row.try_get("integration_id")?)?,
        devices: FreshnessCounts {
            fresh: count("fresh")?,
            stale: count("stale")?,
            never: count("never")?,
        },
    })
}
