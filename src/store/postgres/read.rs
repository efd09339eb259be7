//! What is read: integrations across tenants, an account's devices, an operator's list.
//!
//! Columns are cast to one type each, because an adopted platform may hold an id as uuid or a figure
//! as double. A row that cannot be understood is left out with a warning; it never costs the others.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row, query};

use super::error::classify;
use super::scope::{Limits, Scope, enter};
use crate::device::{DeviceId, IntegrationId, LinkedDevices, StoredCycles, TenantId};
use crate::integration::IntegrationRow;
use crate::store::{
    DeviceFilter, DeviceRow, StoreError, UnreadableRow, config_from_column, push_cycle, push_linked,
};

pub(super) async fn integrations(
    connection: &mut PgConnection,
    limits: &Limits,
) -> Result<(Vec<IntegrationRow>, Vec<UnreadableRow>), StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::AllTenants).await?;
    let rows = query(
        "SELECT id::text AS id, tenant_id::text AS tenant_id, carrier_name::text AS carrier_name, \
                display_name::text AS display_name, coalesce(enabled, false) AS enabled, \
                coalesce(sync_enabled, false) AS sync_enabled, \
                coalesce(sync_interval_minutes, 60)::bigint AS sync_interval_minutes, \
                api_key::text AS api_key, api_secret::text AS api_secret, \
                api_base_url::text AS api_base_url, account_id::text AS account_id, \
                config::text AS config, last_sync_at, last_success_at, \
                coalesce(last_sync_status, 'never')::text AS last_sync_status, \
                last_sync_error::text AS last_sync_error \
         FROM carrier_integrations ORDER BY id::text COLLATE \"C\"",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    transaction.commit().await.map_err(|e| classify(&e))?;
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

fn try_integration(row: &PgRow) -> Result<IntegrationRow, Box<dyn std::error::Error>> {
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
        last_sync_at: row.try_get("last_sync_at")?,
        last_success_at: row.try_get("last_success_at")?,
        last_sync_status: row.try_get("last_sync_status")?,
        last_sync_error: row.try_get("last_sync_error")?,
    })
}

pub(super) async fn linked_devices(
    connection: &mut PgConnection,
    limits: &Limits,
    tenant: &TenantId,
    integration: &IntegrationId,
) -> Result<LinkedDevices, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(tenant)).await?;
    let mut rows = query(
        "SELECT device_id::text, carrier_device_id::text, data_used_updated_at IS NOT NULL \
         FROM device_connections \
         WHERE tenant_id = $1 AND carrier_integration_id::text = $2 \
           AND carrier_device_id IS NOT NULL AND device_id IS NOT NULL \
         ORDER BY data_used_updated_at NULLS FIRST, device_id",
    )
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .fetch(&mut *transaction);
    let mut devices = LinkedDevices::default();
    while let Some(row) = rows.try_next().await.map_err(|e| classify(&e))? {
        let names = (text(&row, 0)?, text(&row, 1)?);
        let was_read = row.try_get(2).map_err(|e| classify(&e))?;
        push_linked(&mut devices, tenant, names, was_read);
    }
    drop(rows);
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(devices)
}

pub(super) async fn stored_cycles(
    connection: &mut PgConnection,
    limits: &Limits,
    tenant: &TenantId,
    integration: &IntegrationId,
) -> Result<StoredCycles, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(tenant)).await?;
    let mut rows = query(
        "SELECT carrier_device_id::text, billing_cycle_start, billing_cycle_end, \
                billing_cycle_source::text \
         FROM device_connections \
         WHERE tenant_id = $1 AND carrier_integration_id::text = $2 \
           AND carrier_device_id IS NOT NULL \
           AND billing_cycle_start IS NOT NULL AND billing_cycle_end IS NOT NULL",
    )
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .fetch(&mut *transaction);
    let mut cycles = StoredCycles::default();
    while let Some(row) = rows.try_next().await.map_err(|e| classify(&e))? {
        let time = |column: usize| row.try_get(column).map_err(|e| classify(&e));
        let source: Option<&str> = row.try_get(3).map_err(|e| classify(&e))?;
        push_cycle(&mut cycles, text(&row, 0)?, (time(1)?, time(2)?), source);
    }
    drop(rows);
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(cycles)
}

/// A column of text in the row's own buffer.
fn text(row: &PgRow, column: usize) -> Result<&str, StoreError> {
    row.try_get(column).map_err(|e| classify(&e))
}

