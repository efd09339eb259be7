//! Starts, watches, restarts and stops the others.
//!
//! It reads the integrations on a beat and makes what runs equal to what the database wants
//! (`supervision/reconcile.rs`). A child that dies comes back after a wait, or is parked when it dies
//! too often (`supervision/restart.rs`). A writer that dies too often is beyond its power: it asks the
//! process to drain and exit 1, so that systemd or Kubernetes takes over.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, ResponseFuture, WrapFuture,
};
use tokio::sync::mpsc;

use super::integration::{IntegrationActor, IntegrationParts};
use super::messages::{ChildExited, Drain, WriterExited};
use super::spawn::spawn_watched;
use super::writer::{DbWriterActor, WriterPolicy};
use super::writer_handle::WriterHandle;
use crate::clock::Clock;
use crate::device::IntegrationId;
use crate::integration::{IntegrationRow, Outcome, SyncRecord};
use crate::status::{ActorName, ActorState, Board};
use crate::store::{Store, StoreError};
use crate::supervision::reconcile::reconcile;
use crate::supervision::{Decision, ExitReason, RestartPolicy, Restarts};
use crate::sync::build::interval;
use crate::sync::{JobBuilder, Misconfigured, schedule};

/// Messages an actor may have waiting; back-pressure comes from replies, not from this.
const MAILBOX: usize = 64;
/// First wait after a discovery that failed; doubles up to the discovery interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// What the supervisor is made of.
#[derive(Debug, Clone)]
pub struct SupervisorParts {
    /// The fleet's database.
    pub store: Arc<dyn Store>,
    /// Makes jobs of rows.
    pub builder: Arc<JobBuilder>,
    /// Where everyone posts.
    pub board: Arc<Board>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Bounds of the writer.
    pub writer: WriterPolicy,
    /// Rows that may be queued for the writer.
    pub queue_rows: usize,
    /// Time between looks at the integrations.
    pub discover_interval: Duration,
    /// The first syncs after a start are spread over this.
    pub start_spread: Duration,
    /// An integration that is parked or needs credentials is tried again after this.
    pub parked_retry: Duration,
    /// Create or upgrade the schema first.
    pub migrate: bool,
    /// Run as a role that row-level security does not bind.
    pub allow_privileged_role: bool,
    /// Asks the process to drain and exit 1, with the reason.
    pub escalate: mpsc::UnboundedSender<String>,
}

/// One integration, in whatever state of life.
#[derive(Debug)]
struct Child {
    row: IntegrationRow,
    fingerprint: u64,
    /// Counts its lives, so that a late word of an old one is not taken for the present one's.
    life: u64,
    restarts: Restarts,
    running: Option<Running>,
    /// It was waiting for its row to change, and that has happened: its next start syncs without
    /// waiting for the rest of the interval.
    is_due: bool,
}

#[derive(Debug)]
struct Running {
    address: Addr<IntegrationActor>,
    /// It has been told to end: to be replaced by its row's present form, or to be gone.
    ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Replaced,
    Gone,
}

/// Watches over all other actors.
#[derive(Debug)]
pub struct Supervisor {
    parts: SupervisorParts,
    hasher: RandomState,
    children: BTreeMap<IntegrationId, Child>,
    writer: Option<WriterHandle>,
    writer_restarts: Restarts,
    /// The schema and the role have been found right.
    prepared: bool,
    /// Discoveries in a row that failed.
    failures: u32,
    draining: bool,
}

impl Supervisor {
    /// A supervisor that has not begun.
    #[must_use]
    pub fn new(parts: SupervisorParts) -> Self {
        Self {
            parts,
            hasher: RandomState::new(),
            children: BTreeMap::new(),
            writer: None,
            writer_restarts: Restarts::default(),
            prepared: false,
            failures: 0,
            draining: false,
        }
    }

    // ---- discovery -------------------------------------------------------------------------

    fn discover(&mut self, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        let (parts, prepared) = (self.parts.clone(), self.prepared);
        let look = tokio::spawn(async move { look(&parts, prepared).await });
        ctx.spawn(look.into_actor(self).map(|joined, supervisor, ctx| {
            let found = joined
                .unwrap_or_else(|error| Err(StoreError::Rejected(format!("discovery: {error}"))));
            let next = match found {
                Ok(rows) => supervisor.found(rows, ctx),
                Err(error) => supervisor.not_found(&error),
            };
            ctx.run_later(next, Self::discover);
        }));
    }

