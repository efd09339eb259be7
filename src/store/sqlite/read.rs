//! What is read: integrations across tenants, an account's devices, an operator's list.
//!
//! Without row-level security, the tenant stands in every `WHERE`. A row that cannot be understood is
//! left out with a warning; it never costs the others.

use std::borrow::Cow;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::error::classify;
use super::time::from_text;
use crate::device::{DeviceId, IntegrationId, LinkedDevices, StoredCycles, TenantId};
use crate::integration::IntegrationRow;
use crate::store::{
    DeviceFilter, DeviceRow, StoreError, UnreadableRow, config_from_column, push_cycle, push_linked,
};

pub(super) async fn integrations(
    connection: &mut SqliteConnection,
) -> Result<(Vec<IntegrationRow>, Vec<UnreadableRow>), StoreError> {
    let rows = query(
        "SELECT CAST(id AS TEXT) AS id, tenant_id, carrier_name, display_name, \
                coalesce(enabled, 0) <> 0 AS enabled, \
                coalesce(sync_enabled, 0) <> 0 AS sync_enabled, \
                coalesce(sync_interval_minutes, 60) AS sync_interval_minutes, \
                api_key, api_secret, api_base_url, account_id, config, \
                last_sync_at, last_success_at, \
                coalesce(last_sync_status, 'never') AS last_sync_status, last_sync_error \
         FROM carrier_integrations ORDER BY CAST(id AS TEXT)",
    )
    .fetch_all(connection)
    .await
    .map_err(|e| classify(&e))?;
    let (mut readable, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in &rows {
        match try_integration(row) {
            Ok(integration) => readable.push(integration),
            Err(error) => unreadable.push(UnreadableRow {
                id: row.try_get("id").ok(),
                reason: error.to_string(),
            }),
        }
    }
    Ok((readable, unreadable))
}

fn try_integration(row: &SqliteRow) -> Result<IntegrationRow, Box<dyn std::error::Error>> {
    Ok(IntegrationRow {
        id: IntegrationId::parse(row.try_get("id")?)?,
        tenant_id: TenantId::parse(row.try_get("tenant_id")?)?,
        carrier_name: row
            .try_get::<Option<_>, _>("carrier_name")?
            .unwrap_or_default(),
        display_name: row.try_get("display_name")?,
        enabled: row.try_get("enabled")?,
        sync_enabled: row.try_get("sync_enabled")?,
        sync_interval_minutes: row.try_get("sync_interval_minutes")?,
        api_key: row.try_get::<Option<String>, _>("api_key")?.map(Into::into),
        api_secret: row
            .try_get::<Option<String>, _>("api_secret")?
            .map(Into::into),
        api_base_url: row.try_get("api_base_url")?,
        account_id: row.try_get("account_id")?,
        config: config_from_column(row.try_get("config")?),
        last_sync_at: from_text("last_sync_at", row.try_get("last_sync_at")?),
        last_success_at: from_text("last_success_at", row.try_get("last_success_at")?),
        last_sync_status: row.try_get("last_sync_status")?,
        last_sync_error: row.try_get("last_sync_error")?,
    })
}

pub(super) async fn linked_devices(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
) -> Result<LinkedDevices, StoreError> {
    // As bytes: SQLite lets anything into a text column, and one row that is no UTF-8 must not cost
    // the sync of all the others.
    let mut rows = query(
        "SELECT CAST(device_id AS BLOB), CAST(carrier_device_id AS BLOB), \
                data_used_updated_at IS NOT NULL \
         FROM device_connections \
         WHERE tenant_id = ?1 AND carrier_integration_id = ?2 \
           AND carrier_device_id IS NOT NULL AND device_id IS NOT NULL \
         ORDER BY data_used_updated_at NULLS FIRST, device_id",
    )
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .fetch(connection);
    let mut devices = LinkedDevices::default();
    while let Some(row) = rows.try_next().await.map_err(|e| classify(&e))? {
        let names = [text(&row, 0)?, text(&row, 1)?];
        let was_read = row.try_get(2).map_err(|e| classify(&e))?;
        push_linked(&mut devices, tenant, (&names[0], &names[1]), was_read);
    }
    Ok(devices)
}

pub(super) async fn stored_cycles(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
) -> Result<StoredCycles, StoreError> {
    let mut rows = query(
        "SELECT CAST(carrier_device_id AS BLOB), billing_cycle_start, billing_cycle_end, \
                billing_cycle_source \
         FROM device_connections \
         WHERE tenant_id = ?1 AND carrier_integration_id = ?2 AND carrier_device_id IS NOT NULL \
           AND billing_cycle_start IS NOT NULL AND billing_cycle_end IS NOT NULL",
    )
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .fetch(connection);
    let mut cycles = StoredCycles::default();
    while let Some(row) = rows.try_next().await.map_err(|e| classify(&e))? {
        let column = |place: usize| row.try_get(place).map_err(|e| classify(&e));
        let start = from_text("billing_cycle_start", column(1)?);
        let end = from_text("billing_cycle_end", column(2)?);
        if let Some(bounds) = start.zip(end) {
            push_cycle(&mut cycles, &text(&row, 0)?, bounds, column(3)?);
        }
    }
    Ok(cycles)
}

fn text(row: &SqliteRow, column: usize) -> Result<Cow<'_, str>, StoreError> {
    let bytes = row.try_get(column).map_err(|e| classify(&e))?;
    Ok(String::from_utf8_lossy(bytes))
}

