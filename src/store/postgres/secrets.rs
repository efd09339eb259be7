//! Secrets stored in another form.

use secrecy::ExposeSecret;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, query};

use super::error::{classify, classify_request};
use super::scope::{Limits, Scope, enter};
use crate::store::{SecretReplacement, StoreError};

pub(super) async fn replace(
    connection: &mut PgConnection,
    limits: &Limits,
    change: &SecretReplacement,
) -> Result<bool, StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::Tenant(&change.tenant_id)).await?;
    let column = change.column.as_str();
    let statement = format!(
        "UPDATE carrier_integrations SET {column} = $4, updated_at = now() \
         WHERE tenant_id = $1 AND id::text = $2 AND {column}::text = $3"
    );
    let done = query(AssertSqlSafe(statement))
        .bind(change.tenant_id.as_str())
        .bind(change.integration_id.as_str())
        .bind(change.stored.expose_secret())
        .bind(change.replacement.expose_secret())
        .execute(&mut *transaction)
        .await
        // An adopted platform's varchar may be too short for a sealed text.
        .map_err(|e| classify_request(&e))?;
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(done.rows_affected() > 0)
}
