//! How fresh the fleet is: one pass over all devices, counted where they lie.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::error::classify;
use crate::device::freshness::{FRESH_INTERVALS, GRACE_MINUTES, LONGEST_INTERVAL_MINUTES};
use crate::device::{FreshnessCounts, IntegrationId};
use crate::store::{IntegrationFreshness, StoreError};

/// A text that is no time is read as none, here as elsewhere: `unixepoch` gives NULL.
const COUNT: &str = "\
    WITH since AS ( \
        SELECT tenant_id, CAST(id AS TEXT) AS id, \
               ?1 - 60 * (min(max(coalesce(sync_interval_minutes, 60), 1), ?4) * ?2 + ?3) AS since \
        FROM carrier_integrations), \
    read AS ( \
        SELECT tenant_id, CAST(carrier_integration_id AS TEXT) AS integration, \
               unixepoch(data_used_updated_at) AS at \
        FROM device_connections \
        WHERE carrier_device_id IS NOT NULL AND device_id IS NOT NULL) \
    SELECT s.id AS integration_id, \
           count(*) FILTER (WHERE r.at >= s.since) AS fresh, \
           count(*) FILTER (WHERE r.at < s.since) AS stale, \
           count(*) FILTER (WHERE r.at IS NULL) AS never \
    FROM read r JOIN since s ON s.tenant_id = r.tenant_id AND s.id = r.integration \
    GROUP BY s.id";

pub(super) async fn count(
    connection: &mut SqliteConnection,
    now: DateTime<Utc>,
) -> Result<Vec<IntegrationFreshness>, StoreError> {
    let rows = query(COUNT)
        .bind(now.timestamp())
        .bind(FRESH_INTERVALS)
        .bind(GRACE_MINUTES)
        .bind(LONGEST_INTERVAL_MINUTES)
        .fetch_all(connection)
        .await
        .map_err(|e| classify(&e))?;
    Ok(rows.iter().filter_map(counted).collect())
}

fn counted(row: &SqliteRow) -> Option<IntegrationFreshness> {
    try_counted(row)
        .inspect_err(|error| tracing::warn!(error, "integration left out: unreadable"))
        .ok()
}

fn try_counted(row: &SqliteRow) -> Result<IntegrationFreshness, Box<dyn std::error::Error>> {
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
