//! Counting an integration's calls in its row, in a transaction that holds the row.

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection, Row, query};

use super::error::classify;
use super::scope::{Limits, Scope, enter};
use crate::device::{IntegrationId, TenantId};
use crate::store::StoreError;
use crate::store::calls::{CallBudget, CallGrant, Counted, day_text};

/// Whose calls, on which day.
pub(super) type Whose<'a> = (&'a TenantId, &'a IntegrationId, NaiveDate);

pub(super) async fn reserve(
    connection: &mut PgConnection,
    limits: &Limits,
    (tenant, integration, day): Whose<'_>,
    wanted: u64,
    budget: CallBudget,
) -> Result<CallGrant, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(tenant)).await?;
    let counted = counted(&mut transaction, tenant, integration).await?;
    let (grant, counted) = counted.grant(&day_text(day), wanted, budget);
    store(&mut transaction, tenant, integration, &counted).await?;
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(grant)
}

pub(super) async fn give_back(
    connection: &mut PgConnection,
    limits: &Limits,
    (tenant, integration, day): Whose<'_>,
    unused: u64,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(tenant)).await?;
    let counted = counted(&mut transaction, tenant, integration).await?;
    if let Some(counted) = counted.give_back(&day_text(day), unused) {
        store(&mut transaction, tenant, integration, &counted).await?;
    }
    transaction.commit().await.map_err(|e| classify(&e))
}

/// Holds the row until the transaction ends. One that is gone has counted nothing.
async fn counted(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
) -> Result<Counted, StoreError> {
    let row = query(
        "SELECT calls_day::text, coalesce(calls_today, 0)::bigint, \
                coalesce(calls_this_month, 0)::bigint \
         FROM carrier_integrations WHERE tenant_id = $1 AND id::text = $2 FOR UPDATE",
    )
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .fetch_optional(transaction)
    .await
    .map_err(|e| classify(&e))?;
    let Some(row) = row else {
        return Ok(Counted::default());
    };
    Ok(Counted {
        day: row.try_get(0).map_err(|e| classify(&e))?,
        today: row.try_get(1).map_err(|e| classify(&e))?,
        this_month: row.try_get(2).map_err(|e| classify(&e))?,
    })
}

async fn store(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    integration: &IntegrationId,
    counted: &Counted,
) -> Result<(), StoreError> {
    query(
        "UPDATE carrier_integrations SET calls_day = $3, calls_today = $4, calls_this_month = $5 \
         WHERE tenant_id = $1 AND id::text = $2",
    )
    .bind(tenant.as_str())
    .bind(integration.as_str())
    .bind(counted.day.as_deref())
    .bind(counted.today)
    .bind(counted.this_month)
    .execute(transaction)
    .await
    .map(drop)
    .map_err(|e| classify(&e))
}
