//! One account's actor: a timer, a wait for a slot, and one sync in flight.
//!
//! It works, then sets its timer: a slow sync is followed by the next, never by a burst of missed
//! ones. What a sync does is not its business (`attempt.rs`), nor what follows (`sync/schedule.rs`).

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture,
    SpawnHandle, WrapFuture,
};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::attempt::Attempt;
use super::messages::{Adopt, Drain, SyncNow};
use super::slots::{SyncSlot, SyncSlots};
use super::writer_handle::WriterHandle;
use crate::clock::Clock;
use crate::integration::Outcome;
use crate::status::metrics::SyncEnded;
use crate::status::{ActorName, ActorState, ActorStatus, Board};
use crate::store::Store;
use crate::sync::schedule::{self, Next};
use crate::sync::{Halt, Observer, Progress, SyncJob, SyncReport};

/// What an integration's actor is made of.
#[derive(Debug, Clone)]
pub struct IntegrationParts {
    /// What it syncs.
    pub job: Arc<SyncJob>,
    /// Time between syncs.
    pub interval: Duration,
    /// Time until the first one.
    pub first_delay: Duration,
    /// Time from the first one to the second.
    pub first_interval: Duration,
    /// Time until another try where a person must change something.
    pub parked_retry: Duration,
    /// Who may sync at once.
    pub slots: Arc<SyncSlots>,
    /// Where devices are read.
    pub store: Arc<dyn Store>,
    /// Where updates go.
    pub writer: WriterHandle,
    /// Where it posts.
    pub board: Arc<Board>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl IntegrationParts {
    /// The same, with a first sync that waits for neither its time nor its place among those of a start.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self {
            first_delay: Duration::ZERO,
            ..self
        }
    }
}

/// Syncs one integration on its own timer.
#[derive(Debug)]
pub struct IntegrationActor {
    parts: IntegrationParts,
    name: ActorName,
    /// Ends the sync in flight early; `None`: there is none.
    in_flight: Option<CancellationToken>,
    /// Calls made before the sync in flight, or by all syncs where there is none.
    calls_made: u64,
    /// Failed syncs in a row.
    failures: u32,
    /// Time from the start of the next sync to the one after it.
    interval: Duration,
    timer: Option<SpawnHandle>,
    /// When the timer says that it is time.
    due: Instant,
    /// Its time has come, and it waits for a slot.
    queued: Option<SpawnHandle>,
    /// Told when the sync in flight has ended.
    drained: Option<oneshot::Sender<()>>,
}

impl IntegrationActor {
    /// An actor that has not begun.
    #[must_use]
    pub fn new(parts: IntegrationParts) -> Self {
        let name = ActorName::Integration(parts.job.integration_id.clone());
        // A restarted actor goes on counting where the one before it ended.
        let calls_made = parts.board.get(&name).map_or(0, |status| status.calls_made);
        Self {
            interval: parts.first_interval,
            parts,
            name,
            in_flight: None,
            calls_made,
            failures: 0,
            timer: None,
            due: Instant::now(),
            queued: None,
            drained: None,
        }
    }

    fn wait(&mut self, delay: Duration, ctx: &mut Context<Self>) {
        self.due = Instant::now() + delay;
        let due = chrono::TimeDelta::from_std(delay)
            .ok()
            .and_then(|delay| self.parts.clock.now().checked_add_signed(delay));
        self.post(|status| status.next_sync_at = due);
        self.timer = Some(ctx.run_later(delay, |actor, ctx| {
            actor.timer = None;
            actor.queue(ctx);
        }));
    }

