//! Whose turn it is to be asked for when not everyone can be.
//!
//! A device that failed when it was asked goes behind those that were not asked, so that a few hundred
//! deleted devices do not use up every sync's allowance. Where the store knows whose usage is oldest,
//! those come first; else everyone has a turn in rounds. Processes that live for one sync only, or are
//! restarted often, must not ask the same devices again and again: the first round is drawn, and so is a part
//! of those whose turn it is while it is not known who has theirs in vain.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::plan::{Plan, window};
use super::roster::{Place, Roster};
use crate::device::CarrierDeviceId;

/// One turn in so many is drawn.
const PART_DRAWN: u64 = 4;

/// Whose turn it is in one sync, by their place in the roster.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct InTurn {
    /// To be asked for their usage, or the cycle that it is counted in.
    pub usage: HashSet<Place>,
    /// To be asked for their statuses.
    pub statuses: HashSet<Place>,
    /// To be asked for what listing and report should have told; `None`: everyone, for there are few.
    pub fallbacks: Option<HashSet<Place>>,
}

impl InTurn {
    /// Whether a device may be asked for what listing and report should have told.
    #[must_use]
    pub fn may_fall_back(&self, place: Place) -> bool {
        self.fallbacks
            .as_ref()
            .is_none_or(|places| places.contains(&place))
    }
}

/// Who had a turn, and which round it is.
#[derive(Debug, Default)]
pub struct Turns {
    /// Linked devices that have had their last turn in vain.
    had: Mutex<HashSet<CarrierDeviceId>>,
    /// Syncs that were begun.
    syncs: AtomicU64,
    /// The round of the first of them.
    first_round: u64,
}

impl Turns {
    /// Turns that begin with any round.
    #[must_use]
    pub fn from_round(first_round: u64) -> Self {
        Self {
            first_round,
            ..Self::default()
        }
    }

    /// The round of a sync that begins now.
    pub fn next_round(&self) -> u64 {
        let syncs = self.syncs.fetch_add(1, Ordering::Relaxed);
        self.first_round.wrapping_add(syncs)
    }

    /// The devices whose turn it is; one whose name no device `can_have` gets none. Up to `most_fallbacks` are
    /// asked for what listing and report should have told.
    pub fn choose(
        &self,
        roster: &Roster,
        plan: &Plan,
        (round, most_fallbacks): (u64, usize),
        can_have: impl Fn(&str) -> bool,
    ) -> InTurn {
        self.forget_unlinked(roster);
        let in_turn = usize::try_from(plan.devices_in_turn).unwrap_or(usize::MAX);
        let is_large = roster.len() > most_fallbacks;
        let mut chosen = InTurn {
            // First come in the listing's order, it would be the same ones at every sync.
            fallbacks: is_large.then(|| self.first(roster, most_fallbacks, round, &can_have)),
            ..InTurn::default()
        };
        if in_turn == 0 {
            return chosen;
        }
        if plan.has_usage_turns {
            chosen.usage = self.first(roster, in_turn, round, &can_have);
        }
        if plan.status_details.is_empty() {
            return chosen;
        }
        if plan.has_usage_turns && plan.are_statuses_always_due {
            chosen.statuses.clone_from(&chosen.usage);
        } else {
            // In rounds of their own: tied to the turns for usage, those who have theirs whenever statuses are
            // not due would never be asked.
            let order = in_rounds(roster, &can_have);
            chosen.statuses = window(&order, in_turn, plan.status_round);
        }
        chosen
    }