pub(super) async fn devices(
    connection: &mut PgConnection,
    limits: &Limits,
    filter: &DeviceFilter,
) -> Result<Vec<DeviceRow>, StoreError> {
    filter.validate()?;
    let scope = filter
        .tenant_id
        .as_ref()
        .map_or(Scope::AllTenants, Scope::Tenant);
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, scope).await?;
    let (mut found, mut after) = (Vec::new(), filter.after_text());
    // Less than asked for means the end, so what cannot be read is made up for by what comes after it.
    loop {
        let wanted = filter.limit as usize - found.len();
        let rows = device_rows(&mut transaction, filter, after.as_ref(), wanted).await?;
        found.extend(rows.iter().filter_map(device));
        after = rows.last().and_then(key);
        if rows.len() < wanted || found.len() == filter.limit as usize || after.is_none() {
            break;
        }
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(found)
}

/// Tenant and device of a row, as they are stored.
fn key(row: &PgRow) -> Option<(String, String)> {
    Some((
        row.try_get("tenant_id").ok()?,
        row.try_get("device_id").ok()?,
    ))
}

async fn device_rows(
    transaction: &mut PgConnection,
    filter: &DeviceFilter,
    after: Option<&(String, String)>,
    limit: usize,
) -> Result<Vec<PgRow>, StoreError> {
    query(
        "SELECT tenant_id::text AS tenant_id, device_id::text AS device_id, \
                carrier_integration_id::text AS carrier_integration_id, \
                carrier_device_id::text AS carrier_device_id, sim_iccid::text AS sim_iccid, \
                sim_status::text AS sim_status, network_status::text AS network_status, \
                data_used_bytes::bigint AS data_used_bytes, \
                data_used_mb::double precision AS data_used_mb, data_used_updated_at, \
                billing_cycle_start, billing_cycle_end, \
                billing_cycle_source::text AS billing_cycle_source \
         FROM device_connections \
         WHERE ($1::text IS NULL OR tenant_id = $1) \
           AND ($2::text IS NULL \
                OR carrier_integration_id::text = $2 AND carrier_device_id IS NOT NULL) \
           AND ($3::text IS NULL OR (tenant_id, device_id) > ($3, $4)) \
           AND ($6::text IS NULL OR greatest(strpos(lower(device_id::text), $6), \
                    strpos(lower(carrier_device_id::text), $6), strpos(lower(sim_iccid::text), $6)) > 0) \
           AND ($7::text IS NULL OR carrier_device_id IS NOT NULL AND \
                CASE WHEN data_used_updated_at IS NULL THEN 'never' \
                     WHEN data_used_updated_at < $8::timestamptz THEN 'stale' \
                     ELSE 'fresh' END = $7) \
         ORDER BY tenant_id, device_id LIMIT $5",
    )
    .bind(filter.tenant_id.as_ref().map(TenantId::as_str))
    .bind(filter.integration_id.as_ref().map(IntegrationId::as_str))
    .bind(after.map(|(tenant, _)| tenant))
    .bind(after.map(|(_, device)| device))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(filter.search.as_deref().map(str::to_lowercase))
    .bind(filter.freshness.map(|(freshness, _)| freshness.as_str()))
    .bind(filter.freshness.map(|(_, since)| since))
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))
}

fn device(row: &PgRow) -> Option<DeviceRow> {
    try_device(row)
        .inspect_err(|error| tracing::warn!(error, "device row left out: unreadable"))
        .ok()
}

fn try_device(row: &PgRow) -> Result<DeviceRow, Box<dyn std::error::Error>> {
    let integration: Option<String> = row.try_get("carrier_integration_id")?;
    Ok(DeviceRow {
        tenant_id: TenantId::parse(row.try_get("tenant_id")?)?,
        device_id: DeviceId::parse(row.try_get("device_id")?)?,
        carrier_integration_id: integration
            .as_deref()
            .map(IntegrationId::parse)
            .transpose()?,
        carrier_device_id: row.try_get("carrier_device_id")?,
        sim_iccid: row.try_get("sim_iccid")?,
        sim_status: row.try_get("sim_status")?,
        network_status: row.try_get("network_status")?,
        data_used_bytes: row.try_get("data_used_bytes")?,
        data_used_mb: row.try_get("data_used_mb")?,
        data_used_updated_at: row.try_get::<Option<DateTime<Utc>>, _>("data_used_updated_at")?,
        billing_cycle_start: row.try_get("billing_cycle_start")?,
        billing_cycle_end: row.try_get("billing_cycle_end")?,
        billing_cycle_source: row.try_get("billing_cycle_source")?,
    })
}