    /// Begins as soon as there is a slot; until then its state on the board is what it was.
    fn queue(&mut self, ctx: &mut Context<Self>) {
        if self.in_flight.is_some() || self.queued.is_some() || self.drained.is_some() {
            return;
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.due = self.due.min(Instant::now());
        let now = self.parts.clock.now();
        self.post(|status| status.next_sync_at = Some(now));
        let slot = self.parts.slots.take(&self.parts.job).into_actor(self);
        self.queued = Some(ctx.spawn(slot.map(|slot, actor, ctx| {
            actor.queued = None;
            actor.begin(slot, ctx);
        })));
    }

    fn begin(&mut self, slot: SyncSlot, ctx: &mut Context<Self>) {
        let stop = CancellationToken::new();
        self.in_flight = Some(stop.clone());
        self.post(|status| {
            status.state = ActorState::Syncing;
            status.in_flight = 1;
            status.synced = 0;
        });
        // Ends with the actor: a restarted one must not find its predecessor's sync still under way.
        let attempt = tokio::spawn(in_slot(slot, self.due, self.attempt(stop)));
        let attempt = AbortOnDropHandle::new(attempt);
        ctx.spawn(attempt.into_actor(self).map(|joined, actor, ctx| match joined {
            Ok((report, start_late)) => {
                actor.post(|status| status.start_late = start_late);
                actor.count(&report, start_late);
                actor.ended(&report, ctx);
            }
            Err(error) => {
                tracing::error!(actor = %actor.name, %error, "an attempt to sync broke off");
                actor.broke_off(ctx);
            }
        }));
    }

    fn attempt(&self, stop: CancellationToken) -> Attempt {
        Attempt {
            store: Arc::clone(&self.parts.store),
            writer: self.parts.writer.clone(),
            job: Arc::clone(&self.parts.job),
            observer: Arc::new(BoardObserver {
                board: Arc::clone(&self.parts.board),
                clock: Arc::clone(&self.parts.clock),
                name: self.name.clone(),
                calls_before: self.calls_made,
            }),
            stop,
            start_late: None,
        }
    }

    fn count(&self, report: &SyncReport, start_late: Duration) {
        self.parts.board.metrics.sync_ended(SyncEnded {
            carrier: &report.carrier,
            outcome: report.outcome,
            elapsed: report.elapsed,
            start_late,
        });
    }

    fn ended(&mut self, report: &SyncReport, ctx: &mut Context<Self>) {
        self.failures = if report.is_setback() {
            self.failures.saturating_add(1)
        } else {
            0
        };
        self.calls_made += report.api_calls;
        let calls_made = self.calls_made;
        self.post(|status| {
            status.last_outcome = Some(report.outcome);
            if report.outcome == Outcome::Success {
                status.last_success_at = Some(report.started_at);
            }
            status.devices = report.devices;
            status.synced = report.synced;
            status.runs += 1;
            status.permits_waited += report.permits_waited;
            status.calls_made = calls_made;
            status.calls_left_today = report.calls_left.today;
            status.calls_left_this_month = report.calls_left.this_month;
        });
        let now = self.parts.clock.now();
        let interval = std::mem::replace(&mut self.interval, self.parts.interval);
        let next = schedule::next(
            report.halt.as_ref(),
            self.failures,
            interval,
            (report.started_at, now),
            rand::random(),
        );
        self.follow(next, report, ctx);
    }

    fn broke_off(&mut self, ctx: &mut Context<Self>) {
        self.rest(
            ActorState::BackingOff,
            Some("the sync broke off".to_owned()),
        );
        self.end_or(ctx, |actor, ctx| actor.wait(actor.parts.interval, ctx));
    }

    fn follow(&mut self, next: Next, report: &SyncReport, ctx: &mut Context<Self>) {
        let reason = report.error.clone();
        // What a person must change may change elsewhere than in the row: a key is restored at the
        // carrier, a name resolves to a public address again. A try costs a call or two.
        let parked_retry = self.parts.parked_retry;
        let (state, delay) = match next {
            Next::OnTime(delay) => (ActorState::Idle, delay),
            Next::BackOff(delay) => (ActorState::BackingOff, delay),
            Next::AwaitChange => match report.halt {
                Some(Halt::Credentials { .. }) => (ActorState::NeedsCredentials, parked_retry),
                _ => (ActorState::Parked, parked_retry),
            },
        };
        self.rest(state, reason);
        self.end_or(ctx, |actor, ctx| actor.wait(delay, ctx));
    }

    fn rest(&mut self, state: ActorState, reason: Option<String>) {
        self.in_flight = None;
        let draining = self.drained.is_some();
        self.post(|status| {
            status.state = if draining {
                ActorState::Draining
            } else {
                state
            };
            status.reason = reason;
            status.in_flight = 0;
        });
    }

    /// Ends if told to, else goes on.
    fn end_or(
        &mut self,
        ctx: &mut Context<Self>,
        go_on: impl FnOnce(&mut Self, &mut Context<Self>),
    ) {
        match self.drained.take() {
            Some(drained) => {
                let _ = drained.send(());
                ctx.stop();
            }
            None => go_on(self, ctx),
        }
    }

    fn post(&self, change: impl FnOnce(&mut ActorStatus)) {
        self.parts
            .board
            .update(&self.name, self.parts.clock.now(), change);
    }
}

impl Actor for IntegrationActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wait(self.parts.first_delay, ctx);
    }
}

impl Handler<SyncNow> for IntegrationActor {
    type Result = ();

    fn handle(&mut self, _: SyncNow, ctx: &mut Self::Context) {
        self.queue(ctx);
    }
}

/// A sync under way goes on with the job that it has.
impl Handler<Adopt> for IntegrationActor {
    type Result = ();

    fn handle(&mut self, adopted: Adopt, _: &mut Self::Context) {
        (self.parts.job, self.parts.parked_retry) = (adopted.job, adopted.parked_retry);
    }
}

impl Handler<Drain> for IntegrationActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, done) = oneshot::channel();
        self.drained = Some(drained);
        self.post(|status| status.state = ActorState::Draining);
        match &self.in_flight {
            Some(stop) => stop.cancel(),
            None => {
                if let Some(queued) = self.queued.take() {
                    ctx.cancel_future(queued);
                }
                self.end_or(ctx, |_, _| {});
            }
        }
        Box::pin(async move {
            let _ = done.await;
        })
    }
}

/// Makes the attempt and keeps its slot until it has ended, however it ends. Answers how long after its
/// time it began as well.
async fn in_slot(slot: SyncSlot, due: Instant, attempt: Attempt) -> (SyncReport, Duration) {
    let _slot = slot;
    let start_late = due.elapsed();
    let attempt = Attempt {
        start_late: Some(start_late),
        ..attempt
    };
    (attempt.make().await, start_late)
}

/// Posts a sync's progress.
struct BoardObserver {
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    name: ActorName,
    calls_before: u64,
}

impl Observer for BoardObserver {
    fn progress(&self, progress: Progress) {
        self.board.update(&self.name, self.clock.now(), |status| {
            status.devices = progress.devices;
            status.synced = progress.synced;
            status.calls_made = self.calls_before + progress.calls;
        });
    }
}
