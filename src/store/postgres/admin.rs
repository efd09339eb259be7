//! Integrations as an operator adds, changes and removes them.
//!
//! Runs as the tables' owner (whom forced row-level security binds like anyone) or as a superuser:
//! looks across tenants only to find whose an integration is, then stays within that tenant.

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, query, query_scalar};

use super::error::{classify, classify_request};
use super::scope::{Limits, Scope, enter};
use crate::device::{IntegrationId, TenantId};
use crate::store::{IntegrationChange, NewIntegration, StoreError, unknown_integration};

/// Whose integration this is; the transaction is confined to that tenant afterwards.
pub(super) async fn enter_tenant_of(
    transaction: &mut PgConnection,
    limits: &Limits,
    id: &IntegrationId,
) -> Result<TenantId, StoreError> {
    enter(transaction, limits, Scope::AllTenants).await?;
    let tenant: Option<String> =
        query_scalar("SELECT tenant_id::text FROM carrier_integrations WHERE id::text = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(|e| classify(&e))?;
    let tenant = tenant.ok_or_else(|| unknown_integration(id))?;
    let tenant = TenantId::parse(&tenant).map_err(|e| StoreError::Invalid(e.to_string()))?;
    enter(transaction, limits, Scope::Tenant(&tenant)).await?;
    Ok(tenant)
}

pub(super) async fn add_integration(
    connection: &mut PgConnection,
    limits: &Limits,
    new: &NewIntegration,
) -> Result<IntegrationId, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(&new.tenant_id)).await?;
    query(
        "INSERT INTO tenants (tenant_id, name) SELECT $1, $1 \
         WHERE NOT EXISTS (SELECT FROM tenants WHERE tenant_id = $1) ON CONFLICT DO NOTHING",
    )
    .bind(new.tenant_id.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    let id = insert(&mut transaction, new).await?;
    apply(&mut transaction, &new.tenant_id, &id, &new.fields).await?;
    transaction
        .commit()
        .await
        .map_err(|e| classify_request(&e))?;
    Ok(id)
}

/// The bare row; its fields are set afterwards, so that `None` takes the column's default.
async fn insert(
    transaction: &mut PgConnection,
    new: &NewIntegration,
) -> Result<IntegrationId, StoreError> {
    let id: String = match &new.id {
        None => {
            query_scalar(
                "INSERT INTO carrier_integrations (tenant_id, carrier_name) VALUES ($1, $2) \
                 RETURNING id::text",
            )
            .bind(new.tenant_id.as_str())
            .bind(&new.carrier_name)
            .fetch_one(&mut *transaction)
            .await
        }
        Some(id) => {
            let id_type = id_type(transaction).await?;
            query_scalar(AssertSqlSafe(format!(
                "INSERT INTO carrier_integrations (id, tenant_id, carrier_name) \
                 VALUES (CAST($1::text AS {id_type}), $2, $3) RETURNING id::text"
            )))
            .bind(id.as_str())
            .bind(new.tenant_id.as_str())
            .bind(&new.carrier_name)
            .fetch_one(&mut *transaction)
            .await
        }
    }
    .map_err(|e| classify_request(&e))?;
    IntegrationId::parse(&id).map_err(|e| StoreError::Invalid(e.to_string()))
}

/// The type of an adopted platform's integration ids, as SQL writes it.
async fn id_type(transaction: &mut PgConnection) -> Result<String, StoreError> {
    query_scalar(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute \
         WHERE attrelid = 'carrier_integrations'::regclass AND attname = 'id'",
    )
    .fetch_one(transaction)
    .await
    .map_err(|e| classify(&e))
}

pub(super) async fn set_integration(
    connection: &mut PgConnection,
    limits: &Limits,
    id: &IntegrationId,
    change: &IntegrationChange,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    let tenant = enter_tenant_of(&mut transaction, limits, id).await?;
    apply(&mut transaction, &tenant, id, change).await?;
    transaction.commit().await.map_err(|e| classify_request(&e))
}

async fn apply(
    transaction: &mut PgConnection,
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
    let done = query(
        "UPDATE carrier_integrations SET \
            display_name = COALESCE($3, display_name), enabled = COALESCE($4, enabled), \
            sync_enabled = COALESCE($5, sync_enabled), \
            sync_interval_minutes = COALESCE($6, sync_interval_minutes), \
            api_key = COALESCE($7, api_key), api_secret = COALESCE($8, api_secret), \
            api_base_url = NULLIF(COALESCE($9, api_base_url), ''), \
            account_id = NULLIF(COALESCE($10, account_id), ''), \
            config = COALESCE($11::json, config::json), updated_at = now() \
         WHERE tenant_id = $1 AND id::text = $2",
    )
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
    if done.rows_affected() == 0 {
        Err(unknown_integration(id))
    } else {
        Ok(())
    }
}

/// The one thing that the service itself changes of an integration when an operator asks it to.
pub(super) async fn set_sync_enabled(
    connection: &mut PgConnection,
    limits: &Limits,
    id: &IntegrationId,
    sync_enabled: bool,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    let tenant = enter_tenant_of(&mut transaction, limits, id).await?;
    query(
        "UPDATE carrier_integrations SET sync_enabled = $3, updated_at = now() \
         WHERE tenant_id = $1 AND id::text = $2 AND sync_enabled IS DISTINCT FROM $3",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(sync_enabled)
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    transaction.commit().await.map_err(|e| classify_request(&e))
}

pub(super) async fn remove_integration(
    connection: &mut PgConnection,
    limits: &Limits,
    id: &IntegrationId,
) -> Result<u64, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    let tenant = enter_tenant_of(&mut transaction, limits, id).await?;
    // Before its devices, as a write of the service does: the other way round they would deadlock.
    query("SELECT 1 FROM carrier_integrations WHERE tenant_id = $1 AND id::text = $2 FOR UPDATE")
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(|e| classify_request(&e))?;
    // The name at the carrier stays, so that the device can be linked again.
    let unlinked = query(
        "UPDATE device_connections SET carrier_integration_id = NULL, updated_at = now() \
         WHERE tenant_id = $1 AND carrier_integration_id::text = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify_request(&e))?;
    for delete in [
        "DELETE FROM carrier_integrations WHERE tenant_id = $1 AND id::text = $2",
        "DELETE FROM carrier_calls WHERE tenant_id = $1 AND integration_id = $2",
        "DELETE FROM sync_runs WHERE tenant_id = $1 AND integration_id = $2",
    ] {
        query(delete)
            .bind(tenant.as_str())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(|e| classify_request(&e))?;
    }
    transaction
        .commit()
        .await
        .map_err(|e| classify_request(&e))?;
    Ok(unlinked.rows_affected())
}
