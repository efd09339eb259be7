//! Making or adopting the schema, in one transaction; and whether it is as needed.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection, query_as, query_scalar, raw_sql};

use super::error::{classify, row_fault};
use crate::store::StoreError;
use crate::store::schema::{
    Column, Dialect, FoundColumn, Kind, Missing, TABLES, Table, compare, not_migrated,
};

/// The same name as in Postgres.
const HISTORY: &str = "carrier_sync_migrations";

/// After the columns, which an adopted table may lack.
const INDEXES: [&str; 2] = [
    "CREATE INDEX IF NOT EXISTS carrier_sync_device_connections_integration \
     ON device_connections (tenant_id, carrier_integration_id)",
    "CREATE UNIQUE INDEX IF NOT EXISTS carrier_sync_carrier_integrations_key \
     ON carrier_integrations (id)",
];

/// The uniqueness that links rely on, where an adopted table lacks it; fails on rows that break it.
const DEVICE_KEY: &str = "CREATE UNIQUE INDEX IF NOT EXISTS carrier_sync_device_connections_key \
     ON device_connections (tenant_id, device_id)";

const HAS_DEVICE_KEY: &str = "\
    SELECT EXISTS (SELECT 1 FROM pragma_index_list('device_connections') AS i \
        WHERE i.\"unique\" AND NOT i.partial AND 'device_id,tenant_id' = ( \
            SELECT group_concat(name, ',') \
            FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY name)))";

pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|e| classify(&e))?;
    missing(&mut transaction).await?;
    let mut files = sqlx::migrate!("migrations/sqlite");
    files.dangerous_set_table_name(HISTORY);
    files
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => classify(&error),
            newer @ sqlx::migrate::MigrateError::VersionMissing(_) => {
                StoreError::SchemaConflict(format!(
                    "the database was migrated by a newer carrier-sync ({newer}); use that one"
                ))
            }
            other => StoreError::Rejected(other.to_string()),
        })?;
    complete(&mut transaction).await?;
    transaction.commit().await.map_err(|e| classify(&e))
}

async fn complete(transaction: &mut SqliteConnection) -> Result<(), StoreError> {
    let lacking = missing(transaction).await?;
    let additions = lacking.columns.iter().map(|(table, column)| {
        let declaration = SqliteDialect.declaration(column.kind);
        format!(
            "ALTER TABLE {table} ADD COLUMN {} {declaration}",
            column.name
        )
    });
    let has_key: bool = query_scalar(HAS_DEVICE_KEY)
        .fetch_one(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
    let key = (!has_key).then(|| DEVICE_KEY.to_owned());
    for statement in additions.chain(INDEXES.map(str::to_owned)).chain(key) {
        raw_sql(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await
            .map_err(|error| {
                row_fault(&error).map_or_else(|| classify(&error), StoreError::SchemaConflict)
            })?;
    }
    Ok(())
}

pub(super) async fn check(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let missing = missing(connection).await?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(not_migrated(&missing.describe()))
    }
}

async fn missing(connection: &mut SqliteConnection) -> Result<Missing, StoreError> {
    let mut found = Vec::new();
    for table in &TABLES {
        let columns: Vec<(String, String)> =
            query_as("SELECT name, type FROM pragma_table_info(?1)")
                .bind(table.name)
                .fetch_all(&mut *connection)
                .await
                .map_err(|e| classify(&e))?;
        found.extend(columns.into_iter().map(|(column, declared)| {
            FoundColumn {
                table: table.name.to_owned(),
                column,
                type_name: declared
                    .split('(')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_lowercase(),
                type_shown: declared,
            }
        }));
    }
    compare(&found, &SqliteDialect)
}

/// SQLite types values, not columns; a declared type only says what a column was meant for. It is
/// refused where it was plainly meant for something else.
#[derive(Debug)]
struct SqliteDialect;

impl Dialect for SqliteDialect {
    /// One process has the file to itself: there is nothing to share.
    fn besides(&self) -> &'static [Table] {
        &[]
    }

    fn accepts(&self, kind: Kind, declared: &str) -> bool {
        let is_text = matches!(
            declared,
            "" | "text" | "varchar" | "nvarchar" | "char" | "clob"
        );
        let is_integer = matches!(
            declared,
            "" | "integer" | "int" | "bigint" | "smallint" | "tinyint" | "boolean" | "bool"
        );
        match kind {
            Kind::Id => is_text || is_integer || declared == "uuid",
            Kind::Text | Kind::Outcome => is_text,
            Kind::Flag
            | Kind::Minutes
            | Kind::Bytes
            | Kind::Epoch
            | Kind::Calls
            | Kind::Booking => is_integer || declared == "numeric",
            Kind::Day => is_text || declared == "date",
            Kind::Json => is_text || matches!(declared, "json" | "jsonb"),
            Kind::Megabytes => {
                matches!(
                    declared,
                    "" | "real" | "double" | "double precision" | "float"
                ) || matches!(declared, "numeric" | "decimal")
            }
            Kind::Instant => is_text || matches!(declared, "timestamp" | "datetime"),
            Kind::Informative => true,
        }
    }

    fn declaration(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Id | Kind::Text | Kind::Instant | Kind::Day | Kind::Informative => "TEXT",
            Kind::Outcome => "TEXT NOT NULL DEFAULT 'never'",
            Kind::Flag => "INTEGER NOT NULL DEFAULT 1",
            Kind::Minutes => "INTEGER NOT NULL DEFAULT 60",
            Kind::Json => "TEXT NOT NULL DEFAULT '{}'",
            Kind::Bytes | Kind::Epoch | Kind::Booking => "INTEGER",
            Kind::Calls => "INTEGER NOT NULL DEFAULT 0",
            Kind::Megabytes => "REAL",
        }
    }

    fn remedy(&self, table: &str, column: &Column, _found: &FoundColumn) -> String {
        let name = column.name;
        format!("ALTER TABLE {table} RENAME COLUMN {name} TO {name}_before_carrier_sync;")
    }
}
