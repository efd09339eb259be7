//! When the next beat is: on its time, or at once when there is something new to claim. One at a time.

use std::time::{Duration, Instant};

use actix::{AsyncContext, Context};

use super::Supervisor;

impl Supervisor {
    pub(super) fn next_beat(&mut self, began: Instant, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let heartbeat = sharing.keeper.terms().heartbeat;
        let wait = match std::mem::take(&mut sharing.is_hurried) {
            true => Duration::ZERO,
            false => heartbeat.saturating_sub(began.elapsed()),
        };
        self.beat_after(wait, ctx);
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

    /// Does not wait for the next beat. One that is under way does not know what is new, and so is followed by
    /// another at once.
    pub(super) fn hurry_beat(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        match sharing.next_beat.take() {
            Some(planned) => {
                ctx.cancel_future(planned);
                self.beat(ctx);
            }
            None => sharing.is_hurried = true,
        }
    }
}