    fn found(&mut self, rows: Vec<IntegrationRow>, ctx: &mut Context<Self>) -> Duration {
        (self.prepared, self.failures) = (true, 0);
        let wanted: BTreeMap<_, _> = rows
            .into_iter()
            .filter(|row| row.enabled && row.sync_enabled)
            .map(|row| (row.id.clone(), row))
            .collect();
        self.post(ActorState::Idle, None, wanted.len());
        if !self.draining {
            self.adapt(wanted, ctx);
        }
        self.parts.discover_interval
    }

    fn not_found(&mut self, error: &StoreError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if matches!(error, StoreError::Role(_)) {
            // Escalates rather than waits: running with these rights is what must not happen.
            let _ = self.parts.escalate.send(error.to_string());
        }
        if self.failures == 1 {
            tracing::error!(%error, "cannot read the integrations; trying again until it works");
        }
        self.post(
            ActorState::BackingOff,
            Some(error.to_string()),
            self.children.len(),
        );
        let doublings = (self.failures - 1).min(16);
        (FIRST_RETRY * 2u32.pow(doublings)).min(self.parts.discover_interval)
    }

    fn adapt(
        &mut self,
        mut wanted: BTreeMap<IntegrationId, IntegrationRow>,
        ctx: &mut Context<Self>,
    ) {
        let fingerprints = wanted
            .iter()
            .map(|(id, row)| (id.clone(), row.fingerprint(&self.hasher)))
            .collect();
        let present = self
            .children
            .iter()
            .map(|(id, child)| (id.clone(), child.fingerprint))
            .collect();
        let changes = reconcile(&fingerprints, &present);
        for id in changes.stop {
            self.stop(&id);
        }
        for id in changes.start.into_iter().chain(changes.restart) {
            if let Some(row) = wanted.remove(&id) {
                self.replace(row, ctx);
            }
        }
    }

    // ---- integrations ----------------------------------------------------------------------

    fn stop(&mut self, id: &IntegrationId) {
        tracing::info!(integration.id = %id, "integration is gone or switched off");
        let Some(child) = self.children.get_mut(id) else {
            return;
        };
        match &mut child.running {
            Some(running) => {
                running.ending = Some(Ending::Gone);
                running.address.do_send(Drain);
            }
            None => self.forget(id),
        }
    }

    fn forget(&mut self, id: &IntegrationId) {
        self.children.remove(id);
        self.parts.board.remove(&ActorName::Integration(id.clone()));
    }

    /// Starts the integration of `row`, after the end of its present life if it has one: two syncs of
    /// one integration never run at once.
    fn replace(&mut self, row: IntegrationRow, ctx: &mut Context<Self>) {
        let id = row.id.clone();
        let fingerprint = row.fingerprint(&self.hasher);
        let child = self.children.entry(id.clone()).or_insert_with(|| Child {
            row: row.clone(),
            fingerprint,
            life: 0,
            restarts: Restarts::default(),
            running: None,
            is_due: false,
        });
        let state = self
            .parts
            .board
            .get(&ActorName::Integration(id.clone()))
            .map(|status| status.state);
        child.is_due |= matches!(
            state,
            Some(ActorState::NeedsCredentials | ActorState::Parked)
        );
        (child.row, child.fingerprint) = (row, fingerprint);
        match &mut child.running {
            Some(running) => {
                tracing::info!(integration.id = %id, "integration has changed, starting it anew");
                running.ending = Some(Ending::Replaced);
                running.address.do_send(Drain);
            }
            None => self.start(&id, ctx),
        }
    }

    fn start(&mut self, id: &IntegrationId, ctx: &mut Context<Self>) {
        let Some(writer) = self.writer.clone() else {
            return;
        };
        let Some(child) = self.children.get_mut(id) else {
            return;
        };
        if self.draining || child.running.is_some() {
            return;
        }
        child.life += 1;
        let (life, mut row) = (child.life, child.row.clone());
        if std::mem::take(&mut child.is_due) {
            row.last_sync_at = None;
        }
        match parts(&self.parts, writer, &row) {
            Ok(parts) => self.run(id, life, parts, &row, ctx),
            Err(misconfigured) => self.park_misconfigured(&row, misconfigured.to_string()),
        }
    }

