//! The lives of integrations' actors: started, replaced when their rows change, revived when they die.

use std::sync::Arc;
use std::time::Instant;

use actix::{Addr, AsyncContext, Context};
use tokio::task::AbortHandle;

use super::{MAILBOX, Supervisor, SupervisorParts};
use crate::actors::integration::{IntegrationActor, IntegrationParts};
use crate::actors::messages::{ChildExited, Drain};
use crate::actors::spawn::spawn_watched;
use crate::actors::writer_handle::WriterHandle;
use crate::device::IntegrationId;
use crate::integration::{IntegrationRow, Outcome};
use crate::runs::SyncRecord;
use crate::status::{ActorName, ActorState, LimiterWatch};
use crate::supervision::{Decision, ExitReason, RestartPolicy, Restarts};
use crate::sync::build::interval;
use crate::sync::{Misconfigured, schedule};
use crate::tenure::{Epoch, Tenure};

/// One integration, in whatever state of life.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) row: IntegrationRow,
    pub(super) fingerprint: u64,
    /// Counts its lives, so that a late word of an old one is not taken for the present one's.
    pub(super) life: u64,
    pub(super) restarts: Restarts,
    pub(super) running: Option<Running>,
    /// It was waiting for its row to change, and that has happened, or a person asks for it: its next start
    /// syncs at once.
    pub(super) is_due: bool,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) address: Addr<IntegrationActor>,
    kill: AbortHandle,
    /// It has been told to end: to be replaced by its row's present form, or to be gone.
    pub(super) ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Replaced,
    Gone,
    /// Another process may own it by now.
    Lost,
}

impl Supervisor {
    /// Lets it finish what it has begun; then it is given up.
    pub(super) fn stop(&mut self, id: &IntegrationId, ctx: &mut Context<Self>) {
        let running = self.children.get_mut(id).and_then(|c| c.running.as_mut());
        match running {
            Some(Running {
                ending: Some(Ending::Gone | Ending::Lost),
                ..
            }) => {}
            Some(running) => {
                running.ending = Some(Ending::Gone);
                running.address.do_send(Drain);
            }
            None => {
                self.forget(id);
                self.let_go(id, ctx);
            }
        }
    }

    /// Ends it at once: what it would write is another's to write.
    pub(super) fn lose(&mut self, id: &IntegrationId) {
        let running = self.children.get_mut(id).and_then(|c| c.running.as_mut());
        match running {
            Some(running) => {
                running.ending = Some(Ending::Lost);
                running.kill.abort();
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
    pub(super) fn replace(&mut self, row: IntegrationRow, ctx: &mut Context<Self>) {
        let id = row.id.clone();
        let fingerprint = self.fingerprint(&row);
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

    pub(super) fn start(&mut self, id: &IntegrationId, ctx: &mut Context<Self>) {
        let Some(writer) = self.writer.clone() else {
            return;
        };
        let Some(child) = self.children.get_mut(id) else {
            return;
        };
        if self.draining || child.running.is_some() {
            return;
        }
        let Some(tenure) = self.tenure(id) else {
            return;
        };
        let Some(child) = self.children.get_mut(id) else {
            return;
        };
        child.life += 1;
        let (life, row) = (child.life, child.row.clone());
        let is_due = std::mem::take(&mut child.is_due);
        let epoch = tenure.epoch();
        match parts(&self.parts, writer, &row, tenure) {
            Ok(parts) => {
                let parts = if is_due { parts.at_once() } else { parts };
                self.run(id, life, parts, &row, ctx);
            }
            Err(misconfigured) => self.park_misconfigured(&row, epoch, misconfigured.to_string()),
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
        let (carrier, interval) = (parts.job.carrier.code().to_owned(), parts.interval);
        let limiter = LimiterWatch::new(Arc::new(parts.job.client.limiter.clone()));
        self.parts.board.update(
            &ActorName::Integration(id.clone()),
            self.parts.clock.now(),
            |status| {
                (status.state, status.reason) = (ActorState::Idle, None);
                status.tenant_id = Some(row.tenant_id.clone());
                status.carrier = Some(carrier);
                status.interval = Some(interval);
                status.limiter = Some(limiter);
                status.last_success_at = status.last_success_at.max(row.last_success_at);
                status.restarts = restarts;
            },
        );
        let (supervisor, exited) = (ctx.address(), id.clone());
        let (address, kill) = spawn_watched(IntegrationActor::new(parts), MAILBOX, move |reason| {
            supervisor.do_send(ChildExited {
                id: exited,
                life,
                reason,
            });
        });
        if let Some(child) = self.children.get_mut(id) {
            child.running = Some(Running {
                address,
                kill,
                ending: None,
            });
        }
    }

    /// A row that cannot be synced: shown and recorded, and looked at again when it changes.
    fn park_misconfigured(&mut self, row: &IntegrationRow, epoch: Option<Epoch>, reason: String) {
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
            epoch,
            run: None,
            outcome: Outcome::Error,
            error: Some(reason),
        };
        tokio::spawn(async move {
            if let Err(error) = writer.record(record).await {
                tracing::error!(%error, "a misconfigured integration could not be recorded");
            }
        });
    }

    pub(super) fn child_exited(&mut self, exited: ChildExited, ctx: &mut Context<Self>) {
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
            Some(Ending::Gone) => {
                self.forget(&id);
                self.let_go(&id, ctx);
            }
            Some(Ending::Lost) => self.forget(&id),
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
        let (restarts, life) = (child.restarts.total(), child.life);
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
        ctx.run_later(wait, move |supervisor, ctx| {
            // Else it was started meanwhile, and a death since then has its own wait.
            let child = supervisor.children.get(&id);
            if child.is_some_and(|child| child.life == life) {
                supervisor.start(&id, ctx);
            }
        });
    }
}

fn parts(
    parts: &SupervisorParts,
    writer: WriterHandle,
    row: &IntegrationRow,
    tenure: Tenure,
) -> Result<IntegrationParts, Misconfigured> {
    let interval = interval(row)?;
    let job = Arc::new(parts.builder.build(row, tenure)?);
    let phase = schedule::phase(&row.id, parts.start_spread.min(interval));
    let now = parts.clock.now();
    let last = schedule::last_that_counts(row.last_sync_at, &row.last_sync_status);
    Ok(IntegrationParts {
        job,
        interval,
        first_delay: schedule::first_delay(last, interval, now, phase),
        first_interval: schedule::first_interval(last, interval, now, &row.id),
        parked_retry: parts.parked_retry,
        slots: Arc::clone(&parts.slots),
        store: Arc::clone(&parts.store),
        writer,
        board: Arc::clone(&parts.board),
        clock: Arc::clone(&parts.clock),
    })
}
