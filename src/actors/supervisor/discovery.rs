//! Looking at the integrations on a beat, and making what runs equal to what the database wants.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::time::Instant;

use super::{Supervisor, SupervisorParts};
use crate::device::IntegrationId;
use crate::integration::IntegrationRow;
use crate::status::ActorState;
use crate::store::StoreError;
use crate::supervision::reconcile::reconcile;

/// First wait after a discovery that failed; doubles up to the discovery interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// A look that takes longer than this is told.
const SLOW_LOOK: Duration = Duration::from_secs(2);

impl Supervisor {
    pub(super) fn discover(&mut self, ctx: &mut Context<Self>) {
        self.next_look = None;
        if self.draining || self.is_looking {
            return;
        }
        self.looks += 1;
        self.is_looking = true;
        self.looked_at = Some(Instant::now());
        let (parts, prepared) = (self.parts.clone(), self.prepared);
        let slow = ctx.run_later(SLOW_LOOK, |supervisor, _| supervisor.still_looking());
        let look = tokio::spawn(async move { look(&parts, prepared).await });
        ctx.spawn(look.into_actor(self).map(move |joined, supervisor, ctx| {
            ctx.cancel_future(slow);
            let found = joined
                .unwrap_or_else(|error| Err(StoreError::Rejected(format!("discovery: {error}"))));
            supervisor.is_looking = false;
            let asked_again = std::mem::take(&mut supervisor.look_again);
            let next = match found {
                Ok(rows) if asked_again => {
                    let next = supervisor.found(rows, ctx);
                    next.min(supervisor.soonest_look())
                }
                Ok(rows) => supervisor.found(rows, ctx),
                Err(error) => supervisor.not_found(&error),
            };
            supervisor.look_after(next, ctx);
        }));
    }

    /// Looks again after `wait`, whatever was planned; a look that is under way plans the next itself.
    pub(super) fn look_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if self.is_looking {
            return;
        }
        if let Some((planned, _)) = self.next_look.take() {
            ctx.cancel_future(planned);
        }
        let timer = ctx.run_later(wait, Self::discover);
        self.next_look = Some((timer, Instant::now() + wait));
    }

    /// A database that is away is noticed only when the patience of a connection ends; the operator
    /// should not have to wait for that.
    fn still_looking(&self) {
        let reason = "no answer from the database yet";
        tracing::warn!("{reason}; the service begins once it answers");
        let reason = Some(reason.to_owned());
        self.post(ActorState::BackingOff, reason, self.children.len());
    }

    fn found(&mut self, rows: Vec<IntegrationRow>, ctx: &mut Context<Self>) -> Duration {
        (self.prepared, self.failures) = (true, 0);
        let mut wanted: BTreeMap<_, _> = rows
            .into_iter()
            .filter(|row| row.enabled && row.sync_enabled)
            .map(|row| (row.id.clone(), row))
            .collect();
        if self.draining {
            return self.parts.discover_interval;
        }
        self.keep_what_is_ours(&mut wanted, ctx);
        self.post(ActorState::Idle, self.sharing_reason(), wanted.len());
        self.adapt(wanted, ctx);
        if self.has_unseen_claims() {
            return Duration::ZERO;
        }
        self.parts.discover_interval
    }

    fn not_found(&mut self, error: &StoreError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if !self.prepared && matches!(error, StoreError::Role(_)) {
            // Escalates rather than waits: starting with these rights is what must not happen. A
            // right that goes missing later is waited for: what runs already runs on.
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
            .map(|(id, row)| (id.clone(), self.fingerprint(row)))
            .collect();
        let present = self
            .children
            .iter()
            .map(|(id, child)| (id.clone(), child.fingerprint))
            .collect();
        let changes = reconcile(&fingerprints, &present);
        for id in changes.stop {
            tracing::info!(integration.id = %id, "integration is gone, switched off or another's");
            self.stop(&id, ctx);
        }
        for id in changes.start.into_iter().chain(changes.restart) {
            if let Some(row) = wanted.remove(&id) {
                self.replace(row, ctx);
            }
        }
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
