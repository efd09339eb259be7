//! What others ask the supervisor for out of turn: a look at the integrations, a sync of one. Knows neither
//! who asks nor why.

use std::time::Duration;

use actix::{Context, Handler, MessageResult};
use tokio::time::Instant;

use super::Supervisor;
use super::children::Ending;
use crate::actors::messages::{LookNow, SyncAnswer, SyncIntegration, SyncNow};
use crate::device::IntegrationId;
use crate::status::ActorName;

/// Least time from the beginning of one look to a next that is asked for: a statement for each of a thousand
/// rows must not be a thousand looks.
const LEAST_TIME_BETWEEN_LOOKS: Duration = Duration::from_millis(200);

impl Supervisor {
    /// Time until a look that is asked for now may begin.
    pub(super) fn soonest_look(&self) -> Duration {
        self.looked_at.map_or(Duration::ZERO, |at: Instant| {
            LEAST_TIME_BETWEEN_LOOKS.saturating_sub(at.elapsed())
        })
    }

    fn look_soon(&mut self, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        if self.is_looking {
            self.look_again = true;
            return;
        }
        let wait = self.soonest_look();
        let planned = self.next_look.map(|(_, at)| at);
        if planned.is_none_or(|at| at > Instant::now() + wait) {
            self.look_after(wait, ctx);
        }
    }

    fn sync_now(&mut self, id: &IntegrationId, ctx: &mut Context<Self>) -> SyncAnswer {
        let is_ours = self.tenure(id).is_some() && !self.draining;
        let is_under_way = self.is_under_way(id);
        let Some(child) = self.children.get_mut(id).filter(|_| is_ours) else {
            return SyncAnswer::NotHere;
        };
        match &child.running {
            Some(running) => match running.ending {
                Some(Ending::Gone | Ending::Lost) => SyncAnswer::NotHere,
                Some(Ending::Replaced) => {
                    child.is_due = true;
                    SyncAnswer::Begun
                }
                None if is_under_way => SyncAnswer::UnderWay,
                None => {
                    running.address.do_send(SyncNow);
                    SyncAnswer::Begun
                }
            },
            None => {
                child.is_due = true;
                self.start(id, ctx);
                self.came_of_start(id)
            }
        }
    }

    fn is_under_way(&self, id: &IntegrationId) -> bool {
        let status = self.parts.board.get(&ActorName::Integration(id.clone()));
        status.is_some_and(|status| status.in_flight > 0)
    }

    /// Without a writer it begins as soon as there is one again.
    fn came_of_start(&self, id: &IntegrationId) -> SyncAnswer {
        let child = self.children.get(id);
        let runs = child.is_some_and(|child| child.running.is_some());
        if runs || self.writer.is_none() {
            return SyncAnswer::Begun;
        }
        let status = self.parts.board.get(&ActorName::Integration(id.clone()));
        SyncAnswer::Misconfigured(status.and_then(|status| status.reason).unwrap_or_default())
    }
}

impl Handler<LookNow> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: LookNow, ctx: &mut Self::Context) {
        self.look_soon(ctx);
    }
}

impl Handler<SyncIntegration> for Supervisor {
    type Result = MessageResult<SyncIntegration>;

    fn handle(&mut self, asked: SyncIntegration, ctx: &mut Self::Context) -> Self::Result {
        MessageResult(self.sync_now(&asked.0, ctx))
    }
}
