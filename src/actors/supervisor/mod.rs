//! Starts, watches, restarts and stops the others.
//!
//! It reads the integrations on a beat and makes what runs equal to what the database wants
//! (`supervision/reconcile.rs`). A child that dies comes back after a wait, or is parked when it dies
//! too often (`supervision/restart.rs`). A writer that dies too often is beyond its power: it asks the
//! process to drain and exit 1, so that systemd or Kubernetes takes over.
//!
//! | file | holds |
//! |---|---|
//! | `discovery.rs` | looking at the database, comparing, adapting |
//! | `children.rs` | the lives of integrations' actors |
//! | `requests.rs` | what others ask for out of turn: a look, a sync |
//! | `settings.rs` | other settings while everyone runs |
//! | `sharing.rs` | which integrations are this process's, where several share them |
//! | `writer_watch.rs` | the lives of the writer |

mod children;
mod discovery;
mod requests;
mod settings;
pub(crate) mod sharing;
mod writer_watch;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, ResponseFuture, SpawnHandle};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::keeper::LeaseKeeper;
use super::messages::{ChildExited, Drain, WriterExited};
use super::slots::SyncSlots;
use super::writer::WriterPolicy;
use super::writer_handle::WriterHandle;
use crate::clock::Clock;
use crate::device::IntegrationId;
use crate::status::{ActorName, ActorState, Board};
use crate::store::Store;
use crate::supervision::Restarts;
use crate::sync::JobBuilder;
use children::Child;
use sharing::Sharing;

/// Messages an actor may have waiting; back-pressure comes from replies, not from this.
const MAILBOX: usize = 64;

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
    /// Who may sync at once.
    pub slots: Arc<SyncSlots>,
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
    /// This process's place among several; `None`: it has the database to itself.
    pub keeper: Option<Arc<LeaseKeeper>>,
    /// Asks the process to drain and exit 1, with the reason.
    pub escalate: mpsc::UnboundedSender<String>,
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
    /// Discoveries begun.
    looks: u64,
    is_looking: bool,
    /// When the last discovery began.
    looked_at: Option<Instant>,
    /// A discovery was asked for while one was under way, which may have read before the change.
    look_again: bool,
    /// The timer of the next discovery, and when it ends.
    next_look: Option<(SpawnHandle, Instant)>,
    /// What is ours of the integrations; `None`: all of them.
    sharing: Option<Sharing>,
    draining: bool,
}

impl Supervisor {
    /// A supervisor that has not begun.
    #[must_use]
    pub fn new(parts: SupervisorParts) -> Self {
        Self {
            sharing: parts.keeper.clone().map(Sharing::of),
            parts,
            hasher: RandomState::new(),
            children: BTreeMap::new(),
            writer: None,
            writer_restarts: Restarts::default(),
            prepared: false,
            failures: 0,
            looks: 0,
            is_looking: false,
            looked_at: None,
            look_again: false,
            next_look: None,
            draining: false,
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

/// Against the flow of data: no discovery, then the integrations, then the writer with what they left,
/// then the leases, so that others take over what has come to its end.
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
        let (writer, keeper) = (self.writer.clone(), self.parts.keeper.clone());
        Box::pin(async move {
            // An actor that is gone already has nothing left to drain.
            let _ = futures_util::future::join_all(children).await;
            if let Some(writer) = writer {
                let _ = writer.address().send(Drain).await;
            }
            if let Some(keeper) = keeper {
                keeper.leave().await;
            }
        })
    }
}
