//! Which integrations are this process's, where several share them: a beat on which leases are renewed,
//! and given up and claimed until the shares are fair.
//!
//! An actor lives only while its integration is held. One that is given up finishes first and is released
//! then; one whose lease has run out ends at once, since another process may be at work on it already.
//! Beats follow each other: what one has claimed or given up is known when the next one looks.

mod beats;
mod losses;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};

use super::Supervisor;
use crate::actors::keeper::{LeaseKeeper, Standing};
use crate::device::IntegrationId;
use crate::integration::IntegrationRow;
use crate::status::ActorState;
use crate::store::StoreError;
use crate::store::leases::{Lot, ProcessId};
use crate::supervision::sharing::{Picture, Plan};
use crate::sync::JobBuilder;
use crate::tenure::{Epoch, Tenure};

/// A beat that failed is repeated after this part of the time between beats: a lease lasts few of them.
const RETRY_PART: u32 = 3;

/// What of the integrations is this process's.
#[derive(Debug)]
pub(super) struct Sharing {
    keeper: Arc<LeaseKeeper>,
    held: BTreeMap<IntegrationId, Held>,
    /// All integrations to be synced, by account, as the last discovery saw them; `None`: none yet.
    groups: Option<Vec<Vec<IntegrationId>>>,
    /// Given up, and not yet released.
    leaving: Vec<IntegrationId>,
    is_releasing: bool,
    /// The timer of the next beat; `None`: one is under way.
    next_beat: Option<SpawnHandle>,
    /// There is something new that the beat under way does not know of.
    is_hurried: bool,
    /// The timer that ends everything when the leases run out.
    run_out: Option<SpawnHandle>,
    /// What the last beat left to be told.
    reason: Option<String>,
    /// Processes and integrations of ours, as last told.
    told: (usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    epoch: Epoch,
    /// Discoveries begun before it was claimed: their rows may be older than the last owner's word.
    looks_before: u64,
}

impl Sharing {
    pub(super) fn of(keeper: Arc<LeaseKeeper>) -> Self {
        Self {
            keeper,
            held: BTreeMap::new(),
            groups: None,
            leaving: Vec::new(),
            is_releasing: false,
            next_beat: None,
            is_hurried: false,
            run_out: None,
            reason: None,
            told: (0, 0),
        }
    }

    /// What fair shares ask of us.
    fn plan(&self, standing: &Standing) -> Plan<IntegrationId> {
        let live = &standing.census.live;
        let sharers: BTreeSet<ProcessId> = live
            .iter()
            .filter(|other| other.process.shares)
            .map(|other| other.process.id.clone())
            .collect();
        let owners = standing.census.leases.iter();
        let owners = owners.map(|lease| (lease.integration.clone(), lease.owner.clone()));
        let (owners, groups) = (owners.collect(), self.groups.as_deref());
        let picture = Picture {
            me: &standing.me,
            sharers: &sharers,
            groups: groups.unwrap_or_default(),
            owners: &owners,
        };
        picture.plan()
    }
}

impl Supervisor {
    /// The right to an integration; `None`: it is another process's.
    pub(super) fn tenure(&self, id: &IntegrationId) -> Option<Tenure> {
        let Some(sharing) = &self.sharing else {
            return Some(Tenure::sole());
        };
        let held = sharing.held.get(id)?;
        Some(sharing.keeper.tenure(held.epoch))
    }

    /// Changes with the row and with the lease: under a new one the actor begins anew.
    pub(super) fn fingerprint(&self, row: &IntegrationRow) -> u64 {
        let held = self.sharing.as_ref().and_then(|s| s.held.get(&row.id));
        let epoch = held.map(|held| held.epoch);
        self.hasher.hash_one((row.fingerprint(&self.hasher), epoch))
    }