    fn run(
        &mut self,
        id: &IntegrationId,
        life: u64,
        parts: IntegrationParts,
        row: &IntegrationRow,
        ctx: &mut Context<Self>,
    ) {
        let restarts = self
            .children
            .get(id)
            .map_or(0, |child| child.restarts.total());
        let carrier = parts.job.carrier.code().to_owned();
        self.parts.board.update(
            &ActorName::Integration(id.clone()),
            self.parts.clock.now(),
            |status| {
                (status.state, status.reason) = (ActorState::Idle, None);
                status.tenant_id = Some(row.tenant_id.clone());
                status.carrier = Some(carrier);
                status.last_success_at = status.last_success_at.max(row.last_success_at);
                status.restarts = restarts;
            },
        );
        let (supervisor, exited) = (ctx.address(), id.clone());
        let (address, _) = spawn_watched(IntegrationActor::new(parts), MAILBOX, move |reason| {
            supervisor.do_send(ChildExited {
                id: exited,
                life,
                reason,
            });
        });
        if let Some(child) = self.children.get_mut(id) {
            child.running = Some(Running {
                address,
                ending: None,
            });
        }
    }

    /// A row that cannot be synced: shown and recorded, and looked at again when it changes.
    fn park_misconfigured(&mut self, row: &IntegrationRow, reason: String) {
        tracing::error!(integration.id = %row.id, tenant.id = %row.tenant_id, reason, "parked");
        self.parts.board.update(
            &ActorName::Integration(row.id.clone()),
            self.parts.clock.now(),
            |status| {
                status.tenant_id = Some(row.tenant_id.clone());
                status.carrier = Some(row.carrier_name.clone());
                status.last_outcome = Some(Outcome::Error);
                status.reason = Some(reason.clone());
                status.state = ActorState::Parked;
            },
        );
        let Some(writer) = self.writer.clone() else {
            return;
        };
        let record = SyncRecord {
            tenant_id: row.tenant_id.clone(),
            integration_id: row.id.clone(),
            started_at: None,
            outcome: Outcome::Error,
            error: Some(reason),
        };
        tokio::spawn(async move {
            if let Err(error) = writer.record(record).await {
                tracing::error!(%error, "a misconfigured integration could not be recorded");
            }
        });
    }

    fn child_exited(&mut self, exited: ChildExited, ctx: &mut Context<Self>) {
        let ChildExited { id, life, reason } = exited;
        let Some(child) = self
            .children
            .get_mut(&id)
            .filter(|child| child.life == life)
        else {
            return;
        };
        let ending = child.running.take().and_then(|running| running.ending);
        if self.draining {
            return;
        }
        match ending {
            Some(Ending::Gone) => self.forget(&id),
            Some(Ending::Replaced) => self.start(&id, ctx),
            None => self.revive(&id, &reason, ctx),
        }
    }

    fn revive(&mut self, id: &IntegrationId, reason: &ExitReason, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(id) else {
            return;
        };
        let decision =
            child
                .restarts
                .decide(&RestartPolicy::DEFAULT, Instant::now(), rand::random());
        let (state, wait) = match decision {
            Decision::RestartAfter(wait) => (ActorState::BackingOff, wait),
            Decision::GiveUp => (ActorState::Parked, self.parts.parked_retry),
        };
        tracing::error!(
            integration.id = %id, %reason, state = state.as_str(),
            wait_ms = wait.as_millis(), "an integration's actor has died"
        );
        let restarts = child.restarts.total();
        self.parts.board.update(
            &ActorName::Integration(id.clone()),
            self.parts.clock.now(),
            |status| {
                status.restarts = restarts;
                status.in_flight = 0;
                status.reason = Some(format!("its actor {reason}"));
                status.state = state;
            },
        );
        let id = id.clone();
        ctx.run_later(wait, move |supervisor, ctx| supervisor.start(&id, ctx));
    }

    // ---- the writer ------------------------------------------------------------------------

    fn start_writer(&mut self, ctx: &mut Context<Self>) {
        let SupervisorParts {
            store,
            writer,
            board,
            clock,
            ..
        } = self.parts.clone();
        let actor = DbWriterActor::new(store, writer, board, clock);
        let supervisor = ctx.address();
        let (address, _) = spawn_watched(actor, MAILBOX, move |reason| {
            supervisor.do_send(WriterExited { reason });
        });
        self.writer = Some(WriterHandle::new(address, self.parts.queue_rows));
    }

