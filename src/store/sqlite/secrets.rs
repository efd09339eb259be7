//! Secrets stored in another form, and the file rid of the form they had.

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, SqliteConnection, query, query_as, raw_sql};

use super::error::classify;
use super::time::now;
use crate::store::{SecretReplacement, StoreError};

pub(super) async fn replace(
    connection: &mut SqliteConnection,
    change: &SecretReplacement,
) -> Result<bool, StoreError> {
    let column = change.column.as_str();
    let statement = format!(
        "UPDATE carrier_integrations SET {column} = ?4, updated_at = {} \
         WHERE tenant_id = ?1 AND CAST(id AS TEXT) = ?2 AND {column} = ?3",
        now!()
    );
    let done = query(AssertSqlSafe(statement))
        .bind(change.tenant_id.as_str())
        .bind(change.integration_id.as_str())
        .bind(change.stored.expose_secret())
        .bind(change.replacement.expose_secret())
        .execute(connection)
        .await
        .map_err(|e| classify(&e))?;
    Ok(done.rows_affected() > 0)
}

/// An update leaves the row's old bytes in its page, and the log holds whole old pages. Rewriting the
/// file leaves what is stored and nothing else; emptying the log moves it there. Neither disturbs a
/// service that has the file open: both wait for their turn like any writer.
pub(super) async fn erase_traces(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    raw_sql("VACUUM")
        .execute(&mut *connection)
        .await
        .map_err(|e| classify(&e))?;
    let (busy, _, _): (i64, i64, i64) = query_as("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await
        .map_err(|e| classify(&e))?;
    match busy {
        0 => Ok(()),
        _ => Err(StoreError::Unavailable(
            "the write-ahead log is in use by another program".into(),
        )),
    }
}
