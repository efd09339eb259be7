//! Whether the service may start here: the columns, the policies, and a role that they bind.

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection, Row, query, query_as, query_scalar};

use super::dialect::PostgresDialect;
use super::error::classify;
use super::scope::{Limits, Scope, enter};
use crate::store::StoreError;
use crate::store::schema::{FoundColumn, SHARING, TABLES, compare, not_migrated};

/// A privilege that the service's own calls need, on these columns; without any, on the table.
#[derive(Debug)]
pub(super) struct Needed {
    pub(super) privilege: &'static str,
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
}

/// Exactly what `Store`'s first group of calls and `Leases` need: no row of a platform's table is ever made
/// or removed by the service, and no other column of one is its business.
pub(super) const NEEDED: [Needed; 15] = [
    Needed {
        privilege: "SELECT",
        table: "carrier_integrations",
        columns: &[
            "id",
            "tenant_id",
            "carrier_name",
            "display_name",
            "enabled",
            "sync_enabled",
            "sync_interval_minutes",
            "api_key",
            "api_secret",
            "api_base_url",
            "account_id",
            "config",
            "last_sync_at",
            "last_success_at",
            "last_sync_status",
            "last_sync_error",
            "lease_owner",
            "lease_epoch",
        ],
    },
    Needed {
        privilege: "UPDATE",
        table: "carrier_integrations",
        columns: &[
            "sync_enabled",
            "last_sync_at",
            "last_success_at",
            "last_sync_status",
            "last_sync_error",
            "updated_at",
            "lease_owner",
            "lease_epoch",
        ],
    },
    Needed {
        privilege: "SELECT",
        table: "carrier_sync_processes",
        columns: PROCESS_COLUMNS,
    },
    Needed {
        privilege: "INSERT",
        table: "carrier_sync_processes",
        columns: PROCESS_COLUMNS,
    },
    Needed {
        privilege: "UPDATE",
        table: "carrier_sync_processes",
        columns: &["renewed_at", "expires_at"],
    },
    // Of rows that have run out, and of its own: a table has no finer right to it.
    Needed {
        privilege: "DELETE",
        table: "carrier_sync_processes",
        columns: &[],
    },
    Needed {
        privilege: "SELECT",
        table: "device_connections",
        columns: &[
            "tenant_id",
            "device_id",
            "carrier_integration_id",
            "carrier_device_id",
            "sim_iccid",
            "sim_status",
            "network_status",
            "data_used_bytes",
            "data_used_mb",
            "data_used_updated_at",
            "billing_cycle_start",
            "billing_cycle_end",
            "billing_cycle_source",
        ],
    },
    Needed {
        privilege: "UPDATE",
        table: "device_connections",
        columns: &[
            "sim_iccid",
            "sim_status",
            "network_status",
            "data_used_bytes",
            "data_used_mb",
            "data_used_updated_at",
            "billing_cycle_start",
            "billing_cycle_end",
            "billing_cycle_source",
            "updated_at",
        ],
    },
    Needed {
        privilege: "SELECT",
        table: "carrier_calls",
        columns: &[
            "tenant_id",
            "integration_id",
            "day",
            "calls",
            "booking",
            "booked",
        ],
    },
    Needed {
        privilege: "INSERT",
        table: "carrier_calls",
        columns: &["tenant_id", "integration_id", "day"],
    },
    Needed {
        privilege: "UPDATE",
        table: "carrier_calls",
        columns: &["calls", "booking", "booked"],
    },
    // Of days that no budget looks at any more.
    Needed {
        privilege: "DELETE",
        table: "carrier_calls",
        columns: &[],
    },
    Needed {
        privilege: "SELECT",
        table: "sync_runs",
        columns: RUN_COLUMNS,
    },
    Needed {
        privilege: "INSERT",
        table: "sync_runs",
        columns: RUN_COLUMNS,
    },
    // Of runs that are no longer kept.
    Needed {
        privilege: "DELETE",
        table: "sync_runs",
        columns: &[],
    },
];