    /// A dead writer comes back first, then every integration, with the new one's address.
    fn writer_exited(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        self.writer = None;
        tracing::error!(%reason, "the writer has died");
        let now = Instant::now();
        match self
            .writer_restarts
            .decide(&RestartPolicy::DEFAULT, now, rand::random())
        {
            Decision::GiveUp => {
                let _ = self
                    .parts
                    .escalate
                    .send(format!("the writer died too often: {reason}"));
            }
            Decision::RestartAfter(wait) => {
                ctx.run_later(wait, |supervisor, ctx| supervisor.revive_writer(ctx));
            }
        }
        let restarts = self.writer_restarts.total();
        self.parts
            .board
            .update(&ActorName::Writer, self.parts.clock.now(), |status| {
                status.restarts = restarts;
                status.in_flight = 0;
                status.queue_depth = 0;
                status.reason = Some(format!("the writer {reason}"));
                status.state = ActorState::BackingOff;
            });
    }

    fn revive_writer(&mut self, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        self.start_writer(ctx);
        self.parts
            .board
            .update(&ActorName::Writer, self.parts.clock.now(), |status| {
                (status.state, status.reason) = (ActorState::Idle, None);
            });
        let ids: Vec<_> = self.children.keys().cloned().collect();
        for id in ids {
            let Some(child) = self.children.get_mut(&id) else {
                continue;
            };
            match &mut child.running {
                Some(running) => {
                    running.ending.get_or_insert(Ending::Replaced);
                    running.address.do_send(Drain);
                }
                None => self.start(&id, ctx),
            }
        }
    }

    fn post(&self, state: ActorState, reason: Option<String>, integrations: usize) {
        self.parts
            .board
            .update(&ActorName::Supervisor, self.parts.clock.now(), |status| {
                status.devices = integrations;
                status.runs += 1;
                status.reason = reason;
                status.state = state;
            });
    }
}

/// Reads the integrations, once the schema and the role have been found right.
async fn look(parts: &SupervisorParts, prepared: bool) -> Result<Vec<IntegrationRow>, StoreError> {
    if !prepared {
        if parts.migrate {
            parts.store.migrate(None).await?;
        }
        parts.store.check(parts.allow_privileged_role).await?;
    }
    parts.store.integrations().await
}

fn parts(
    parts: &SupervisorParts,
    writer: WriterHandle,
    row: &IntegrationRow,
) -> Result<IntegrationParts, Misconfigured> {
    let interval = interval(row)?;
    let job = Arc::new(parts.builder.build(row)?);
    let phase = schedule::phase(&row.id, parts.start_spread.min(interval));
    let now = parts.clock.now();
    let last = schedule::last_that_counts(row.last_sync_at, &row.last_sync_status);
    Ok(IntegrationParts {
        job,
        interval,
        first_delay: schedule::first_delay(last, interval, now, phase),
        parked_retry: parts.parked_retry,
        store: Arc::clone(&parts.store),
        writer,
        board: Arc::clone(&parts.board),
        clock: Arc::clone(&parts.clock),
    })
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.start_writer(ctx);
        self.discover(ctx);
    }
}

impl Handler<ChildExited> for Supervisor {
    type Result = ();

    fn handle(&mut self, exited: ChildExited, ctx: &mut Self::Context) {
        self.child_exited(exited, ctx);
    }
}

impl Handler<WriterExited> for Supervisor {
    type Result = ();

    fn handle(&mut self, exited: WriterExited, ctx: &mut Self::Context) {
        self.writer_exited(&exited.reason, ctx);
    }
}

/// Against the flow of data: no discovery, then the integrations, then the writer with what they left.
impl Handler<Drain> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.draining = true;
        self.post(ActorState::Draining, None, self.children.len());
        let children: Vec<_> = self
            .children
            .values()
            .filter_map(|child| Some(child.running.as_ref()?.address.send(Drain)))
            .collect();
        let writer = self.writer.clone();
        Box::pin(async move {
            // An actor that is gone already has nothing left to drain.
            let _ = futures_util::future::join_all(children).await;
            if let Some(writer) = writer {
                let _ = writer.address().send(Drain).await;
            }
        })
    }
}
