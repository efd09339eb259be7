//! SQLite: the embedded engine, for laptops, demos and small fleets. Same promises, one process.
//!
//! One connection does everything: SQLite has one writer anyway, and with a single connection nothing
//! here can wait for itself. Commits are synced to disk (`synchronous = FULL`), because a receipt says
//! that the rows are there, after `kill -9` and after a power cut.

mod admin;
mod calls;
mod error;
mod file;
mod freshness;
mod migrate;
mod read;
mod runs;
mod secrets;
mod sole_use;
mod time;
mod write;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqlitePool};

pub use self::sole_use::SoleUse;

use self::error::{classify, is_busy};
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

/// One SQLite database.
#[derive(Debug)]
pub(super) struct SqliteStore {
    pool: SqlitePool,
    /// Where the file is to be made when it is missing; `None` for a database in memory, or one
    /// that the URL opens for reading only.
    file: Option<PathBuf>,
    /// How long to wait for another that opens the file.
    lock_timeout: Duration,
    /// What is kept of the history.
    runs: Retention,
}

/// Between two tries to open a file that another is opening.
const BUSY_REST: Duration = Duration::from_millis(20);

/// Whether the database lasts only as long as its connection.
pub(super) fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

impl SqliteStore {
    /// Makes the pool; touches no file yet.
    pub(super) fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        let url = options.url.expose_secret();
        let connection = connect_options(url).ok_or_else(|| {
            StoreError::Invalid(
                "the database URL cannot be read; it is sqlite://PATH, sqlite:///ABSOLUTE/PATH or \
                 sqlite::memory:, with ? and # percent-encoded"
                    .into(),
            )
        })?;
        let makes_file = !is_in_memory(url) && !url.contains("mode=ro");
        let file = makes_file.then(|| connection.get_filename().to_path_buf());
        let connection = connection
            .busy_timeout(options.lock_timeout)
            .create_if_missing(makes_file);
        let connection = if makes_file {
            connection
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                // A replaced key must not lie in a page that is written anyway.
                .pragma("secure_delete", "FAST")
        } else {
            connection
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            // A database in memory lasts as long as its connection.
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connection);
        Ok(Self {
            pool,
            file,
            lock_timeout: options.lock_timeout,
            runs: options.runs,
        })
    }

    /// See [`crate::store::sole_use`].
    pub(super) fn sole_use(&self) -> Result<Option<SoleUse>, StoreError> {
        self.file.as_deref().map(SoleUse::of).transpose()
    }

    async fn acquire(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        if let Some(file) = &self.file {
            file::make_if_missing(file)?;
        }
        let started = Instant::now();
        loop {
            match self.pool.acquire().await {
                // Of two that open a new file, one makes its journal; SQLite lets the other wait for nothing.
                Err(error) if is_busy(&error) && started.elapsed() < self.lock_timeout => {
                    tokio::time::sleep(BUSY_REST).await;
                }
                acquired => return acquired.map_err(|error| classify(&error)),
            }
        }
    }
}

fn connect_options(url: &str) -> Option<SqliteConnectOptions> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if path.is_empty() {
        return None;
    }
    Some(
        SqliteConnectOptions::from_str(url)
            .ok()?
            .disable_statement_logging(),
    )
}

#[async_trait]
impl Store for SqliteStore {
    fn engine(&self) -> &'static str {
        "sqlite"
    }

    /// There are no roles: whoever can open the file can do everything.
    async fn check(&self, _allow_privileged_role: bool) -> Result<(), StoreError> {
        migrate::check(&mut *self.acquire().await?).await
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        let (rows, unreadable) = self.all_integrations().await?;
        UnreadableRow::tell_all(&unreadable);
        Ok(rows)
    }

    async fn all_integrations(
        &self,
    ) -> Result<(Vec<IntegrationRow>, Vec<UnreadableRow>), StoreError> {
        read::integrations(&mut *self.acquire().await?).await
    }

    async fn linked_devices(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<LinkedDevices, StoreError> {
        read::linked_devices(&mut *self.acquire().await?, tenant, integration).await
    }

    async fn stored_cycles(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<StoredCycles, StoreError> {
        read::stored_cycles(&mut *self.acquire().await?, tenant, integration).await
    }

    async fn write(
        &self,
        batches: &[UpdateBatch],
    ) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
        write::write(&mut *self.acquire().await?, batches).await
    }

    async fn record(
        &self,
        records: &[SyncRecord],
    ) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
        write::record(&mut *self.acquire().await?, records, self.runs).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        runs::list(&mut *self.acquire().await?, filter).await
    }

    async fn count_calls(
        &self,
        counts: &[CallCount],
    ) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
        calls::count(&mut *self.acquire().await?, counts).await
    }

    async fn migrate(&self, service_role: Option<&str>) -> Result<(), StoreError> {
        if service_role.is_some() {
            return Err(StoreError::Invalid(
                "SQLite has no roles; leave out --service-role".into(),
            ));
        }
        migrate::migrate(&mut *self.acquire().await?).await
    }

    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), StoreError> {
        let change = IntegrationChange {
            sync_enabled: Some(sync_enabled),
            ..IntegrationChange::default()
        };
        self.set_integration(id, &change).await
    }

    async fn add_integration(&self, new: &NewIntegration) -> Result<IntegrationId, StoreError> {
        admin::add_integration(&mut *self.acquire().await?, new).await
    }

    async fn set_integration(
        &self,
        id: &IntegrationId,
        change: &IntegrationChange,
    ) -> Result<(), StoreError> {
        admin::set_integration(&mut *self.acquire().await?, id, change).await
    }

    async fn replace_secret(&self, change: &SecretReplacement) -> Result<bool, StoreError> {
        secrets::replace(&mut *self.acquire().await?, change).await
    }

    async fn erase_traces(&self) -> Result<bool, StoreError> {
        secrets::erase_traces(&mut *self.acquire().await?).await?;
        Ok(true)
    }

    async fn remove_integration(&self, id: &IntegrationId) -> Result<u64, StoreError> {
        admin::remove_integration(&mut *self.acquire().await?, id).await
    }

    async fn link_devices(
        &self,
        integration: &IntegrationId,
        links: &[DeviceLink],
    ) -> Result<LinkReceipt, StoreError> {
        admin::link_devices(&mut *self.acquire().await?, integration, links).await
    }

    async fn freshness(
        &self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<IntegrationFreshness>, StoreError> {
        freshness::count(&mut *self.acquire().await?, now).await
    }

    async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<DeviceRow>, StoreError> {
        read::devices(&mut *self.acquire().await?, filter).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
