//! From a database URL to a store: which engine, and what a URL may say.
//!
//! A URL holds a password, so no error made here repeats any part of it but its scheme.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::leases::Leases;
use super::notices::Notices;
use super::postgres::{PostgresLeases, PostgresNotices, PostgresStore};
use super::sqlite::{self, SoleUse, SqliteStore};
use super::{Store, StoreError};
use crate::runs::Retention;

/// Where the database is and how long to wait for it. Every duration is above zero.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `postgres://…`, `postgresql://…`, `sqlite://PATH` or `sqlite::memory:`.
    pub url: SecretString,
    /// Most connections held at once, one of them for the leases; whoever listens to notices has one beside
    /// them. SQLite always uses one: it has one
    /// writer anyway.
    pub max_connections: u32,
    /// How long a call waits for a connection, connecting included.
    pub acquire_timeout: Duration,
    /// How long one statement may run (Postgres); a whole call may take four times as long.
    pub statement_timeout: Duration,
    /// How long to wait for a lock: of a row or table (Postgres), of the file (SQLite).
    pub lock_timeout: Duration,
    /// What is kept of the history of syncs.
    pub runs: Retention,
}

/// Makes the store without connecting: a database that cannot be reached is an answer
/// ([`StoreError::Unavailable`]) of each later call, not a failure to start.
///
/// # Errors
/// [`StoreError::Invalid`] when the URL is not one of a store.
pub fn connect(options: &StoreOptions) -> Result<Arc<dyn Store>, StoreError> {
    let url = options.url.expose_secret();
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStore::connect(options)?)),
        Some("sqlite") => Ok(Arc::new(SqliteStore::connect(options)?)),
        scheme => Err(StoreError::Invalid(format!(
            "{}: a database URL is postgres://USER:PASSWORD@HOST/DATABASE or sqlite://PATH",
            describe(scheme)
        ))),
    }
}

/// Connections of those who look, besides [`StoreOptions::max_connections`].
const READERS: u32 = 2;

/// The same database by other connections, for those who look: they hold none up that work. A database in memory
/// is its connection, so there it is `store` itself.
///
/// # Errors
/// [`StoreError::Invalid`] when the URL is not one of a store.
pub fn reader(
    options: &StoreOptions,
    store: &Arc<dyn Store>,
) -> Result<Arc<dyn Store>, StoreError> {
    if sqlite::is_in_memory(options.url.expose_secret()) {
        return Ok(Arc::clone(store));
    }
    connect(&StoreOptions {
        // Of the store's, one is the leases'.
        max_connections: READERS + 1,
        ..options.clone()
    })
}

/// How processes share this database; `None` where one process has it to itself (SQLite). Connects to
/// nothing yet. No call takes longer than `patience`.
///
/// # Errors
/// [`StoreError::Invalid`] when the URL is not one of a store.
pub fn leases(
    options: &StoreOptions,
    patience: Duration,
) -> Result<Option<Arc<dyn Leases>>, StoreError> {
    if options.url.expose_secret().starts_with("postgres") {
        return Ok(Some(Arc::new(PostgresLeases::connect(options, patience)?)));
    }
    Ok(None)
}

/// What the database tells by itself; `None` where it does not (SQLite: nobody else changes it while the
/// service runs but this machine's own commands; a pooler lends sessions out). Connects to nothing yet.
///
/// # Errors
/// [`StoreError::Invalid`] when the URL is not one of a store.
pub fn notices(options: &StoreOptions) -> Result<Option<Box<dyn Notices>>, StoreError> {
    if !options.url.expose_secret().starts_with("postgres") {
        return Ok(None);
    }
    let notices = PostgresNotices::connect(options)?;
    Ok(notices.map(|notices| Box::new(notices) as Box<dyn Notices>))
}

/// Keeps every other process from syncing with this database for as long as the value lives. `None`
/// where several may (Postgres), or nobody else can (a database in memory).
///
/// # Errors
/// [`StoreError::Invalid`] when another process has it, [`StoreError::Unavailable`] when the lock
/// cannot be made.
pub fn sole_use(options: &StoreOptions) -> Result<Option<SoleUse>, StoreError> {
    if options.url.expose_secret().starts_with("postgres") {
        return Ok(None);
    }
    SqliteStore::connect(options)?.sole_use()
}

/// A text without `://` may be a bare password: only what is shaped like a scheme is repeated.
fn describe(scheme: Option<&str>) -> String {
    let is_scheme = |s: &&str| s.len() <= 12 && s.bytes().all(|b| b.is_ascii_lowercase());
    match scheme.filter(is_scheme) {
        Some(scheme) => format!("no store for database scheme {scheme:?}"),
        None => "database URL without a scheme".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn error_of(url: &str) -> String {
        let options = StoreOptions {
            url: url.into(),
            max_connections: 1,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(1),
            lock_timeout: Duration::from_secs(1),
            runs: Retention::ALL,
        };
        connect(&options).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_refused_url_says_what_is_allowed_and_keeps_its_password() {
        for url in [
            "mysql://fleet:canary@db/fleet",
            "canary",
            "Canary:canary",
            "postgres://fleet:can?ary=canary@db/fleet",
            "postgres://fleet:12?canary=canary@db/fleet",
            "postgres://fleet:canary@db/fleet?sslmode=canary",
            "sqlite://fleet.db?mode=canary",
            "sqlite://",
        ] {
            let text = error_of(url);
            assert!(!text.to_lowercase().contains("canary"), "{text}");
            assert!(
                text.contains("sqlite://") || text.contains("postgres://"),
                "{text}"
            );
        }
        assert!(error_of("mysql://a@b/c").contains("mysql"));
    }
}
