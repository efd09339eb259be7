//! Wiring: from a configuration to a running service or a single round of syncs.
//!
//! ```text
//! Config ─► Store ──────────────┐
//!        ─► Transport, Limits ──┼─► JobBuilder ─► Supervisor ─► actors   (`serve`)
//!        ─► Board, Clock, slots ┘             └─► attempts at once       (`sync_once`)
//! ```

mod following;
mod round;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::actors::keeper::Terms;
use crate::actors::messages::Drain;
use crate::actors::notices;
use crate::actors::slots::SyncSlots;
use crate::actors::spawn::spawn_watched;
use crate::actors::supervisor::SupervisorParts;
pub use crate::actors::system::in_system;
use crate::actors::writer::WriterPolicy;
use crate::actors::{DbWriterActor, LeaseKeeper, ServiceControl, Supervisor, WriterHandle};
use crate::budget::CallBudget;
use crate::client::{
    CarrierLimits, Limits, RateLimit, SetUpError, Tier, Tokens, Transport, TransportConfig,
};
use crate::clock::Clock;
use crate::config::{CarrierConfig, Config};
use crate::device::IntegrationId;
use crate::manifests::Manifests;
use crate::secrets::{KeyFileError, Opener};
use crate::shutdown::{Drained, Stop, drain_within};
use crate::status::server::{Readiness, ServerParts};
use crate::status::{Board, Fleet, StatusServer};
use crate::store::leases::Leases;
use crate::store::queue::BatchPolicy;
use crate::store::retry::RetryPolicy;
use crate::store::{
    SoleUse, Store, StoreError, StoreOptions, connect, connect_leases, reader, sole_use,
};
use crate::sync::{CarrierSettings, JobBuilder, SyncPolicy};

/// Messages an actor may have waiting; back-pressure comes from replies, not from this.
const MAILBOX: usize = 64;
/// Waits between tries of a transaction while the database is away.
const WRITE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Why the service cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database cannot be used as it is.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Transport(#[from] SetUpError),
    /// The key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The status cannot be served where it should be.
    #[error("cannot serve the status at {address} (status.listen)")]
    Status {
        /// Where.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no such integration.
    #[error("no integration has the id {0}")]
    UnknownIntegration(IntegrationId),
    /// It is switched off.
    #[error("integration {0} is not enabled")]
    NotEnabled(IntegrationId),
}

/// How the service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Asked to, and everything was finished.
    Clean,
    /// Asked to, but not everything was finished in time.
    Unfinished(Drained),
    /// It could not go on.
    Escalated(String),
}

/// Everything that is made once per process.
#[derive(Debug)]
pub struct App {
    /// The fleet's database.
    pub store: Arc<dyn Store>,
    /// Makes jobs of rows.
    pub builder: Arc<JobBuilder>,
    /// What everyone is doing.
    pub board: Arc<Board>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How processes share the database; `None`: one has it to itself.
    leases: Option<Arc<dyn Leases>>,
    /// The same database for those who look, by connections of their own.
    reader: Arc<dyn Store>,
    /// What operators may ask of the service.
    control: Arc<ServiceControl>,
    /// Who may sync at once.
    slots: Arc<SyncSlots>,
    /// As it is now; whoever must hear of a change follows it.
    config: watch::Sender<Arc<Config>>,
}