    /// Leaves of what a discovery has found what this process holds. The first one begins the beats.
    pub(super) fn keep_what_is_ours(
        &mut self,
        wanted: &mut BTreeMap<IntegrationId, IntegrationRow>,
        ctx: &mut Context<Self>,
    ) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let groups = by_account(wanted.values(), &self.parts.builder, &self.hasher);
        let is_news = sharing.groups.as_ref() != Some(&groups);
        let is_first = sharing.groups.replace(groups).is_none();
        let look = self.looks;
        let is_ours = |held: &Held| held.looks_before < look;
        wanted.retain(|id, _| sharing.held.get(id).is_some_and(is_ours));
        if is_first {
            self.beat(ctx);
        } else if is_news {
            self.hurry_beat(ctx);
        }
    }

    /// Whether something was claimed while a discovery was under way.
    pub(super) fn has_unseen_claims(&self) -> bool {
        let sharing = self.sharing.iter();
        sharing
            .flat_map(|sharing| sharing.held.values())
            .any(|held| held.looks_before >= self.looks)
    }

    /// What the status says of the leases, where it needs a word.
    pub(super) fn sharing_reason(&self) -> Option<String> {
        self.sharing.as_ref()?.reason.clone()
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = &self.sharing else {
            return;
        };
        let (keeper, began) = (Arc::clone(&sharing.keeper), Instant::now());
        let asked = tokio::spawn(async move { keeper.beat().await });
        ctx.spawn(asked.into_actor(self).map(move |joined, supervisor, ctx| {
            let stands =
                joined.unwrap_or_else(|error| Err(StoreError::Rejected(error.to_string())));
            match stands {
                Ok(standing) => supervisor.stands(&standing, began, ctx),
                Err(error) => supervisor.beat_failed(&error, ctx),
            }
        }));
    }

    fn beat_failed(&mut self, error: &StoreError, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let left = sharing.keeper.left();
        let reason = format!("leases not renewed, {} s left: {error}", left.as_secs());
        if sharing.reason.is_none() {
            tracing::warn!(%error, left_s = left.as_secs(), "the leases could not be renewed");
        }
        sharing.reason = Some(reason.clone());
        let (held, again) = (
            sharing.held.len(),
            sharing.keeper.terms().heartbeat / RETRY_PART,
        );
        self.post(ActorState::BackingOff, Some(reason), held);
        self.beat_after(again, ctx);
    }

    fn stands(&mut self, standing: &Standing, began: Instant, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let was_in_trouble = sharing.reason.is_some();
        sharing.reason = (!standing.is_counted_in).then(|| {
            "joining the other processes: they make room within a heartbeat or two".to_owned()
        });
        // Before anything new is called: the others have made room for us, and so must we for them.
        let processes = standing.census.live.len();
        self.parts.builder.limits.share_hosts_with(processes);
        self.end_when_run_out(ctx);
        self.lose_what_is_not_ours(standing);
        if self.draining {
            return self.next_beat(began, ctx);
        }
        self.tell_shares(standing, was_in_trouble);
        let (claim, release) = self.act_on_shares(standing, ctx);
        self.settle(claim, release, began, ctx);
    }

    /// Stops what is to be given up, and answers what can be claimed, and released at once.
    fn act_on_shares(
        &mut self,
        standing: &Standing,
        ctx: &mut Context<Self>,
    ) -> (Vec<Lot>, Vec<IntegrationId>) {
        let Some(sharing) = &self.sharing else {
            return (Vec::new(), Vec::new());
        };
        let plan = sharing.plan(standing);
        let is_known =
            |id: &IntegrationId| sharing.held.contains_key(id) || self.children.contains_key(id);
        let stop: Vec<_> = plan.release.into_iter().filter(|id| is_known(id)).collect();
        // Ours in the database and at work nowhere: the answer to their claim or release was lost. Free
        // again, they can be claimed anew.
        let strays = standing.census.leases.iter();
        let strays = strays
            .filter(|lease| lease.owner == standing.me && !is_known(&lease.integration))
            .map(|lease| lease.integration.clone())
            .collect();
        for id in stop {
            self.stop(&id, ctx);
        }
        let claim = if standing.is_counted_in {
            plan.claim
        } else {
            Vec::new()
        };
        (claim, strays)
    }

