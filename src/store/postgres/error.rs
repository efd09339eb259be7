//! From SQLSTATE to what the caller does next.
//!
//! Only a database error's primary message is repeated: its detail holds whole rows.
//! Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use sqlx::error::DatabaseError;

use crate::store::StoreError;
use crate::store::schema::not_migrated;

pub(super) fn classify(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => from_sqlstate(&**error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(error.to_string()),
        other => StoreError::Rejected(other.to_string()),
    }
}

fn from_sqlstate(error: &dyn DatabaseError) -> StoreError {
    let message = error.message();
    let code = error.code().unwrap_or_default();
    match &*code {
        "42P01" | "42703" => not_migrated(&format!("{message}; a table or column is")),
        "42501" => StoreError::Role(message.to_owned()),
        // Refused log-in, unknown database: the operator may yet put it right.
        "3D000" | "28000" | "28P01" => StoreError::Unavailable(message.to_owned()),
        // Serialisation, deadlock, lock not available, cancelled, read-only standby, a transaction that
        // lay idle for too long (a process that was frozen in the middle of it).
        "40001" | "40P01" | "55P03" | "57014" | "25006" | "25P03" => {
            StoreError::Unavailable(message.to_owned())
        }
        // Connection, resources, operator intervention, disk or system trouble.
        code if ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            StoreError::Unavailable(message.to_owned())
        }
        code => StoreError::Rejected(format!("{message} ({code})")),
    }
}

/// Why a row's own value was refused: a broken constraint, a value that does not fit, or a trigger
/// of an adopted platform that raised. `None`: not the fault of a row.
pub(super) fn row_fault(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let code = error.code()?;
    let is_fault = code.starts_with("22") || code.starts_with("23") || code == "P0001";
    is_fault.then(|| error.message().to_owned())
}

/// As [`classify`], for administration: what the operator asked for breaks a constraint.
pub(super) fn classify_request(error: &sqlx::Error) -> StoreError {
    row_fault(error).map_or_else(|| classify(error), StoreError::Invalid)
}

/// What to do about missing rights when the service meets them.
pub(super) fn for_service(error: StoreError) -> StoreError {
    match error {
        StoreError::Role(message) => StoreError::Role(format!(
            "{message}; grant the service its rights with `carrier-sync migrate --service-role \
             NAME` and an administrative database URL"
        )),
        other => other,
    }
}

/// What to do about missing rights when an operator's command meets them.
pub(super) fn for_administrator(error: StoreError) -> StoreError {
    match error {
        StoreError::Role(message) => StoreError::Role(format!(
            "{message}; use an administrative database URL: a role that owns the tables"
        )),
        other => other,
    }
}
