//! Linking devices to an integration: all of a list, or none of it.

use sqlx::{Connection, PgConnection, query, query_as, query_scalar};

use super::admin::enter_tenant_of;
use super::error::{classify, classify_request};
use super::scope::Limits;
use crate::device::{IntegrationId, TenantId};
use crate::store::link_rules::{self, StoredLink};
use crate::store::relink::relinked;
use crate::store::{DeviceLink, LinkReceipt, StoreError};

pub(super) async fn link_devices(
    connection: &mut PgConnection,
    limits: &Limits,
    integration: &IntegrationId,
    links: &[DeviceLink],
) -> Result<LinkReceipt, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    let tenant = enter_tenant_of(&mut transaction, limits, integration).await?;
    lock_tenant(&mut transaction, &tenant).await?;
    let stored = stored_links(&mut transaction, &tenant, integration, links).await?;
    link_rules::check(integration, links, &stored)?;
    let created = upsert(&mut transaction, &tenant, integration, links).await?;
    transaction
        .commit()
        .await
        .map_err(|e| classify_request(&e))?;
    Ok(LinkReceipt {
        created,
        updated: links.len() - created,
    })
}

/// Two operators linking at once take turns, or each would miss what the other is about to store.
async fn lock_tenant(transaction: &mut PgConnection, tenant: &TenantId) -> Result<(), StoreError> {
    query("SELECT pg_advisory_xact_lock(hashtextextended('carrier-sync link ' || $1, 0))")
        .bind(tenant.as_str())
        .execute(transaction)
        .await
        .map_err(|e| classify(&e))?;
    Ok(())
}

/// The rows that could stand in the way: these devices, and this account's holders of these names.
async fn stored_links(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
    links: &[DeviceLink],
) -> Result<Vec<StoredLink>, StoreError> {
    let rows: Vec<(String, Option<String>, Option<String>)> = query_as(
        "SELECT device_id::text, carrier_integration_id::text, carrier_device_id::text \
         FROM device_connections WHERE tenant_id = $1 AND (device_id = ANY ($2) \
            OR carrier_integration_id::text = $3 AND carrier_device_id = ANY ($4))",
    )
    .bind(tenant.as_str())
    .bind(
        links
            .iter()
            .map(|link| link.device_id.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(integration.as_str())
    .bind(
        links
            .iter()
            .map(|link| link.carrier_device_id.as_str())
            .collect::<Vec<_>>(),
    )
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(rows.into_iter().map(StoredLink::from).collect())
}

/// Takes the id from the integration's row, so it has the type that the platform gave it. Answers how
/// many rows are new: `xmax` is zero on a version that replaced none.
async fn upsert(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
    links: &[DeviceLink],
) -> Result<usize, StoreError> {
    let is_new: Vec<bool> = query_scalar(concat!(
        "INSERT INTO device_connections AS d \
            (tenant_id, device_id, carrier_integration_id, carrier_device_id, sim_iccid) \
         SELECT $1, u.device_id, i.id, u.carrier_device_id, u.sim_iccid \
         FROM carrier_integrations i, \
              UNNEST($3::text[], $4::text[], $5::text[]) \
                AS u (device_id, carrier_device_id, sim_iccid) \
         WHERE i.tenant_id = $1 AND i.id::text = $2 \
         ON CONFLICT (tenant_id, device_id) DO UPDATE SET ",
        relinked!(),
        "updated_at = now() RETURNING d.xmax = 0",
    ))
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .bind(
        links
            .iter()
            .map(|link| link.device_id.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        links
            .iter()
            .map(|link| link.carrier_device_id.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        links
            .iter()
            .map(|link| link.sim_iccid.as_deref())
            .collect::<Vec<_>>(),
    )
    .fetch_all(transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    Ok(is_new.into_iter().filter(|is_new| *is_new).count())
}
