//! The writer's lives: a dead one comes back first, then every integration with the new one's address.

use std::time::Instant;

use actix::{AsyncContext, Context};

use super::children::Ending;
use super::{MAILBOX, Supervisor, SupervisorParts};
use crate::actors::messages::{Drain, WriterExited};
use crate::actors::spawn::spawn_watched;
use crate::actors::writer::DbWriterActor;
use crate::actors::writer_handle::WriterHandle;
use crate::status::{ActorName, ActorState};
use crate::supervision::{Decision, ExitReason, RestartPolicy};

impl Supervisor {
    pub(super) fn start_writer(&mut self, ctx: &mut Context<Self>) {
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
    pub(super) fn writer_exited(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
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
}