    /// The first of the roster. A part is kept for others: for those that had their turn in vain, and as long
    /// as nobody has had one, for anyone. They are drawn anew each round: they may be well again, and they
    /// may not crowd out the first, nor the first them.
    fn first(
        &self,
        roster: &Roster,
        in_turn: usize,
        round: u64,
        can_have: impl Fn(&str) -> bool,
    ) -> HashSet<Place> {
        let had = self.had();
        let nobody_had = self.syncs.load(Ordering::Relaxed) <= 1;
        // Where the part is less than one turn, it is one of some rounds.
        let kept = (in_turn as u64).saturating_add(round % PART_DRAWN) / PART_DRAWN;
        let kept = usize::try_from(kept).unwrap_or(in_turn);
        let (mut first, mut drawn) = (Vec::new(), Vec::new());
        roster.for_each_name(|place, name| {
            if !can_have(name) {
                return;
            }
            let was_in_vain = !had.is_empty()
                && CarrierDeviceId::parse(name).is_ok_and(|device| had.contains(&device));
            let is_drawn = was_in_vain || (nobody_had && first.len() >= in_turn - kept);
            if is_drawn {
                drawn.push((hash(&(name, round)), place));
            } else if first.len() < in_turn {
                first.push(place);
            }
        });
        drawn.sort_unstable();
        let room = in_turn - kept.min(drawn.len());
        let drawn = drawn.into_iter().map(|(_, place)| place);
        let first = first.into_iter().take(room);
        first.chain(drawn).take(in_turn).collect()
    }

    /// Puts those that have had their turn in vain last; otherwise the order stays. Once all of them have,
    /// they begin anew.
    pub fn order(&self, devices: &mut [CarrierDeviceId]) {
        let mut had = self.had();
        if devices.iter().all(|device| had.contains(device)) {
            devices.iter().for_each(|device| drop(had.take(device)));
        }
        devices.sort_by_key(|device| had.contains(device));
    }

    fn forget_unlinked(&self, roster: &Roster) {
        self.had().retain(|device| roster.is_linked(device));
    }

    /// A device has had its turn.
    pub fn taken(&self, device: &CarrierDeviceId, in_vain: bool) {
        let mut had = self.had();
        if in_vain {
            had.insert(device.clone());
        } else {
            had.remove(device);
        }
    }

