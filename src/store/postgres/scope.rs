//! Whose rows a transaction may touch: both settings that the row-level security policies read.
//!
//! The settings end with the transaction (`set_config(…, true)`), so a pooled connection never takes
//! a tenant along. Outside a transaction they would last for one statement: nothing here works there.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres, Transaction, query, raw_sql};

use super::error::classify;
use crate::device::TenantId;
use crate::store::StoreError;

/// A transaction of ours computes nothing between its statements. One that is idle for longer belongs to
/// a process that is frozen or cut off, and holds rows that another may have to take over.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// Limits of a transaction; times as `set_config` takes them: milliseconds.
#[derive(Debug)]
pub(super) struct Limits {
    statement_timeout: String,
    lock_timeout: String,
    idle_timeout: String,
    /// The server's connection is shared with other clients, by a pooler: the names of prepared
    /// statements are theirs too.
    is_pooled: bool,
}

impl Limits {
    pub(super) fn new(statement: Duration, lock: Duration, is_pooled: bool) -> Self {
        // Zero would switch a limit off; the server counts in a signed 32-bit number.
        let milliseconds =
            |limit: Duration| limit.as_millis().clamp(1, i32::MAX as u128).to_string();
        Self {
            statement_timeout: milliseconds(statement),
            lock_timeout: milliseconds(lock),
            idle_timeout: milliseconds(lock.clamp(SHORTEST_IDLE, LONGEST_IDLE)),
            is_pooled,
        }
    }

    pub(super) fn lock_timeout(&self) -> &str {
        &self.lock_timeout
    }
}

/// Whose rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// This tenant's and no other's.
    Tenant(&'a TenantId),
    /// Every tenant's: to discover integrations, or to find the tenant of one.
    AllTenants,
}

const CONFINE: &str = "\
    SELECT set_config('app.tenant_id', $1, true), set_config('app.role', 'iot_service', true), \
           set_config('statement_timeout', $2, true), set_config('lock_timeout', $3, true), \
           set_config('idle_in_transaction_session_timeout', $4, true)";
/// sqlx names every statement, also one that it does not keep, and another client of the same server
/// connection has counted from one as well.
const FORGET_STATEMENTS: &str = "DEALLOCATE ALL";

/// Only for this transaction, and in one trip with its begin.
const BEGIN_WRITING: &str = "BEGIN; \
    SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; \
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
    SET LOCAL enable_material = off; SET LOCAL jit = off";
const CONFINE_NEXT: &str = "SELECT set_config('app.tenant_id', $1, true)";

/// Confines the current transaction, from here to its end or the next `enter`.
pub(super) async fn enter(
    transaction: &mut PgConnection,
    limits: &Limits,
    scope: Scope<'_>,
) -> Result<(), StoreError> {
    let tenant = match scope {
        Scope::Tenant(tenant) => tenant.as_str(),
        Scope::AllTenants => "",
    };
    if limits.is_pooled {
        raw_sql(FORGET_STATEMENTS)
            .execute(&mut *transaction)
            .await
            .map_err(|error| classify(&error))?;
    }
    query(CONFINE)
        .bind(tenant)
        .bind(&limits.statement_timeout)
        .bind(&limits.lock_timeout)
        .bind(&limits.idle_timeout)
        .execute(transaction)
        .await
        .map_err(|error| classify(&error))?;
    Ok(())
}

/// Begins a transaction that writes for one tenant after the other: the first entered ([`enter`]), the
/// others after a [`confine`].
///
/// Plans are made once per connection, without looking at the arrays. Planning ten rows anew costs
/// twice what writing them does; and with thousands in sight the planner hashes all of the tenant's
/// rows for every batch, where each row's own key is quicker (and keeps the order of the locks). Such a
/// plan must suit every tenant, not the average one, so it may do nothing else than look up keys.
pub(super) async fn begin_writing(
    connection: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, StoreError> {
    let begun = connection.begin_with(BEGIN_WRITING).await;
    begun.map_err(|error| classify(&error))
}

/// Confines a transaction that has been entered to another tenant, until the next call.
///
/// A statement of its own, always: the policies read the setting once per statement, and nothing
/// says that they would read it after the same statement has made it.
pub(super) async fn confine(
    transaction: &mut PgConnection,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    query(CONFINE_NEXT)
        .bind(tenant.as_str())
        .execute(transaction)
        .await
        .map_err(|error| classify(&error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BEGIN_WRITING, CONFINE, CONFINE_NEXT};

    /// Nothing that a caller can see tells a session's setting from a transaction's: the next call sets
    /// its own. It would still be there for whoever shares the connection behind a pooler.
    #[test]
    fn every_setting_ends_with_its_transaction() {
        assert_eq!(CONFINE.matches("set_config(").count(), 5);
        assert_eq!(CONFINE.matches(", true)").count(), 5);
        assert!(CONFINE_NEXT.ends_with(", true)"));
        assert!(BEGIN_WRITING.starts_with("BEGIN; SET LOCAL "));
        let settings = BEGIN_WRITING.matches("SET ").count();
        assert_eq!(BEGIN_WRITING.matches("SET LOCAL ").count(), settings);
    }
}
