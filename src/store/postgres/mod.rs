//! Postgres: the engine for fleets, where row-level security confines every transaction.
//!
//! This file holds the pool and the time limits, and hands each call to its module with one
//! connection. Timeouts and tenant are set inside each transaction (`scope`), never on the session:
//! a pooled connection carries nothing from one call into the next, behind PgBouncer too.

mod admin;
mod calls;
mod check;
mod dialect;
mod error;
mod freshness;
mod leases;
mod link;
mod migrate;
mod notices;
mod read;
mod record;
mod runs;
mod scope;
mod secrets;
mod write;

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool, Postgres};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

pub(super) use self::leases::PostgresLeases;
pub(super) use self::notices::PostgresNotices;

use self::error::{classify, for_administrator, for_service};
use self::scope::Limits;
use super::{
    DeviceFilter, DeviceLink, DeviceRow, IntegrationChange, IntegrationFreshness, LeaseLost,
    LinkReceipt, NewIntegration, NotRecorded, SecretReplacement, Store, StoreError, StoreOptions,
    UnreadableRow,
};
use crate::budget::{CallCount, CountState};
use crate::device::{
    IntegrationId, LinkedDevices, StoredCycles, TenantId, UpdateBatch, WriteReceipt,
};
use crate::integration::IntegrationRow;
use crate::runs::{Retention, RunFilter, RunRow, SyncRecord};

/// A call holds several statements; beyond this many statement timeouts the server, or the way to
/// it, is gone without a word. TCP alone would take a quarter of an hour to notice.
const STATEMENTS_PER_CALL: u32 = 4;

/// What a URL may set besides host, user, password and database. Others are refused rather than
/// ignored: sqlx would log them, and a `?` inside a password makes its rest look like one.
const URL_PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// A pool of connections to one Postgres database.
#[derive(Debug)]
pub(super) struct PostgresStore {
    pool: PgPool,
    limits: Limits,
    /// A pooler stands between.
    is_pooled: bool,
    /// What is kept of the history.
    runs: Retention,
    /// Longest that one call may hold a connection.
    call_timeout: Duration,
}

impl PostgresStore {
    /// Makes the pool; connects to nothing yet.
    pub(super) fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        let connection = connection_of(options)?;
        let pool = PgPoolOptions::new()
            // One is the leases', which must not wait behind the syncs.
            .max_connections(options.max_connections.saturating_sub(1).max(1))
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connection);
        let is_pooled = is_pooled(options.url.expose_secret());
        Ok(Self {
            pool,
            limits: Limits::new(options.statement_timeout, options.lock_timeout, is_pooled),
            is_pooled,
            runs: options.runs,
            call_timeout: options
                .statement_timeout
                .saturating_mul(STATEMENTS_PER_CALL),
        })
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        match self.pool.acquire().await {
            Err(sqlx::Error::PoolTimedOut) => Err(self.why_timed_out().await),
            other => other.map_err(|error| classify(&error)),
        }
    }

    /// The pool retries a refused connection in silence until time is up; ask once more for the
    /// reason, unless connections exist and are merely all in use.
    async fn why_timed_out(&self) -> StoreError {
        let busy = "every connection is in use and none became free in time";
        if self.pool.size() > 0 {
            return StoreError::Unavailable(busy.into());
        }
        let attempt = self.pool.connect_options().as_ref().clone();
        match timeout(Duration::from_secs(1), attempt.connect()).await {
            Ok(Err(error)) => classify(&error),
            Ok(Ok(connection)) => {
                drop(connection.close().await);
                StoreError::Unavailable(busy.into())
            }
            Err(_) => StoreError::Unavailable("the server does not answer".into()),
        }
    }
}

/// A connection that did not answer in time is thrown away: waiting to return it would hang as well.
fn settle<T>(
    mut connection: PoolConnection<Postgres>,
    done: Result<Result<T, StoreError>, Elapsed>,
) -> Result<T, StoreError> {
    done.unwrap_or_else(|_| {
        connection.close_on_drop();
        Err(StoreError::Unavailable(
            "no answer within the time limit".into(),
        ))
    })
}

fn connection_of(options: &StoreOptions) -> Result<PgConnectOptions, StoreError> {
    connect_options(options.url.expose_secret()).ok_or_else(|| {
        StoreError::Invalid(format!(
            "the database URL cannot be read; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE \
             with special characters percent-encoded, and may set {}",
            URL_PARAMETERS.join(", ")
        ))
    })
}

/// Whether the operator has said that a pooler stands between: by keeping no prepared statements.
fn is_pooled(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| {
        url.query_pairs()
            .any(|(key, value)| key == "statement-cache-capacity" && value == "0")
    })
}