pub(super) async fn devices(
    connection: &mut SqliteConnection,
    filter: &DeviceFilter,
) -> Result<Vec<DeviceRow>, StoreError> {
    filter.validate()?;
    let (mut found, mut after) = (Vec::new(), filter.after_text());
    // Less than asked for means the end, so what cannot be read is made up for by what comes after it.
    loop {
        let wanted = filter.limit as usize - found.len();
        let rows = device_rows(connection, filter, after.as_ref(), wanted).await?;
        found.extend(rows.iter().filter_map(device));
        after = rows.last().and_then(key);
        if rows.len() < wanted || found.len() == filter.limit as usize || after.is_none() {
            return Ok(found);
        }
    }
}

/// Tenant and device of a row, as they are stored.
fn key(row: &SqliteRow) -> Option<(String, String)> {
    Some((
        row.try_get("tenant_id").ok()?,
        row.try_get("device_id").ok()?,
    ))
}

async fn device_rows(
    connection: &mut SqliteConnection,
    filter: &DeviceFilter,
    after: Option<&(String, String)>,
    limit: usize,
) -> Result<Vec<SqliteRow>, StoreError> {
    query(
        "SELECT tenant_id, device_id, CAST(carrier_integration_id AS TEXT) \
                    AS carrier_integration_id, carrier_device_id, sim_iccid, \
                sim_status, network_status, data_used_bytes, \
                CAST(data_used_mb AS REAL) AS data_used_mb, \
                data_used_updated_at, billing_cycle_start, billing_cycle_end, billing_cycle_source \
         FROM device_connections \
         WHERE (?1 IS NULL OR tenant_id = ?1) \
           AND (?2 IS NULL OR carrier_integration_id = ?2 AND carrier_device_id IS NOT NULL) \
           AND (?3 IS NULL OR (tenant_id, device_id) > (?3, ?4)) \
           AND (?6 IS NULL OR instr(lower(device_id), ?6) > 0 \
                OR instr(lower(carrier_device_id), ?6) > 0 OR instr(lower(sim_iccid), ?6) > 0) \
           AND (?7 IS NULL OR carrier_device_id IS NOT NULL AND \
                CASE WHEN unixepoch(data_used_updated_at) IS NULL THEN 'never' \
                     WHEN unixepoch(data_used_updated_at) < ?8 THEN 'stale' \
                     ELSE 'fresh' END = ?7) \
         ORDER BY tenant_id, device_id LIMIT ?5",
    )
    .bind(filter.tenant_id.as_ref().map(TenantId::as_str))
    .bind(filter.integration_id.as_ref().map(IntegrationId::as_str))
    .bind(after.map(|(tenant, _)| tenant))
    .bind(after.map(|(_, device)| device))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    // SQLite's lower() knows ASCII only.
    .bind(filter.search.as_deref().map(str::to_ascii_lowercase))
    .bind(filter.freshness.map(|(freshness, _)| freshness.as_str()))
    .bind(filter.freshness.map(|(_, since)| since.timestamp()))
    .fetch_all(connection)
    .await
    .map_err(|e| classify(&e))
}

fn device(row: &SqliteRow) -> Option<DeviceRow> {
    try_device(row)
        .inspect_err(|error| tracing::warn!(error, "device row left out: unreadable"))
        .ok()
}

fn try_device(row: &SqliteRow) -> Result<DeviceRow, Box<dyn std::error::Error>> {
    let integration: Option<&str> = row.try_get("carrier_integration_id")?;
    let time = |column| Ok::<_, sqlx::Error>(from_text(column, row.try_get(column)?));
    Ok(DeviceRow {
        tenant_id: TenantId::parse(row.try_get("tenant_id")?)?,
        device_id: DeviceId::parse(row.try_get("device_id")?)?,
        carrier_integration_id: integration.map(IntegrationId::parse).transpose()?,
        carrier_device_id: row.try_get("carrier_device_id")?,
        sim_iccid: row.try_get("sim_iccid")?,
        sim_status: row.try_get("sim_status")?,
        network_status: row.try_get("network_status")?,
        data_used_bytes: row.try_get("data_used_bytes")?,
        data_used_mb: row.try_get("data_used_mb")?,
        data_used_updated_at: time("data_used_updated_at")?,
        billing_cycle_start: time("billing_cycle_start")?,
        billing_cycle_end: time("billing_cycle_end")?,
        billing_cycle_source: row.try_get("billing_cycle_source")?,
    })
}
