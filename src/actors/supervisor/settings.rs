//! Other settings while everyone runs: the supervisor's own at once, an integration's from its next sync on.
//! No sync is ended for it and none is begun. Limits are not here: they hold in the limiters at once.

use std::sync::Arc;

use actix::{Context, Handler};
use tokio::time::Instant;

use super::Supervisor;
use crate::actors::messages::{Adopt, UseSettings};

impl Supervisor {
    fn use_settings(&mut self, settings: &UseSettings, ctx: &mut Context<Self>) {
        // A look that is planned for sooner, because something failed or was told, stays where it is.
        let latest = Instant::now() + settings.discover_interval;
        let is_sooner = self.next_look.is_some_and(|(_, at)| at > latest);
        self.parts.discover_interval = settings.discover_interval;
        self.parts.start_spread = settings.start_spread;
        self.parts.parked_retry = settings.parked_retry;
        if is_sooner && !self.draining {
            self.look_after(settings.discover_interval, ctx);
        }
        self.hand_out_jobs();
    }

    /// Built elsewhere: secrets are opened for each, and the actors must not wait for ten thousand of them.
    /// An actor that starts meanwhile is made of the new settings itself.
    fn hand_out_jobs(&self) {
        let running = self.children.iter().filter_map(|(id, child)| {
            let address = child.running.as_ref()?.address.clone();
            Some((child.row.clone(), self.tenure(id)?, address))
        });
        let running: Vec<_> = running.collect();
        let (builder, parked_retry) = (Arc::clone(&self.parts.builder), self.parts.parked_retry);
        tokio::task::spawn_blocking(move || {
            for (row, tenure, address) in running {
                // One that cannot be built any more goes on with what it has until its row changes.
                if let Ok(job) = builder.build(&row, tenure) {
                    let job = Arc::new(job);
                    address.do_send(Adopt { job, parked_retry });
                }
            }
        });
    }
}

impl Handler<UseSettings> for Supervisor {
    type Result = ();

    fn handle(&mut self, settings: UseSettings, ctx: &mut Self::Context) {
        self.use_settings(&settings, ctx);
    }
}