/// `None` when the URL is malformed or sets what we do not know; nothing of it may be shown.
fn connect_options(url: &str) -> Option<PgConnectOptions> {
    let parsed = url::Url::parse(url).ok()?;
    let known = |(key, _): (std::borrow::Cow<'_, str>, _)| {
        URL_PARAMETERS.contains(&&*key) || key.starts_with("options[")
    };
    if !parsed.query_pairs().all(known) {
        return None;
    }
    let options = PgConnectOptions::from_str(url).ok()?;
    Some(
        options
            .application_name("carrier-sync")
            .disable_statement_logging(),
    )
}

#[async_trait]
impl Store for PostgresStore {
    fn engine(&self) -> &'static str {
        "postgres"
    }

    async fn check(&self, allow_privileged_role: bool) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        let work = check::check(&mut connection, &self.limits, allow_privileged_role);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done)
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        let (rows, unreadable) = self.all_integrations().await?;
        UnreadableRow::tell_all(&unreadable);
        Ok(rows)
    }

    async fn all_integrations(
        &self,
    ) -> Result<(Vec<IntegrationRow>, Vec<UnreadableRow>), StoreError> {
        let mut connection = self.acquire().await?;
        let work = read::integrations(&mut connection, &self.limits);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn linked_devices(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<LinkedDevices, StoreError> {
        let mut connection = self.acquire().await?;
        let work = read::linked_devices(&mut connection, &self.limits, tenant, integration);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn stored_cycles(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<StoredCycles, StoreError> {
        let mut connection = self.acquire().await?;
        let work = read::stored_cycles(&mut connection, &self.limits, tenant, integration);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn write(
        &self,
        batches: &[UpdateBatch],
    ) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
        let mut connection = self.acquire().await?;
        let work = write::write(&mut connection, &self.limits, batches);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn record(
        &self,
        records: &[SyncRecord],
    ) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
        let mut connection = self.acquire().await?;
        let work = record::record(&mut connection, &self.limits, records, self.runs);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        let mut connection = self.acquire().await?;
        let work = runs::list(&mut connection, &self.limits, filter);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn count_calls(
        &self,
        counts: &[CallCount],
    ) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
        let mut connection = self.acquire().await?;
        let work = calls::count(&mut connection, &self.limits, counts);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        let work = admin::set_sync_enabled(&mut connection, &self.limits, id, sync_enabled);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    /// Behind a pooler nobody listens.
    async fn ask_to_sync(&self, id: &IntegrationId) -> Result<bool, StoreError> {
        if self.is_pooled {
            return Ok(false);
        }
        let mut connection = self.acquire().await?;
        let work = notices::ask_to_sync(&mut connection, id);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service).map(|()| true)
    }

    /// Not limited in time: an index over a large adopted table takes what it takes.
    async fn migrate(&self, service_role: Option<&str>) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        migrate::migrate(&mut connection, &self.limits, service_role)
            .await
            .map_err(for_administrator)
    }

    async fn add_integration(&self, new: &NewIntegration) -> Result<IntegrationId, StoreError> {
        let mut connection = self.acquire().await?;
        let work = admin::add_integration(&mut connection, &self.limits, new);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_administrator)
    }

    async fn set_integration(
        &self,
        id: &IntegrationId,
        change: &IntegrationChange,
    ) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        let work = admin::set_integration(&mut connection, &self.limits, id, change);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_administrator)
    }

    async fn replace_secret(&self, change: &SecretReplacement) -> Result<bool, StoreError> {
        let mut connection = self.acquire().await?;
        let work = secrets::replace(&mut connection, &self.limits, change);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_administrator)
    }

    /// Old row versions, the WAL and backups are the administrator's.
    async fn erase_traces(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn remove_integration(&self, id: &IntegrationId) -> Result<u64, StoreError> {
        let mut connection = self.acquire().await?;
        let work = admin::remove_integration(&mut connection, &self.limits, id);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_administrator)
    }

    async fn link_devices(
        &self,
        integration: &IntegrationId,
        links: &[DeviceLink],
    ) -> Result<LinkReceipt, StoreError> {
        let mut connection = self.acquire().await?;
        let work = link::link_devices(&mut connection, &self.limits, integration, links);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_administrator)
    }

    async fn freshness(
        &self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<IntegrationFreshness>, StoreError> {
        let mut connection = self.acquire().await?;
        let work = freshness::count(&mut connection, &self.limits, now);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<DeviceRow>, StoreError> {
        let mut connection = self.acquire().await?;
        let work = read::devices(&mut connection, &self.limits, filter);
        let done = timeout(self.call_timeout, work).await;
        settle(connection, done).map_err(for_service)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
