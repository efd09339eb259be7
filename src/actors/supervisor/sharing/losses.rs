//! What stops being ours against our will: a lease that is another's, or has run out, or whose integration is gone
//! from the database. Its actor ends at once, since what it would write is not ours to write.

use std::collections::HashSet;

use actix::{AsyncContext, Context};

use super::Supervisor;
use crate::actors::keeper::Standing;
use crate::device::IntegrationId;
use crate::status::ActorState;

impl Supervisor {
    /// Ends what the database says is not ours.
    pub(super) fn lose_what_is_not_ours(&mut self, standing: &Standing) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let leases = standing.census.leases.iter();
        let ours: HashSet<_> = leases
            .filter(|lease| lease.owner == standing.me)
            .map(|lease| (&lease.integration, lease.epoch))
            .collect();
        let lost: Vec<_> = sharing
            .held
            .iter()
            .filter(|(id, held)| !ours.contains(&(*id, held.epoch)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &lost {
            sharing.held.remove(id);
        }
        tell_losses(standing, &lost);
        lost.iter().for_each(|id| self.lose(id));
    }

    /// Sees to it that everything ends when the leases do, if no beat comes in between.
    pub(super) fn end_when_run_out(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        if let Some(planned) = sharing.run_out.take() {
            ctx.cancel_future(planned);
        }
        let left = sharing.keeper.left();
        sharing.run_out = Some(ctx.run_later(left, |supervisor, ctx| {
            if let Some(sharing) = &mut supervisor.sharing {
                sharing.run_out = None;
                if !sharing.keeper.left().is_zero() {
                    return supervisor.end_when_run_out(ctx);
                }
            }
            supervisor.run_out();
        }));
    }

    fn run_out(&mut self) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let held = std::mem::take(&mut sharing.held);
        if held.is_empty() {
            return;
        }
        let reason = "its leases have run out, since the database does not answer; it takes part \
                      again once it does";
        tracing::error!(integrations = held.len(), "{reason}");
        sharing.reason = Some(reason.to_owned());
        held.keys().for_each(|id| self.lose(id));
        self.post(ActorState::BackingOff, Some(reason.to_owned()), 0);
    }
}

/// Nobody but its owner frees a lease as long as that one renews. So one that nobody has went with its integration's
/// row, unless we have run out ourselves since.
fn tell_losses(standing: &Standing, lost: &[IntegrationId]) {
    let leases = standing.census.leases.iter();
    let owned: HashSet<_> = leases.map(|lease| &lease.integration).collect();
    let is_gone = |id: &&IntegrationId| !standing.is_new && !owned.contains(*id);
    let gone = lost.iter().filter(is_gone).count();
    if gone > 0 {
        tracing::info!(
            integrations = gone,
            "integrations were removed: their syncs have been ended"
        );
    }
    if lost.len() > gone {
        tracing::error!(
            integrations = lost.len() - gone,
            "leases were lost: their syncs have been ended, others take over"
        );
    }
}
