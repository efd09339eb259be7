//! When the next beat is: on its time, or at once when there is something new to claim. One at a time.

use std::time::{Duration, Instant};

use actix::{AsyncContext, Context};

use super::Supervisor;

impl Supervisor {
    pub(super) fn next_beat(&mut self, began: Instant, ctx: &mut Context<Self>) {
        if let Some(sharing) = &self.sharing {
            let heartbeat = sharing.keeper.terms().heartbeat;
            self.beat_after(heartbeat.saturating_sub(began.elapsed()), ctx);
        }
    }

    pub(super) fn beat_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        sharing.next_beat = Some(ctx.run_later(wait, |supervisor, ctx| {
            let sharing = supervisor.sharing.as_mut();
            // Gone, it was hurried in the same moment.
            if sharing
                .and_then(|sharing| sharing.next_beat.take())
                .is_some()
            {
                supervisor.beat(ctx);
            }
        }));
    }

    /// Does not wait for the next beat; one that is under way is followed by its next in time.
    pub(super) fn hurry_beat(&mut self, ctx: &mut Context<Self>) {
        let sharing = self.sharing.as_mut();
        if let Some(planned) = sharing.and_then(|sharing| sharing.next_beat.take()) {
            ctx.cancel_future(planned);
            self.beat(ctx);
        }
    }
}