    fn had(&self) -> MutexGuard<'_, HashSet<CarrierDeviceId>> {
        self.had.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everyone in an order that stays, whoever comes and goes.
fn in_rounds(roster: &Roster, can_have: impl Fn(&str) -> bool) -> Vec<Place> {
    let mut order: Vec<(u64, Place)> = Vec::with_capacity(roster.len());
    roster.for_each_name(|place, name| {
        if can_have(name) {
            order.push((hash(&name), place));
        }
    });
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}

/// The same in every process: its keys are fixed.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<CarrierDeviceId> {
        names
            .iter()
            .map(|name| CarrierDeviceId::parse(name).unwrap())
            .collect()
    }

    #[test]
    fn a_device_that_fails_waits_until_everyone_has_had_a_turn() {
        let turns = Turns::default();
        let mut devices = ids(&["a", "b", "c"]);
        turns.taken(&devices[0], true);
        turns.order(&mut devices);
        assert_eq!(devices, ids(&["b", "c", "a"]));
        turns.taken(&devices[0], true);
        turns.taken(&devices[1], true);
        let mut devices = ids(&["a", "b", "c"]);
        turns.order(&mut devices);
        assert_eq!(devices, ids(&["a", "b", "c"]), "a new round");
    }

    #[test]
    fn a_device_that_is_well_again_is_first_again() {
        let turns = Turns::default();
        let mut devices = ids(&["a", "b"]);
        turns.taken(&devices[0], true);
        turns.taken(&devices[0], false);
        turns.order(&mut devices);
        assert_eq!(devices, ids(&["a", "b"]));
    }

    fn roster(devices: usize) -> Roster {
        let mut linked = crate::device::LinkedDevices::default();
        for number in 0..devices {
            linked
                .push(&number.to_string(), &number.to_string())
                .unwrap();
        }
        Roster::new(linked)
    }

    fn id(number: usize) -> CarrierDeviceId {
        CarrierDeviceId::parse(&number.to_string()).unwrap()
    }

    #[test]
    fn everyone_s_statuses_are_asked_for_in_one_round_whatever_the_rhythm_of_usage() {
        let (turns, roster) = (later(), roster(100));
        for every in [1, 2, 3, 4, 5, 7, 10, 20] {
            let mut asked = HashSet::new();
            // The window begins anew at any multiple of its own length: ten rounds of ten devices.
            for status_round in 0..10 {
                let plan = Plan {
                    devices_in_turn: 10,
                    has_usage_turns: true,
                    status_details: vec![1],
                    status_round,
                    ..Plan::default()
                };
                let chosen = turns.choose(&roster, &plan, (status_round * every, 9), |_| true);
                assert_eq!((chosen.usage.len(), chosen.statuses.len()), (10, 10));
                asked.extend(chosen.statuses);
            }
            assert_eq!(asked.len(), 100);
        }
    }

    /// Turns of a process in which syncs have been before.
    fn later() -> Turns {
        let turns = Turns::default();
        turns.next_round();
        turns.next_round();
        turns
    }

    /// Eight of a hundred, the oldest first.
    fn eight(turns: &Turns, roster: &Roster, round: u64) -> HashSet<Place> {
        turns.first(roster, 8, round, |_| true)
    }

    #[test]
    fn the_oldest_come_first_and_those_in_vain_neither_crowd_them_out_nor_are_forgotten() {
        let (turns, roster) = (later(), roster(100));
        assert_eq!(eight(&turns, &roster, 0), (0..8).collect());
        for number in 0..40 {
            turns.taken(&id(number), true);
        }
        let mut again = HashSet::new();
        for round in 0..200 {
            let chosen = eight(&turns, &roster, round);
            assert_eq!(chosen.len(), 8);
            assert_eq!(chosen.iter().filter(|place| **place >= 40).count(), 6);
            again.extend(chosen.into_iter().filter(|place| *place < 40));
        }
        assert_eq!(again.len(), 40, "each of them is tried again some time");
    }

    #[test]
    fn a_single_turn_goes_to_both_kinds_of_devices() {
        let (turns, roster) = (later(), roster(100));
        turns.taken(&id(0), true);
        let turns_of = |round| turns.first(&roster, 1, round, |_| true);
        let of_the_first = (0..400).filter(|round| turns_of(*round).contains(&0));
        assert_eq!(of_the_first.count(), 100);
    }

    #[test]
    fn who_had_a_turn_in_vain_is_remembered_over_syncs_in_which_nobody_or_another_is_missing() {
        let (turns, roster) = (later(), roster(100));
        for number in 0..40 {
            turns.taken(&id(number), true);
        }
        turns.order(&mut []);
        turns.order(&mut [id(50)]);
        turns.order(&mut [id(0)]);
        let chosen = eight(&turns, &roster, 0);
        assert!(chosen.contains(&0), "it alone begins anew");
        assert_eq!(chosen.iter().filter(|place| **place >= 40).count(), 5);
    }

    #[test]
    fn a_process_that_lives_for_one_sync_reaches_everyone_behind_devices_that_are_always_in_vain() {
        let roster = roster(100);
        let mut reached = HashSet::new();
        for first in 0..500 {
            let turns = Turns::from_round(first * 7_919);
            let round = turns.next_round();
            let chosen = eight(&turns, &roster, round);
            assert_eq!(chosen.len(), 8);
            assert!((0..6).all(|place| chosen.contains(&place)));
            reached.extend(chosen);
        }
        assert_eq!(reached.len(), 100);
    }

    #[test]
    fn a_name_that_no_device_can_have_takes_no_turn_and_one_that_is_unlinked_is_forgotten() {
        let (turns, roster) = (later(), roster(10));
        let odd = |name: &str| name.len() == 1 && name.as_bytes()[0] % 2 == 1;
        let plan = Plan {
            devices_in_turn: 5,
            has_usage_turns: true,
            status_details: vec![1],
            ..Plan::default()
        };
        let chosen = turns.choose(&roster, &plan, (3, 2), odd);
        assert_eq!(chosen.usage, HashSet::from([1, 3, 5, 7, 9]));
        assert_eq!(chosen.statuses, HashSet::from([1, 3, 5, 7, 9]));
        assert_eq!(chosen.fallbacks, Some(HashSet::from([1, 3])));
        turns.taken(&id(77), true);
        turns.choose(&roster, &Plan::default(), (4, 9), |_| true);
        assert!(turns.had().is_empty());
    }

    #[test]
    fn rounds_follow_each_other_from_any_first_one() {
        let turns = Turns::from_round(500);
        let rounds: Vec<u64> = (0..3).map(|_| turns.next_round()).collect();
        assert_eq!(rounds, [500, 501, 502]);
        assert_eq!(Turns::from_round(u64::MAX).next_round(), u64::MAX);
    }
}
