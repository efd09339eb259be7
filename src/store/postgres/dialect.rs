//! How Postgres names types, which of them the statements can work with, and how to convert the rest.

use crate::store::schema::{Column, Dialect, FoundColumn, Kind, SHARING, Table};

/// Types by their plain name (`pg_type.typname`).
#[derive(Debug)]
pub(super) struct PostgresDialect;

impl Dialect for PostgresDialect {
    fn besides(&self) -> &'static [Table] {
        &SHARING
    }

    fn accepts(&self, kind: Kind, type_name: &str) -> bool {
        let accepted: &[&str] = match kind {
            Kind::Id => &["text", "varchar", "uuid", "int4", "int8"],
            Kind::Text | Kind::Outcome => &["text", "varchar"],
            Kind::Flag => &["bool"],
            Kind::Minutes => &["int2", "int4", "int8"],
            Kind::Json => &["json", "jsonb"],
            Kind::Bytes => &["int8", "numeric"],
            Kind::Epoch | Kind::Calls | Kind::Booking => &["int8"],
            Kind::Day => &["date"],
            Kind::Megabytes => &["numeric", "float8", "float4"],
            Kind::Instant => &["timestamptz"],
            Kind::Informative => return true,
        };
        accepted.contains(&type_name)
    }

    fn declaration(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Id | Kind::Text => "text",
            Kind::Outcome => "text NOT NULL DEFAULT 'never'",
            Kind::Flag => "boolean NOT NULL DEFAULT true",
            Kind::Minutes => "integer NOT NULL DEFAULT 60",
            Kind::Json => "jsonb NOT NULL DEFAULT '{}'",
            Kind::Bytes | Kind::Booking => "bigint",
            Kind::Epoch | Kind::Calls => "bigint NOT NULL DEFAULT 0",
            Kind::Day => "date",
            Kind::Megabytes => "numeric",
            Kind::Instant | Kind::Informative => "timestamptz",
        }
    }

    fn remedy(&self, table: &str, column: &Column, found: &FoundColumn) -> String {
        let name = column.name;
        let convert = |to: &str, using: &str| {
            format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {to} USING {using};")
        };
        match (column.kind, found.type_name.as_str()) {
            (Kind::Instant, "timestamp" | "date") => format!(
                "{} (without a time zone it is a different instant for every session; name another \
                 zone if the stored values are not UTC)",
                convert(
                    "timestamptz",
                    &format!("{name}::timestamp AT TIME ZONE 'UTC'")
                )
            ),
            (Kind::Text | Kind::Outcome | Kind::Id, _) => convert("text", &format!("{name}::text")),
            (Kind::Json, "text" | "varchar") => convert("jsonb", &format!("{name}::jsonb")),
            (Kind::Bytes, "int2" | "int4") => convert("bigint", &format!("{name}::bigint")),
            (Kind::Megabytes, "int2" | "int4" | "int8") => {
                convert("numeric", &format!("{name}::numeric"))
            }
            // No conversion is right for every platform: keep the values, make room for ours.
            _ => format!("ALTER TABLE {table} RENAME COLUMN {name} TO {name}_before_carrier_sync;"),
        }
    }
}