impl App {
    /// Sets everything up; connects to nothing yet.
    ///
    /// # Errors
    /// [`AppError`] when the database URL, the key file or the TLS set-up is unusable.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let transport = Transport::new(TransportConfig {
            connect_timeout: config.http.connect_timeout,
            max_body_bytes: config.http.max_body_bytes,
            allow_private_hosts: config.http.allow_private_hosts,
            throttle_pause: config.http.throttle_pause,
            max_retry_after: config.http.max_retry_after,
        })?;
        let carriers = all_carrier_settings(&config);
        let board = Arc::new(Board::new(config.health.max_integrations));
        let builder = JobBuilder {
            transport,
            limits: Limits::default(),
            tokens: Tokens::default(),
            clock: Arc::clone(&clock),
            carriers: carriers.into(),
            opener: Opener::new(config.secrets.keys.clone())?,
            allowed_hosts: config.http.allowed_hosts.clone(),
            manifests: Manifests::of(config.custom.manifests.clone()),
            traffic: Arc::<Board>::clone(&board),
        };
        let options = store_options(&config);
        let store = connect(&options)?;
        Ok(Self {
            reader: reader(&options, &store)?,
            control: Arc::new(ServiceControl::new(Arc::clone(&store))),
            store,
            leases: connect_leases(&options, config.leases.heartbeat)?,
            builder: Arc::new(builder),
            board,
            clock,
            slots: SyncSlots::new(config.supervisor.max_concurrent_syncs),
            config: watch::Sender::new(Arc::new(config)),
        })
    }

    /// The right to be the only one that syncs with this database, where only one may. Taken by whoever
    /// is about to sync, for as long as it does.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] naming who has it.
    pub fn sole_use(&self) -> Result<Option<SoleUse>, StoreError> {
        sole_use(&store_options(&self.config()))
    }

    /// Whether the schema is created or upgraded on start.
    #[must_use]
    pub fn migrates_on_start(&self) -> bool {
        let database = &self.config().database;
        database.migrate_on_start.applies_to(database.url.engine())
    }

    /// Creates the schema where configured, and sees that schema and role are right.
    ///
    /// # Errors
    /// [`StoreError`] naming what is wrong and what to run.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        if self.migrates_on_start() {
            self.store.migrate(None).await?;
        }
        self.store
            .check(self.config().database.allow_privileged_role)
            .await
    }

    /// Serves the status of this app where configured, until it is dropped. `stop` makes it unready.
    ///
    /// # Errors
    /// [`AppError::Status`] naming the address.
    pub fn serve_status(&self, stop: &Stop) -> Result<Option<StatusServer>, AppError> {
        let config = self.config();
        let status = &config.status;
        let parts = ServerParts {
            readiness: Readiness::new(
                (
                    Arc::clone(&self.store),
                    config.database.allow_privileged_role,
                ),
                Arc::clone(&self.board),
                stop.asked.clone(),
                tokio::runtime::Handle::current(),
            ),
            fleet: Fleet::new(
                Arc::clone(&self.reader),
                Arc::clone(&self.board),
                Arc::clone(&self.clock),
                tokio::runtime::Handle::current(),
            ),
            control: Arc::<ServiceControl>::clone(&self.control),
            max_integrations: status.max_integrations,
            token: status.token.clone(),
        };
        let started = StatusServer::start(&status.listen, parts);
        let server = started.map_err(|source| AppError::Status {
            address: status.listen.to_string(),
            source,
        })?;
        if let Some(server) = &server {
            tracing::info!(address = %server.address(), "the status is served");
        }
        Ok(server)
    }

    /// Runs the service until it is told to stop. Needs an actix system.
    pub async fn serve(&self, stop: &Stop) -> Ending {
        let (escalate, mut escalated) = mpsc::unbounded_channel();
        let (exited, exit) = oneshot::channel();
        // Before the supervisor is made of what there is: a change that comes now must not be lost.
        let changes = self.config.subscribe();
        let supervisor = Supervisor::new(self.supervisor_parts(escalate));
        let (supervisor, _) = spawn_watched(supervisor, MAILBOX, |reason| {
            let _ = exited.send(reason);
        });
        self.control.serve(supervisor.clone());
        let _beat = AbortOnDropHandle::new(tokio::spawn(self.log_health_on_a_beat()));
        let told = supervisor.clone();
        let follow = following::tell_of_changes(changes, move |settings| told.do_send(settings));
        let _follow = AbortOnDropHandle::new(tokio::spawn(follow));
        let _notices = self.notices().map(|notices| {
            AbortOnDropHandle::new(tokio::spawn(notices::forward(notices, supervisor.clone())))
        });
        let reason = tokio::select! {
            () = stop.asked.cancelled() => None,
            Some(reason) = escalated.recv() => Some(reason),
            reason = exit => Some(reason.map_or_else(|_| "lost".to_owned(), |r| r.to_string())),
        };
        if let Some(reason) = &reason {
            tracing::error!(reason, "the service cannot go on: draining");
        }
        let drained = drain_within(self.config().shutdown.drain_timeout, stop, async {
            let _ = supervisor.send(Drain).await;
            if let Some(leases) = &self.leases {
                leases.close().await;
            }
            self.reader.close().await;
            self.store.close().await;
        })
        .await;
        self.board.log_health(self.clock.now());
        match (reason, drained) {
            (Some(reason), _) => Ending::Escalated(reason),
            (None, Drained::Whole) => Ending::Clean,
            (None, drained) => Ending::Unfinished(drained),
        }
    }

    /// This process's place among several, where there can be several.
    fn keeper(&self, shares: bool) -> Option<Arc<LeaseKeeper>> {
        let leases = self.leases.clone()?;
        let config = self.config();
        let terms = Terms {
            duration: config.leases.duration,
            heartbeat: config.leases.heartbeat,
            shares,
        };
        Some(Arc::new(LeaseKeeper::new(leases, terms)))
    }

    fn spawn_writer(&self) -> WriterHandle {
        let actor = DbWriterActor::new(
            Arc::clone(&self.store),
            writer_policy(&self.config()),
            Arc::clone(&self.board),
            Arc::clone(&self.clock),
        );
        let (address, _) = spawn_watched(actor, MAILBOX, |reason| {
            tracing::debug!(%reason, "the writer has ended");
        });
        WriterHandle::new(address, self.config().writer.queue_rows)
    }

    fn supervisor_parts(&self, escalate: mpsc::UnboundedSender<String>) -> SupervisorParts {
        let config = self.config();
        SupervisorParts {
            store: Arc::clone(&self.store),
            builder: Arc::clone(&self.builder),
            board: Arc::clone(&self.board),
            clock: Arc::clone(&self.clock),
            writer: writer_policy(&config),
            queue_rows: config.writer.queue_rows,
            slots: Arc::clone(&self.slots),
            discover_interval: config.supervisor.discover_interval,
            start_spread: config.supervisor.start_spread,
            parked_retry: config.supervisor.parked_retry,
            migrate: self.migrates_on_start(),
            allow_privileged_role: config.database.allow_privileged_role,
            keeper: self.keeper(true),
            escalate,
        }
    }
}

