//! From SQLite's result codes to what the caller does next.
//!
//! Codes: <https://www.sqlite.org/rescode.html>

use sqlx::error::DatabaseError;

use crate::store::StoreError;
use crate::store::schema::not_migrated;

const ERROR: i32 = 1;
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const AUTH: i32 = 23;

pub(super) fn classify(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => from_code(&**error),
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(error.to_string()),
        other => StoreError::Rejected(other.to_string()),
    }
}

fn from_code(error: &dyn DatabaseError) -> StoreError {
    let message = error.message().to_owned();
    match primary_code(error) {
        BUSY | LOCKED | NOMEM | IOERR | FULL | CANTOPEN | PROTOCOL => {
            StoreError::Unavailable(message)
        }
        PERM | READONLY | AUTH => StoreError::Role(format!(
            "{message}; make the database file and its directory writable for this user"
        )),
        ERROR if message.contains("no such table") || message.contains("no such column") => {
            not_migrated(&format!("{message}; a table or column is"))
        }
        code => StoreError::Rejected(format!("{message} ({code})")),
    }
}

/// The low byte; the rest refines it.
fn primary_code(error: &dyn DatabaseError) -> i32 {
    error
        .code()
        .and_then(|code| code.parse::<i32>().ok())
        .map_or(ERROR, |code| code & 0xff)
}

/// Whether another connection stood in the way.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| primary_code(error) == BUSY)
}

/// Why a row's own value was refused. `None`: not the fault of a row.
pub(super) fn row_fault(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    matches!(primary_code(error), CONSTRAINT | MISMATCH | TOOBIG)
        .then(|| error.message().to_owned())
}

/// As [`classify`], for administration: what the operator asked for breaks a constraint.
pub(super) fn classify_request(error: &sqlx::Error) -> StoreError {
    row_fault(error).map_or_else(|| classify(error), StoreError::Invalid)
}
