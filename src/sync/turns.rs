//! Whose turn it is to be asked for when not everyone can be.
//!
//! A device that failed when it was asked goes behind those that were not asked, so that a few hundred
//! deleted devices do not use up every sync's allowance. Where the store knows whose usage is oldest,
//! those come first; else everyone has a turn in rounds. The first round is drawn, so that processes that live
//! for one round only, or are restarted often, do not ask the same devices again and again.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::plan::{Plan, window};
use super::roster::{Place, Roster};
use crate::device::CarrierDeviceId;

/// One turn in so many goes to devices that had theirs in vain.
const PART_IN_VAIN: usize = 4;

/// Who had a turn, and which round it is.
#[derive(Debug, Default)]
pub struct Turns {
    /// Devices that have had their turn in vain, since everyone last had one.
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

    /// The devices whose turn it is.
    #[must_use]
    pub fn choose(&self, roster: &Roster, plan: &Plan, round: u64) -> HashSet<Place> {
        let in_turn = usize::try_from(plan.devices_in_turn).unwrap_or(usize::MAX);
        if in_turn == 0 {
            return HashSet::new();
        }
        if plan.is_oldest_first {
            return self.first(roster, in_turn, round);
        }
        let mut order: Vec<(u64, Place)> = Vec::with_capacity(roster.len());
        roster.for_each_name(|place, name| order.push((hash(&name), place)));
        order.sort_unstable();
        let order: Vec<Place> = order.into_iter().map(|(_, place)| place).collect();
        window(&order, in_turn, round)
    }

    /// The first of the roster. A part is kept for those that had their turn in vain, in another order
    /// each round: they may be well again, and they may not crowd out the others.
    fn first(&self, roster: &Roster, in_turn: usize, round: u64) -> HashSet<Place> {
        let had = self.had();
        let (mut fresh, mut in_vain) = (Vec::new(), Vec::new());
        roster.for_each_name(|place, name| {
            let was_in_vain = !had.is_empty()
                && CarrierDeviceId::parse(name).is_ok_and(|device| had.contains(&device));
            if was_in_vain {
                in_vain.push((hash(&(name, round)), place));
            } else if fresh.len() < in_turn {
                fresh.push(place);
            }
        });
        in_vain.sort_unstable();
        let kept = (in_turn / PART_IN_VAIN).max(1).min(in_vain.len());
        let room = (in_turn - kept).min(fresh.len());
        let again = in_vain.into_iter().map(|(_, place)| place);
        let fresh = fresh.into_iter().take(room);
        fresh.chain(again).take(in_turn).collect()
    }

    /// Puts those that have had their turn last; otherwise the order stays.
    pub fn order(&self, devices: &mut [CarrierDeviceId]) {
        let mut had = self.had();
        if devices.iter().all(|device| had.contains(device)) {
            had.clear();
        }
        devices.sort_by_key(|device| had.contains(device));
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

/// The same in every process: its keys are fixed.
fn hash(name: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
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

    #[test]
    fn the_oldest_come_first_and_those_in_vain_neither_crowd_them_out_nor_are_forgotten() {
        let (turns, roster) = (Turns::default(), roster(100));
        assert_eq!(turns.first(&roster, 8, 0), (0..8).collect());
        for number in 0..40 {
            turns.taken(&CarrierDeviceId::parse(&number.to_string()).unwrap(), true);
        }
        let mut again = HashSet::new();
        for round in 0..200 {
            let chosen = turns.first(&roster, 8, round);
            assert_eq!(chosen.len(), 8);
            assert_eq!(chosen.iter().filter(|place| **place >= 40).count(), 6);
            again.extend(chosen.into_iter().filter(|place| *place < 40));
        }
        assert_eq!(again.len(), 40, "each of them is tried again some time");
    }

    #[test]
    fn rounds_follow_each_other_from_any_first_one() {
        let turns = Turns::from_round(500);
        let rounds: Vec<u64> = (0..3).map(|_| turns.next_round()).collect();
        assert_eq!(rounds, [500, 501, 502]);
        assert_eq!(Turns::from_round(u64::MAX).next_round(), u64::MAX);
    }
}