/// How to reach the configured database.
#[must_use]
pub fn store_options(config: &Config) -> StoreOptions {
    let database = &config.database;
    StoreOptions {
        url: database.url.secret().clone(),
        max_connections: database.max_connections,
        acquire_timeout: database.acquire_timeout,
        statement_timeout: database.statement_timeout,
        lock_timeout: database.lock_timeout,
        runs: config.runs,
    }
}

fn writer_policy(config: &Config) -> WriterPolicy {
    let (first_wait, longest_wait) = WRITE_RETRY;
    WriterPolicy {
        batch: BatchPolicy {
            max_rows: config.writer.max_batch_rows,
            max_bytes: config.writer.max_batch_bytes,
            max_age: config.writer.max_batch_age,
            max_in_flight: config.writer.max_in_flight,
        },
        retry: RetryPolicy {
            first_wait,
            longest_wait,
            give_up_after: config.writer.retry_for,
        },
    }
}

fn all_carrier_settings(config: &Config) -> BTreeMap<String, CarrierSettings> {
    let carriers = config.carriers.iter();
    carriers
        .map(|(code, carrier)| (code.clone(), carrier_settings(carrier, config)))
        .collect()
}

fn carrier_settings(carrier: &CarrierConfig, config: &Config) -> CarrierSettings {
    CarrierSettings {
        limits: CarrierLimits {
            account: Tier {
                rate: RateLimit {
                    requests_per_second: carrier.requests_per_second,
                    burst: carrier.burst,
                },
                windows: carrier.windows.clone(),
            },
            host: Tier {
                rate: RateLimit {
                    requests_per_second: carrier.host_requests_per_second,
                    burst: carrier.host_burst,
                },
                windows: carrier.host_windows.clone(),
            },
            classes: carrier.classes.clone(),
            host_classes: carrier.host_classes.clone(),
            max_concurrency: carrier.max_concurrency,
        },
        timeout: carrier.timeout,
        max_attempts: carrier.max_attempts,
        pages: carrier.pages,
        policy: SyncPolicy {
            max_calls: carrier.max_calls_per_sync.into(),
            budget: CallBudget::of(carrier.calls_per_day, carrier.calls_per_month),
            max_fallback_calls: carrier.max_fallback_calls as usize,
            slice_calls: carrier.slice.into(),
            device_info_every: carrier.device_info_every,
            max_concurrency: carrier.max_concurrency,
            max_batch_rows: config.writer.max_batch_rows,
            max_outstanding_batches: config
                .writer
                .max_in_flight
                .min(config.database.max_connections as usize)
                + 1,
        },
    }
}