    /// Releases and claims in the database, and then plans the next beat.
    fn settle(
        &mut self,
        claim: Vec<Lot>,
        release: Vec<IntegrationId>,
        began: Instant,
        ctx: &mut Context<Self>,
    ) {
        let Some(sharing) = &self.sharing else {
            return;
        };
        if claim.is_empty() && release.is_empty() {
            return self.next_beat(began, ctx);
        }
        let keeper = Arc::clone(&sharing.keeper);
        let settled = tokio::spawn(async move {
            if !release.is_empty() {
                keeper.release(&release).await?;
            }
            keeper.claim(&claim).await
        });
        ctx.spawn(
            settled
                .into_actor(self)
                .map(move |joined, supervisor, ctx| {
                    match joined {
                        Ok(Ok(claimed)) => supervisor.claimed(claimed, ctx),
                        Ok(Err(error)) => tracing::warn!(%error, "nothing could be claimed"),
                        Err(error) => tracing::error!(%error, "nothing could be claimed"),
                    }
                    supervisor.next_beat(began, ctx);
                }),
        );
    }

    /// What was claimed is started from its row as it is now: its last owner may have synced it a
    /// moment ago.
    fn claimed(&mut self, claimed: Vec<(IntegrationId, Epoch)>, ctx: &mut Context<Self>) {
        let looks_before = self.looks;
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        if claimed.is_empty() || self.draining {
            return;
        }
        let held = claimed.into_iter().map(|(id, epoch)| {
            let held = Held {
                epoch,
                looks_before,
            };
            (id, held)
        });
        sharing.held.extend(held);
        self.look_after(Duration::ZERO, ctx);
    }

    /// An integration whose actor has ended is no longer ours to sync; others may have it.
    pub(super) fn let_go(&mut self, id: &IntegrationId, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        sharing.held.remove(id);
        sharing.leaving.push(id.clone());
        self.release_leaving(ctx);
    }

    /// One transaction at a time: what ends meanwhile goes with the next.
    fn release_leaving(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        if sharing.is_releasing || sharing.leaving.is_empty() {
            return;
        }
        sharing.is_releasing = true;
        let leaving = std::mem::take(&mut sharing.leaving);
        let keeper = Arc::clone(&sharing.keeper);
        let released = tokio::spawn(async move { keeper.release(&leaving).await });
        ctx.spawn(released.into_actor(self).map(|joined, supervisor, ctx| {
            if let Ok(Err(error)) = joined {
                tracing::warn!(%error, "leases not released; the next beat tries again");
            }
            if let Some(sharing) = &mut supervisor.sharing {
                sharing.is_releasing = false;
            }
            supervisor.release_leaving(ctx);
        }));
    }

    fn tell_shares(&mut self, standing: &Standing, was_in_trouble: bool) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        let now = (standing.census.live.len(), sharing.held.len());
        let reason = sharing.reason.clone();
        if sharing.told != now {
            sharing.told = now;
            let (processes, held) = now;
            let all = sharing.groups.iter().flatten().map(Vec::len).sum::<usize>();
            tracing::info!(
                processes,
                held,
                integrations = all,
                "integrations are shared"
            );
        }
        if was_in_trouble || reason.is_some() {
            self.post(ActorState::Idle, reason, now.1);
        }
    }
}

/// The integrations that share an account, in an order that is the same in every process. A row that
/// cannot be called for stands by itself.
pub(crate) fn by_account<'a>(
    rows: impl IntoIterator<Item = &'a IntegrationRow>,
    builder: &JobBuilder,
    hasher: &impl BuildHasher,
) -> Vec<Vec<IntegrationId>> {
    let mut accounts: HashMap<u64, Vec<IntegrationId>> = HashMap::new();
    let mut groups = Vec::new();
    for row in rows {
        match builder.account_key(row, hasher) {
            Ok(key) => accounts.entry(key).or_default().push(row.id.clone()),
            Err(_) => groups.push(vec![row.id.clone()]),
        }
    }
    groups.extend(accounts.into_values());
    groups.iter_mut().for_each(|group| group.sort());
    groups.sort();
    groups
}
