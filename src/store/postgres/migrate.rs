//! Making or adopting the schema, in one transaction: all of it or nothing.
//!
//! Two programs that migrate at once take turns. The versioned files run once each; row-level
//! security and the notices are restored every time, so that `carrier-sync migrate` repairs what `check`
//! complains of.

use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_scalar, raw_sql};

use super::check::{self, quote};
use super::dialect::PostgresDialect;
use super::error::{classify, row_fault};
use super::scope::{Limits, Scope, enter};
use crate::store::StoreError;
use crate::store::schema::{Dialect, compare};

/// Not sqlx's default: an adopted platform may keep a table of that name itself.
const HISTORY: &str = "carrier_sync_migrations";

const ROW_LEVEL_SECURITY: &str =
    include_str!("../../../migrations/postgres/always/row_level_security.sql");

const NOTICES: &str = include_str!("../../../migrations/postgres/always/notices.sql");

pub(super) async fn migrate(
    connection: &mut PgConnection,
    limits: &Limits,
    service_role: Option<&str>,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::AllTenants).await?;
    take_turns(&mut transaction, limits).await?;
    if let Some(role) = service_role {
        require_role(&mut transaction, role).await?;
    }
    compare(&check::columns(&mut transaction).await?, &PostgresDialect)?;
    run_files(&mut transaction).await?;
    raw_sql(ROW_LEVEL_SECURITY)
        .execute(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
    require_complete(&mut transaction).await?;
    // Names columns, so after they are known to be there.
    raw_sql(NOTICES)
        .execute(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
    if let Some(role) = service_role {
        grant(&mut transaction, role).await?;
    }
    transaction.commit().await.map_err(|e| classify(&e))
}

/// Waits for a migration under way. No statement limit: an index takes what it takes; the lock limit
/// stays, because a table lock that waits holds up everyone behind it.
async fn take_turns(transaction: &mut PgConnection, limits: &Limits) -> Result<(), StoreError> {
    raw_sql(
        "SET LOCAL client_min_messages = warning; \
         SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
         SELECT pg_advisory_xact_lock(hashtextextended('carrier-sync migrate', 0))",
    )
    .execute(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    query("SELECT set_config('lock_timeout', $1, true)")
        .bind(limits.lock_timeout())
        .execute(transaction)
        .await
        .map_err(|e| classify(&e))?;
    Ok(())
}

async fn run_files(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let mut files = sqlx::migrate!("migrations/postgres");
    files.dangerous_set_table_name(HISTORY);
    // Our own lock is held, and ends with the transaction whatever happens.
    files.set_locking(false);
    files
        .run_direct(None, transaction, false)
        .await
        .map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => refused_by_rows(&error),
            newer @ sqlx::migrate::MigrateError::VersionMissing(_) => {
                StoreError::SchemaConflict(format!(
                    "the database was migrated by a newer carrier-sync ({newer}); use that one"
                ))
            }
            other => StoreError::Rejected(other.to_string()),
        })
}

/// Rows of an adopted table may forbid a unique index; the error names the first of them.
fn refused_by_rows(error: &sqlx::Error) -> StoreError {
    let Some(message) = row_fault(error) else {
        return classify(error);
    };
    let detail = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>())
        .and_then(|error| error.detail())
        .unwrap_or_default();
    StoreError::SchemaConflict(format!(
        "the rows of an existing table do not allow what carrier-sync needs; nothing was changed. \
         {message}. {detail} Remove the duplicates, then run the migration again; to find them: \
         SELECT tenant_id, device_id, count(*) FROM device_connections GROUP BY 1, 2 \
         HAVING count(*) > 1;"
    ))
}

/// A column dropped since its migration ran is not made again by it.
async fn require_complete(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let missing = compare(&check::columns(transaction).await?, &PostgresDialect)?;
    if missing.is_empty() {
        return Ok(());
    }
    let statements: Vec<_> = missing
        .columns
        .iter()
        .map(|(table, column)| {
            let declaration = PostgresDialect.declaration(column.kind);
            format!(
                "ALTER TABLE {table} ADD COLUMN {} {declaration};",
                column.name
            )
        })
        .collect();
    Err(StoreError::SchemaConflict(format!(
        "{} was removed after it had been made; run: {}",
        missing.describe(),
        statements.join(" ")
    )))
}

async fn require_role(transaction: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    let exists: bool = query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(transaction)
        .await
        .map_err(|e| classify(&e))?;
    if exists {
        return Ok(());
    }
    let quoted = quote(role);
    Err(StoreError::Role(format!(
        "role {role:?} does not exist; run: CREATE ROLE {quoted} LOGIN NOSUPERUSER NOBYPASSRLS \
         PASSWORD '...';"
    )))
}

/// Grants what `check::NEEDED` lists and nothing else.
async fn grant(transaction: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    let role = quote(role);
    let schemas: Vec<String> = query_scalar(
        "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class \
         WHERE oid = ANY (ARRAY[to_regclass('carrier_integrations'), \
                                to_regclass('device_connections'), \
                                to_regclass('carrier_calls'), \
                                to_regclass('sync_runs'), \
                                to_regclass('carrier_sync_processes')])",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    // `regnamespace::text` is quoted by the server where it needs to be.
    let on_schemas = schemas
        .iter()
        .map(|schema| format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
    let on_columns = check::NEEDED.iter().map(|needed| {
        let columns = match needed.columns {
            [] => String::new(),
            columns => format!(" ({})", columns.join(", ")),
        };
        format!(
            "GRANT {}{columns} ON {} TO {role}",
            needed.privilege, needed.table
        )
    });
    for statement in on_schemas.chain(on_columns) {
        raw_sql(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await
            .map_err(|e| classify(&e))?;
    }
    Ok(())
}