const RUN_COLUMNS: &[&str] = &[
    "tenant_id",
    "integration_id",
    "started_at",
    "finished_at",
    "outcome",
    "devices",
    "synced",
    "failed",
    "carrier_calls",
    "throttled_ms",
    "error",
    "failures",
];

const PROCESS_COLUMNS: &[&str] = &[
    "process_id",
    "address",
    "shares",
    "renewed_at",
    "expires_at",
];

pub(super) async fn check(
    connection: &mut PgConnection,
    limits: &Limits,
    allow_privileged_role: bool,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
    enter(&mut transaction, limits, Scope::AllTenants).await?;
    let missing = compare(&columns(&mut transaction).await?, &PostgresDialect)?;
    if !missing.is_empty() {
        return Err(not_migrated(&missing.describe()));
    }
    check_policies(&mut transaction).await?;
    if !allow_privileged_role {
        check_role(&mut transaction).await?;
    }
    check_privileges(&mut transaction).await?;
    transaction.commit().await.map_err(|e| classify(&e))
}

/// The columns of our tables as the search path finds them. From the catalogue, because
/// `information_schema` hides what a role has no rights on, and missing rights are not missing columns.
pub(super) async fn columns(
    transaction: &mut PgConnection,
) -> Result<Vec<FoundColumn>, StoreError> {
    let names: BTreeSet<_> = TABLES.iter().chain(&SHARING).map(|t| t.name).collect();
    let names: Vec<_> = names.into_iter().collect();
    let rows = query(
        "SELECT t.name, a.attname::text, y.typname::text, format_type(a.atttypid, a.atttypmod) \
         FROM UNNEST($1::text[]) AS t (name) \
         JOIN pg_attribute a ON a.attrelid = to_regclass(t.name) \
         JOIN pg_type y ON y.oid = a.atttypid \
         WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY t.name, a.attnum",
    )
    .bind(names)
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    let text = |row: &sqlx::postgres::PgRow, index: usize| row.try_get::<String, _>(index);
    rows.iter()
        .map(|row| {
            Ok(FoundColumn {
                table: text(row, 0)?,
                column: text(row, 1)?,
                type_name: text(row, 2)?,
                type_shown: text(row, 3)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|e| classify(&e))
}

/// Without the policies a bound role would see no rows at all, or, not forced, an owner all of them.
async fn check_policies(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let unprotected: Vec<String> = query_scalar(
        "SELECT t.name FROM UNNEST($1::text[]) AS t (name) \
         JOIN pg_class c ON c.oid = to_regclass(t.name) \
         WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity) OR 2 > ( \
            SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid \
              AND p.polname IN ('carrier_sync_tenant', 'carrier_sync_service'))",
    )
    .bind(TABLES.iter().map(|table| table.name).collect::<Vec<_>>())
    .fetch_all(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    if unprotected.is_empty() {
        return warn_of_other_policies(transaction).await;
    }
    Err(not_migrated(&format!(
        "forced row-level security on {} is",
        unprotected.join(", ")
    )))
}

/// Permissive policies add up, so one that an adopted platform made for itself may show the service what
/// ours hide. It may be meant so; the operator should know.
async fn warn_of_other_policies(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let others: Vec<(String, String)> = query_as(
        "SELECT c.relname::text, p.polname::text FROM pg_policy p \
         JOIN pg_class c ON c.oid = p.polrelid \
         WHERE c.oid = ANY (SELECT to_regclass(t) FROM UNNEST($1::text[]) t) AND p.polpermissive \
           AND p.polname NOT IN ('carrier_sync_tenant', 'carrier_sync_service') \
           AND EXISTS (SELECT FROM unnest(p.polroles) r \
                       WHERE r = 0 OR pg_has_role(current_user, r, 'USAGE')) \
         ORDER BY 1, 2",
    )
    .bind(TABLES.iter().map(|table| table.name).collect::<Vec<_>>())
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    for (table, policy) in others {
        tracing::warn!(
            table,
            policy,
            "another permissive policy applies to this role; rows that it shows are not kept apart"
        );
    }
    Ok(())
}

/// Why row-level security would not bind a role: its attributes, or tables it owns or can become the
/// owner of. Both the log-in role and the current one count, as `RESET ROLE` leads back.
const PRIVILEGED: &str = "\
    SELECT r.rolname::text, CASE \
        WHEN r.rolsuper THEN 'is a superuser' \
        WHEN r.rolbypassrls THEN 'has BYPASSRLS' \
        WHEN o.rolname = r.rolname THEN 'owns table ' || c.relname \
        WHEN c.oid IS NOT NULL THEN \
            'is a member of ' || quote_ident(o.rolname) || ', the owner of table ' || c.relname \
        ELSE 'is a member of ' || quote_ident(m.rolname) || ', which row-level security does not bind' \
    END \
    FROM pg_roles r \
    LEFT JOIN pg_class c ON c.oid = ANY (SELECT to_regclass(t) FROM UNNEST($1::text[]) t) \
        AND pg_has_role(r.oid, c.relowner, 'MEMBER') \
    LEFT JOIN pg_roles o ON o.oid = c.relowner \
    LEFT JOIN pg_roles m ON (m.rolsuper OR m.rolbypassrls) AND pg_has_role(r.oid, m.oid, 'MEMBER') \
    WHERE r.rolname IN (current_user, session_user) \
      AND (r.rolsuper OR r.rolbypassrls OR c.oid IS NOT NULL OR m.oid IS NOT NULL) \
    LIMIT 1";

async fn check_role(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let privileged: Option<(String, String)> = query_as(PRIVILEGED)
        .bind(TABLES.iter().map(|table| table.name).collect::<Vec<_>>())
        .fetch_optional(transaction)
        .await
        .map_err(|e| classify(&e))?;
    match privileged {
        None => Ok(()),
        Some((role, why)) => Err(StoreError::Role(format!(
            "role {} {why}, so tenants would not be kept apart; let the service log in as a role \
             of its own: CREATE ROLE carrier_sync LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '...'; \
             then run `carrier-sync migrate --service-role carrier_sync` with the present URL (on a \
             laptop, database.allow_privileged_role = true lets it be)",
            quote(&role)
        ))),
    }
}

async fn check_privileges(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let mut lacking = Vec::new();
    for needed in &NEEDED {
        if needed.columns.is_empty() {
            let may: bool = query_scalar("SELECT has_table_privilege(to_regclass($1), $2)")
                .bind(needed.table)
                .bind(needed.privilege)
                .fetch_one(&mut *transaction)
                .await
                .map_err(|e| classify(&e))?;
            if !may {
                lacking.push(format!("{} on {}", needed.privilege, needed.table));
            }
            continue;
        }
        let columns: Vec<String> = query_scalar(
            "SELECT c FROM UNNEST($2::text[]) AS c \
             WHERE NOT has_column_privilege(to_regclass($1), c, $3)",
        )
        .bind(needed.table)
        .bind(needed.columns)
        .bind(needed.privilege)
        .fetch_all(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
        if !columns.is_empty() {
            let columns = columns.join(", ");
            lacking.push(format!(
                "{} ({columns}) on {}",
                needed.privilege, needed.table
            ));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let role: String = query_scalar("SELECT current_user::text")
        .fetch_one(transaction)
        .await
        .map_err(|e| classify(&e))?;
    Err(StoreError::Role(format!(
        "role {} lacks {}; run `carrier-sync migrate --service-role {role}` with an administrative \
         database URL",
        quote(&role),
        lacking.join("; ")
    )))
}

/// An identifier as SQL writes it.
pub(super) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
