//! Integrations and links as an operator makes, changes and removes them.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, query, query_as, query_scalar};

use super::error::{classify, classify_request};
use super::time::now;
use crate::device::{IntegrationId, TenantId};
use crate::store::link_rules::{self, StoredLink};
use crate::store::relink::relinked;
use crate::store::{
    DeviceLink, IntegrationChange, LinkReceipt, NewIntegration, StoreError, unknown_integration,
};

const BEGIN: &str = "BEGIN IMMEDIATE";

async fn tenant_of(
    transaction: &mut SqliteConnection,
    id: &IntegrationId,
) -> Result<TenantId, StoreError> {
    let tenant: Option<String> =
        query_scalar("SELECT tenant_id FROM carrier_integrations WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(transaction)
            .await
            .map_err(|e| classify(&e))?;
    let tenant = tenant.ok_or_else(|| unknown_integration(id))?;
    TenantId::parse(&tenant).map_err(|e| StoreError::Invalid(e.to_string()))
}

pub(super) async fn add_integration(
    connection: &mut SqliteConnection,
    new: &NewIntegration,
) -> Result<IntegrationId, StoreError> {
    let mut transaction = connection
        .begin_with(BEGIN)
        .await
        .map_err(|e| classify(&e))?;
    query("INSERT INTO tenants (tenant_id, name) VALUES (?1, ?1) ON CONFLICT DO NOTHING")
        .bind(new.tenant_id.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(|e| classify_request(&e))?;
    let id: String = query_scalar(
        "INSERT INTO carrier_integrations (id, tenant_id, carrier_name) \
         VALUES (coalesce(?1, lower(hex(randomblob(16)))), ?2, ?3) RETURNING CAST(id AS TEXT)",
    )
    .bind(new.id.as_ref().map(IntegrationId::as_str))
    .bind(new.tenant_id.as_str())
    .bind(&new.carrier_name)
    .fetch_one(&mut *transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    let id = IntegrationId::parse(&id).map_err(|e| StoreError::Invalid(e.to_string()))?;
    // Set afterwards, so that `None` takes the column's default.
    apply(&mut transaction, &new.tenant_id, &id, &new.fields).await?;
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(id)
}

pub(super) async fn set_integration(
    connection: &mut SqliteConnection,
    id: &IntegrationId,
    change: &IntegrationChange,
) -> Result<(), StoreError> {
    let mut transaction = connection
        .begin_with(BEGIN)
        .await
        .map_err(|e| classify(&e))?;
    let tenant = tenant_of(&mut transaction, id).await?;
    apply(&mut transaction, &tenant, id, change).await?;
    transaction.commit().await.map_err(|e| classify(&e))
}

async fn apply(
    transaction: &mut SqliteConnection,
    tenant: &TenantId,
    id: &IntegrationId,
    change: &IntegrationChange,
) -> Result<(), StoreError> {
    change.validate()?;
    let secret = |secret: &Option<SecretString>| {
        secret
            .as_ref()
            .map(|secret| secret.expose_secret().to_owned())
    };
    // An empty text removes an address or an account; NULL leaves it.
    query(concat!(
        "UPDATE carrier_integrations SET \
            display_name = COALESCE(?3, display_name), enabled = COALESCE(?4, enabled), \
            sync_enabled = COALESCE(?5, sync_enabled), \
            sync_interval_minutes = COALESCE(?6, sync_interval_minutes), \
            api_key = COALESCE(?7, api_key), api_secret = COALESCE(?8, api_secret), \
            api_base_url = NULLIF(COALESCE(?9, api_base_url), ''), \
            account_id = NULLIF(COALESCE(?10, account_id), ''), \
            config = COALESCE(?11, config), updated_at = ",
        now!(),
        " WHERE tenant_id = ?1 AND id = ?2"
    ))
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(&change.display_name)
    .bind(change.enabled)
    .bind(change.sync_enabled)
    .bind(change.sync_interval_minutes)
    .bind(secret(&change.api_key))
    .bind(secret(&change.api_secret))
    .bind(&change.api_base_url)
    .bind(&change.account_id)
    .bind(change.config.as_ref().map(ToString::to_string))
    .execute(transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    Ok(())
}

pub(super) async fn remove_integration(
    connection: &mut SqliteConnection,
    id: &IntegrationId,
) -> Result<u64, StoreError> {
    let mut transaction = connection
        .begin_with(BEGIN)
        .await
        .map_err(|e| classify(&e))?;
    let tenant = tenant_of(&mut transaction, id).await?;
    // The name at the carrier stays, so that the device can be linked again.
    let unlinked = query(concat!(
        "UPDATE device_connections SET carrier_integration_id = NULL, updated_at = ",
        now!(),
        " WHERE tenant_id = ?1 AND carrier_integration_id = ?2"
    ))
    .bind(tenant.as_str())
    .bind(id.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    for delete in [
        "DELETE FROM carrier_integrations WHERE tenant_id = ?1 AND id = ?2",
        "DELETE FROM carrier_calls WHERE tenant_id = ?1 AND integration_id = ?2",
        "DELETE FROM sync_runs WHERE tenant_id = ?1 AND integration_id = ?2",
    ] {
        query(delete)
            .bind(tenant.as_str())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(|e| classify_request(&e))?;
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(unlinked.rows_affected())
}

pub(super) async fn link_devices(
    connection: &mut SqliteConnection,
    integration: &IntegrationId,
    links: &[DeviceLink],
) -> Result<LinkReceipt, StoreError> {
    let mut transaction = connection
        .begin_with(BEGIN)
        .await
        .map_err(|e| classify(&e))?;
    let tenant = tenant_of(&mut transaction, integration).await?;
    let stored = stored_links(&mut transaction, &tenant, integration, links).await?;
    link_rules::check(integration, links, &stored)?;
    let before = count_devices(&mut transaction, &tenant).await?;
    upsert(&mut transaction, &tenant, integration, links).await?;
    let after = count_devices(&mut transaction, &tenant).await?;
    transaction.commit().await.map_err(|e| classify(&e))?;
    // The transaction holds the write lock: nobody else made or removed a row in between.
    let created = usize::try_from(after - before).unwrap_or_default();
    Ok(LinkReceipt {
        created,
        updated: links.len() - created,
    })
}

/// The rows that could stand in the way: these devices, and this account's holders of these names.
async fn stored_links(
    transaction: &mut SqliteConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
    links: &[DeviceLink],
) -> Result<Vec<StoredLink>, StoreError> {
    let devices: Vec<_> = links.iter().map(|link| link.device_id.as_str()).collect();
    let names: Vec<_> = links
        .iter()
        .map(|link| link.carrier_device_id.as_str())
        .collect();
    let rows: Vec<(String, Option<String>, Option<String>)> = query_as(
        "SELECT device_id, CAST(carrier_integration_id AS TEXT), carrier_device_id \
         FROM device_connections WHERE tenant_id = ?1 \
           AND (device_id IN (SELECT value FROM json_each(?2)) \
             OR carrier_integration_id = ?3 \
                AND carrier_device_id IN (SELECT value FROM json_each(?4)))",
    )
    .bind(tenant.as_str())
    .bind(json!(devices).to_string())
    .bind(integration.as_str())
    .bind(json!(names).to_string())
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(rows.into_iter().map(StoredLink::from).collect())
}

async fn count_devices(
    transaction: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<i64, StoreError> {
    query_scalar("SELECT count(*) FROM device_connections WHERE tenant_id = ?1")
        .bind(tenant.as_str())
        .fetch_one(transaction)
        .await
        .map_err(|e| classify(&e))
}

async fn upsert(
    transaction: &mut SqliteConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
    links: &[DeviceLink],
) -> Result<(), StoreError> {
    let rows: Vec<_> = links
        .iter()
        .map(|link| {
            json!([
                link.device_id.as_str(),
                link.carrier_device_id.as_str(),
                link.sim_iccid
            ])
        })
        .collect();
    // WHERE true: without it the parser takes ON CONFLICT for a join's ON.
    query(concat!(
        "INSERT INTO device_connections AS d \
            (tenant_id, device_id, carrier_integration_id, carrier_device_id, sim_iccid) \
         SELECT ?1, value ->> 0, ?2, value ->> 1, value ->> 2 FROM json_each(?3) WHERE true \
         ON CONFLICT (tenant_id, device_id) DO UPDATE SET ",
        relinked!(),
        "updated_at = ",
        now!()
    ))
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .bind(serde_json::Value::Array(rows).to_string())
    .execute(transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    Ok(())
}
