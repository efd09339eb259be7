//! The columns that the service needs, whichever engine holds them, and what a database that was
//! there before may call them. Pure: is given what was found, says what is missing or in the way.
//!
//! The tables of an existing platform are adopted as they are, so a type is accepted wherever the
//! statements can work with it. Where they cannot, a person must decide: nothing is converted here.

use super::StoreError;

/// What a column holds; decides which database types will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Name of an integration: text, or the platform's own uuid or integer.
    Id,
    /// Text.
    Text,
    /// Text of `last_sync_status`: as [`Kind::Text`], with a default.
    Outcome,
    /// Yes or no.
    Flag,
    /// A count of minutes.
    Minutes,
    /// JSON.
    Json,
    /// A count of bytes.
    Bytes,
    /// A count of a lease's owners.
    Epoch,
    /// A count, of calls for one.
    Calls,
    /// Names what a sync has booked.
    Booking,
    /// A day of UTC's.
    Day,
    /// Megabytes with two decimals.
    Megabytes,
    /// An instant: with a time zone, or two readers see two different instants.
    Instant,
    /// A time that we neither read nor write.
    Informative,
}

/// A column that the service needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// A table without it is another application's table of the same name; never added.
    pub(super) is_key: bool,
}

const fn key(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_key: true,
    }
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_key: false,
    }
}

/// A table that the service needs.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

/// Every table with its columns, in the order they are made.
pub(super) const TABLES: [Table; 5] = [
    Table {
        name: "tenants",
        columns: &[
            key("tenant_id", Kind::Text),
            column("name", Kind::Text),
            column("created_at", Kind::Informative),
        ],
    },
    Table {
        name: "carrier_integrations",
        columns: &[
            key("id", Kind::Id),
            key("tenant_id", Kind::Text),
            key("carrier_name", Kind::Text),
            column("display_name", Kind::Text),
            column("enabled", Kind::Flag),
            column("api_key", Kind::Text),
            column("api_secret", Kind::Text),
            column("api_base_url", Kind::Text),
            column("account_id", Kind::Text),
            column("config", Kind::Json),
            column("sync_enabled", Kind::Flag),
            column("sync_interval_minutes", Kind::Minutes),
            column("last_sync_at", Kind::Instant),
            column("last_success_at", Kind::Instant),
            column("last_sync_status", Kind::Outcome),
            column("last_sync_error", Kind::Text),
            column("created_at", Kind::Informative),
            column("updated_at", Kind::Instant),
        ],
    },
    Table {
        name: "device_connections",
        columns: &[
            key("tenant_id", Kind::Text),
            key("device_id", Kind::Text),
            column("carrier_integration_id", Kind::Id),
            column("carrier_device_id", Kind::Text),
            column("sim_iccid", Kind::Text),
            column("sim_status", Kind::Text),
            column("network_status", Kind::Text),
            column("data_limit_mb", Kind::Megabytes),
            column("data_used_bytes", Kind::Bytes),
            column("data_used_mb", Kind::Megabytes),
            column("data_used_updated_at", Kind::Instant),
            column("billing_cycle_start", Kind::Instant),
            column("billing_cycle_end", Kind::Instant),
            column("billing_cycle_source", Kind::Text),
            column("created_at", Kind::Informative),
            column("updated_at", Kind::Instant),
        ],
    },
    Table {
        name: "carrier_calls",
        columns: &[
            key("tenant_id", Kind::Text),
            key("integration_id", Kind::Text),
            key("day", Kind::Day),
            key("calls", Kind::Calls),
            key("booking", Kind::Booking),
            key("booked", Kind::Calls),
        ],
    },
    Table {
        name: "sync_runs",
        columns: &[
            key("tenant_id", Kind::Text),
            key("integration_id", Kind::Text),
            key("started_at", Kind::Instant),
            key("finished_at", Kind::Instant),
            key("outcome", Kind::Text),
            key("devices", Kind::Calls),
            key("synced", Kind::Calls),
            key("failed", Kind::Calls),
            key("carrier_calls", Kind::Calls),
            key("throttled_ms", Kind::Calls),
            key("error", Kind::Text),
            key("failures", Kind::Json),
        ],
    },
];

