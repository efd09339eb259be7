//! Notices on Postgres: LISTEN, on a connection of its own that is never the writer's, with backoff when it
//! cannot be had.
//!
//! `carrier_sync` is the channel; the table's trigger (`migrations/postgres/always/notices.sql`) and
//! [`ask_to_sync`] speak on it. A listener belongs to a session, so behind a pooler that lends sessions out
//! there is none.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Executor, PgConnection, query};
use tokio::time::{sleep, timeout};

use super::error::classify;
use super::{connection_of, is_pooled};
use crate::device::IntegrationId;
use crate::store::notices::{Notice, Notices};
use crate::store::{StoreError, StoreOptions};

const CHANNEL: &str = "carrier_sync";
/// How the server's administrator sees the connection.
const APPLICATION_NAME: &str = "carrier-sync notices";

/// A silent connection is asked after this long whether it still lives: a way that was cut says nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// First wait before another try to connect; doubles up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Listens, for as long as it lives.
#[derive(Debug)]
pub(in crate::store) struct PostgresNotices {
    connection: PgConnectOptions,
    /// How long to wait for a connection, and for the sign of life of one.
    patience: Duration,
    /// `None`: not connected.
    listener: Option<PgListener>,
    /// Tries in a row that failed.
    failures: u32,
}

impl PostgresNotices {
    /// Connects to nothing yet. `None` behind a pooler.
    pub(in crate::store) fn connect(options: &StoreOptions) -> Result<Option<Self>, StoreError> {
        let connection = connection_of(options)?.application_name(APPLICATION_NAME);
        Ok((!is_pooled(options.url.expose_secret())).then_some(Self {
            connection,
            patience: options.acquire_timeout,
            listener: None,
            failures: 0,
        }))
    }

    /// A pool of one for each listener: one that has fallen silent may keep its own for long.
    async fn listen(&self) -> Result<PgListener, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.patience)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(self.connection.clone());
        let begun = timeout(self.patience * 2, async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        });
        match begun.await {
            Ok(listener) => listener.map_err(|error: sqlx::Error| classify(&error)),
            Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
        }
    }

    /// Waits before the next try. That the database is away is told where it is missed; that only notices
    /// are is told here, once.
    async fn rest(&mut self, error: &StoreError) {
        if self.failures == 0 {
            tracing::warn!(%error, "no notices from the database: changes are noticed at the next look");
        }
        let wait = FIRST_RETRY.saturating_mul(2u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        sleep(wait.min(LONGEST_RETRY)).await;
    }
}

/// What came of waiting.
enum Waited {
    Notice(Notice),
    StillSilent,
    Lost,
}

#[async_trait]
impl Notices for PostgresNotices {
    async fn next(&mut self) -> Notice {
        loop {
            let Some(listener) = &mut self.listener else {
                match self.listen().await {
                    Ok(listener) => {
                        (self.listener, self.failures) = (Some(listener), 0);
                        // What happened in between has told nobody.
                        return Notice::Look;
                    }
                    Err(error) => self.rest(&error).await,
                }
                continue;
            };
            match wait(listener, self.patience).await {
                Waited::Notice(notice) => return notice,
                Waited::StillSilent => {}
                Waited::Lost => {
                    tracing::debug!("the connection for notices has ended");
                    self.listener = None;
                }
            }
        }
    }
}

/// Reading is what is given up when it takes too long, and what has arrived by then stays in the
/// connection's buffer.
async fn wait(listener: &mut PgListener, patience: Duration) -> Waited {
    match timeout(SILENCE, listener.try_recv()).await {
        Ok(Ok(Some(told))) => Waited::Notice(Notice::from_payload(told.payload())),
        Ok(Ok(None) | Err(_)) => Waited::Lost,
        Err(_) => match timeout(patience, listener.execute("SELECT 1")).await {
            Ok(Ok(_)) => Waited::StillSilent,
            _ => Waited::Lost,
        },
    }
}

/// Tells every listener that someone wants a sync.
pub(super) async fn ask_to_sync(
    connection: &mut PgConnection,
    id: &IntegrationId,
) -> Result<(), StoreError> {
    query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(Notice::sync_payload(id))
        .execute(connection)
        .await
        .map_err(|error| classify(&error))
        .map(drop)
}
