//! A single round of syncs beside the processes that share the database: it claims what nobody has,
//! and says who has the rest. It takes no share, so nothing is taken from the others for it.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::keeper::{LeaseKeeper, Standing};
use super::supervisor::sharing::by_account;
use crate::device::IntegrationId;
use crate::integration::IntegrationRow;
use crate::store::StoreError;
use crate::store::leases::{Lot, Process, ProcessId};
use crate::sync::JobBuilder;
use crate::tenure::Tenure;

/// Looks per heartbeat while the others have not counted us in.
const LOOKS_PER_BEAT: u32 = 4;

/// What a round may sync.
#[derive(Debug, Default)]
pub struct Claimed {
    /// What is ours for as long as the round beats.
    pub ours: BTreeMap<IntegrationId, Tenure>,
    /// What is not, with the reason.
    pub others: BTreeMap<IntegrationId, String>,
}

/// Claims the integrations `chosen` of all `rows`, as far as nobody has their accounts.
///
/// # Errors
/// [`StoreError`] when the database does not answer or refuses.
pub async fn claim(
    keeper: &LeaseKeeper,
    chosen: &BTreeSet<IntegrationId>,
    rows: &[IntegrationRow],
    builder: &JobBuilder,
) -> Result<Claimed, StoreError> {
    let groups = by_account(rows, builder, &RandomState::new());
    let began = Instant::now();
    let (lots, mut claimed) = loop {
        let standing = keeper.beat().await?;
        share_hosts(&standing, builder);
        let choice = choose(&standing, &groups, chosen);
        // Nothing to call for: no need to wait until it would be allowed.
        let may_claim = choice.lots.is_empty() || standing.is_counted_in;
        // A round that was killed is gone when its lease has run out; one at work is not.
        let waits = choice.another_round && began.elapsed() <= keeper.terms().duration;
        if may_claim && !waits {
            break (choice.lots, choice.claimed);
        }
        tokio::time::sleep(keeper.terms().heartbeat / LOOKS_PER_BEAT).await;
    };
    for (id, epoch) in keeper.claim(&lots).await? {
        claimed.ours.insert(id, keeper.tenure(epoch));
    }
    for id in lots.into_iter().flatten() {
        if !claimed.ours.contains_key(&id) {
            let reason = "another process is just taking it over; try again in a moment";
            claimed.others.insert(id, reason.to_owned());
        }
    }
    Ok(claimed)
}

/// What of the chosen integrations is free, by account, and why the rest is not.
#[derive(Debug, Default)]
struct Choice {
    lots: Vec<Lot>,
    claimed: Claimed,
    /// Some are held by another single round, which will be over soon.
    another_round: bool,
}

fn choose(
    standing: &Standing,
    groups: &[Vec<IntegrationId>],
    chosen: &BTreeSet<IntegrationId>,
) -> Choice {
    let owners: HashMap<&IntegrationId, &ProcessId> = standing
        .census
        .leases
        .iter()
        .map(|lease| (&lease.integration, &lease.owner))
        .collect();
    let mut choice = Choice::default();
    for group in groups {
        let lot: Lot = group
            .iter()
            .filter(|id| chosen.contains(*id))
            .cloned()
            .collect();
        let owner = group.iter().find_map(|member| owners.get(member));
        match owner {
            _ if lot.is_empty() => {}
            None => choice.lots.push(lot),
            Some(owner) => {
                let mut live = standing.census.live.iter().map(|other| &other.process);
                let owner = live.find(|process| process.id == **owner);
                choice.another_round |= owner.is_some_and(|process| !process.shares);
                let reason = held_by(owner);
                let reasons = lot.into_iter().map(|id| (id, reason.clone()));
                choice.claimed.others.extend(reasons);
            }
        }
    }
    choice
}

fn held_by(owner: Option<&Process>) -> String {
    match owner {
        Some(process) if process.shares => format!(
            "its account is held by the service at {}, which syncs it on its own timer: wait for that, \
             or stop the service first (if it was killed, its lease runs out by itself)",
            process.address
        ),
        Some(process) => format!(
            "its account is being synced by another `carrier-sync once`, at {}; try again when that \
             has ended",
            process.address
        ),
        None => "its account is held by another process".to_owned(),
    }
}

/// What hosts allow is for all processes together.
fn share_hosts(standing: &Standing, builder: &JobBuilder) {
    builder.limits.share_hosts_with(standing.census.live.len());
}

/// Keeps what was claimed for as long as the task lives.
pub async fn keep_beating(keeper: Arc<LeaseKeeper>, builder: Arc<JobBuilder>) {
    loop {
        tokio::time::sleep(keeper.terms().heartbeat).await;
        match keeper.beat().await {
            Ok(standing) => share_hosts(&standing, &builder),
            Err(error) => tracing::warn!(%error, "the leases could not be renewed"),
        }
    }
}