/// What several processes need to share the work, where the engine lets them (Postgres).
pub(super) const SHARING: [Table; 2] = [
    Table {
        name: "carrier_integrations",
        columns: &[
            column("lease_owner", Kind::Text),
            column("lease_epoch", Kind::Epoch),
        ],
    },
    Table {
        name: "carrier_sync_processes",
        columns: &[
            key("process_id", Kind::Text),
            key("address", Kind::Text),
            key("shares", Kind::Flag),
            key("renewed_at", Kind::Instant),
            key("expires_at", Kind::Instant),
        ],
    },
];

/// A column as a database describes it.
#[derive(Debug, Clone)]
pub(super) struct FoundColumn {
    pub(super) table: String,
    pub(super) column: String,
    /// The type's plain name, without length or precision: what [`Dialect`] compares.
    pub(super) type_name: String,
    /// The type as an operator would write it.
    pub(super) type_shown: String,
}

/// How one engine names types.
pub(super) trait Dialect {
    /// What this engine needs besides [`TABLES`].
    fn besides(&self) -> &'static [Table];
    /// Whether the statements can work with this type.
    fn accepts(&self, kind: Kind, type_name: &str) -> bool;
    /// The type (and default) of a column that is made anew.
    fn declaration(&self, kind: Kind) -> &'static str;
    /// The statement that resolves a wrong type without losing what is stored.
    fn remedy(&self, table: &str, column: &Column, found: &FoundColumn) -> String;
}

/// Columns that are not there.
#[derive(Debug, Default, Clone)]
pub(super) struct Missing {
    /// Whole tables.
    pub(super) tables: Vec<&'static str>,
    /// Columns of tables that are there.
    pub(super) columns: Vec<(&'static str, &'static Column)>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.columns.is_empty()
    }

    /// All that is missing, in words.
    pub(super) fn describe(&self) -> String {
        let tables = self.tables.iter().map(|table| format!("table {table}"));
        let columns = self
            .columns
            .iter()
            .map(|(table, column)| format!("column {table}.{}", column.name));
        tables.chain(columns).collect::<Vec<_>>().join(", ")
    }
}

/// Compares what was found with what is needed.
///
/// # Errors
/// [`StoreError::SchemaConflict`] naming every column of an unusable type, or a table that is not
/// ours to adopt.
pub(super) fn compare(found: &[FoundColumn], dialect: &dyn Dialect) -> Result<Missing, StoreError> {
    let mut missing = Missing::default();
    let mut conflicts = Vec::new();
    for table in TABLES.iter().chain(dialect.besides()) {
        let present: Vec<_> = found.iter().filter(|c| c.table == table.name).collect();
        if present.is_empty() {
            if !missing.tables.contains(&table.name) {
                missing.tables.push(table.name);
            }
            continue;
        }
        for column in table.columns {
            match present.iter().find(|c| c.column == column.name) {
                Some(found) if dialect.accepts(column.kind, &found.type_name) => {}
                Some(found) => conflicts.push(wrong_type(table.name, column, found, dialect)),
                None if column.is_key => conflicts.push(foreign_table(table.name, column.name)),
                None => missing.columns.push((table.name, column)),
            }
        }
    }
    if conflicts.is_empty() {
        Ok(missing)
    } else {
        Err(StoreError::SchemaConflict(format!(
            "the database holds columns that carrier-sync cannot use; nothing was changed.\n{}",
            conflicts.join("\n")
        )))
    }
}

fn wrong_type(table: &str, column: &Column, found: &FoundColumn, dialect: &dyn Dialect) -> String {
    let expected = dialect
        .declaration(column.kind)
        .split(" NOT NULL")
        .next()
        .unwrap_or_default();
    format!(
        "table {table}, column {}: found {}, expected {expected}; run: {}",
        column.name,
        found.type_shown,
        dialect.remedy(table, column, found)
    )
}

fn foreign_table(table: &str, column: &str) -> String {
    format!(
        "table {table} has no column {column}, so it seems to belong to another application; use \
         a database or schema (search_path) of its own for carrier-sync"
    )
}

/// The error for what is missing, with the way out.
pub(super) fn not_migrated(what: &str) -> StoreError {
    StoreError::SchemaNotMigrated(format!(
        "{what} missing; run `carrier-sync migrate` with an administrative database URL"
    ))
}
