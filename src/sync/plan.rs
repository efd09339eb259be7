//! What one sync sets out to ask, by what the carrier can tell and how many devices are linked. Pure.
//!
//! Listings and reports come first: they cost a call per page. What exists per device only is asked for
//! those devices whose turn it is, as many as the slice pays for; the others keep their stored values and
//! are no failures.

use std::collections::HashSet;

use super::roster::Place;
use crate::carriers::Capabilities;
use crate::carriers::capability::{Due, Gives, Source};

/// A device whose cycle is not the common one is asked for its cycle, and for its usage in it.
const CALLS_OF_A_CYCLE: u64 = 2;

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the carrier can tell.
    pub capabilities: &'a Capabilities,
    /// Whether this account has a device listing.
    pub is_listed: bool,
    /// Calls that listing and report take for the linked devices, at least.
    pub bulk_calls: u64,
    /// Linked devices.
    pub devices: u64,
    /// Those of them whose billing cycle is not known or has ended, where cycles are kept.
    pub without_cycle: u64,
    /// Calls that may go to what exists per device only.
    pub slice_calls: u64,
    /// Which sync this is, counted from anywhere.
    pub round: u64,
    /// Statuses that cost a call per device are asked for on every so many syncs.
    pub device_info_every: u32,
}

/// What one sync sets out to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Devices that have a turn for their usage; as many have one for their statuses, where these are due.
    pub devices_in_turn: u64,
    /// Whether usage, or the cycle that it is counted in, is asked for in turns; the oldest come first.
    pub has_usage_turns: bool,
    /// The detail that says what a device used, by its place among the capabilities', where there is one.
    pub usage_detail: Option<usize>,
    /// The detail that says a device's billing cycle, once per cycle.
    pub cycle_detail: Option<usize>,
    /// Details about statuses that are due at this sync.
    pub status_details: Vec<usize>,
    /// Whether they are due at every sync.
    pub are_statuses_always_due: bool,
    /// Syncs at which statuses were due, counted from anywhere.
    pub status_round: u64,
    /// A device whose usage was not asked for, because it had no turn, is no failure.
    pub usage_waits: bool,
    /// Calls that all of it takes.
    pub calls: u64,
}

impl Plan {
    /// The plan for one sync.
    #[must_use]
    pub fn new(facts: Facts<'_>) -> Self {
        let capabilities = facts.capabilities;
        let place_of = |gives: Gives| {
            let mut details = capabilities.details.iter();
            details.position(|detail| detail.gives == gives)
        };
        let status_details = status_details(&facts);
        let usage_detail = place_of(Gives::Usage);
        let usage_in_turns = capabilities.has_usage_per_device();
        let details = usize::from(usage_in_turns) + status_details.len();
        let keeps_cycles = capabilities.keeps_cycles();
        let calls_each = details as u64 + if keeps_cycles { CALLS_OF_A_CYCLE } else { 0 };
        let devices_in_turn = match facts.slice_calls.checked_div(calls_each) {
            // A slice that is smaller than what one device costs is for one device.
            Some(devices) if facts.is_listed && facts.slice_calls > 0 => {
                devices.max(1).min(facts.devices)
            }
            _ => 0,
        };
        let due = if keeps_cycles {
            devices_in_turn.min(facts.without_cycle)
        } else {
            devices_in_turn
        };
        Self {
            devices_in_turn,
            has_usage_turns: usage_in_turns || keeps_cycles,
            usage_detail,
            cycle_detail: place_of(Gives::Cycle),
            usage_waits: facts.is_listed && (usage_in_turns || keeps_cycles),
            calls: facts.bulk_calls
                + if facts.is_listed {
                    due * calls_each
                } else {
                    facts.devices * (1 + calls_each)
                },
            status_details,
            are_statuses_always_due: every(&facts) == 1,
            status_round: facts.round / every(&facts),
        }
    }
}

fn every(facts: &Facts<'_>) -> u64 {
    u64::from(facts.device_info_every.max(1))
}

/// Statuses that a listing does not show, when it is their sync.
fn status_details(facts: &Facts<'_>) -> Vec<usize> {
    let capabilities = facts.capabilities;
    let wanted = [capabilities.sim_status, capabilities.network_status];
    let is_wanted = wanted.contains(&Source::PerDevice);
    if !is_wanted || !facts.round.is_multiple_of(every(facts)) {
        return Vec::new();
    }
    let details = capabilities.details.iter().enumerate();
    details
        .filter(|(_, detail)| detail.gives == Gives::Status && detail.due == Due::EveryTurn)
        .map(|(place, _)| place)
        .collect()
}

/// Of so many devices in an order that stays, those whose turn it is in this round: a window that goes on
/// where the last one ended, and begins anew at the end.
#[must_use]
pub fn window(order: &[Place], in_turn: usize, round: u64) -> HashSet<Place> {
    if order.is_empty() {
        return HashSet::new();
    }
    let count = order.len() as u128;
    let from = (u128::from(round) * in_turn as u128 % count) as usize;
    let around = order.iter().cycle().skip(from);
    around.take(in_turn.min(order.len())).copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::carriers::capability::Detail;
    use crate::carriers::registry;

    fn capabilities(usage: Source, network: Source, gives: &[Gives]) -> Capabilities {
        let detail = |gives: &Gives| Detail {
            name: Cow::Borrowed("x"),
            gives: *gives,
            due: match gives {
                Gives::Cycle => Due::OncePerCycle,
                Gives::Usage | Gives::Status => Due::EveryTurn,
            },
        };
        Capabilities {
            usage,
            network_status: network,
            sim_status: Source::Listing,
            details: gives.iter().map(detail).collect(),
            ..registry::find("hologram").unwrap().capabilities().clone()
        }
    }

    fn plan(capabilities: &Capabilities, change: impl FnOnce(&mut Facts<'_>)) -> Plan {
        let mut facts = Facts {
            capabilities,
            is_listed: true,
            bulk_calls: 10,
            devices: 1_000,
            without_cycle: 0,
            slice_calls: 100,
            round: 0,
            device_info_every: 1,
        };
        change(&mut facts);
        Plan::new(facts)
    }

    #[test]
    fn a_carrier_that_lists_everything_is_asked_nothing_per_device() {
        let all = capabilities(Source::Report, Source::Listing, &[]);
        let plan = plan(&all, |_| ());
        assert_eq!((plan.calls, plan.devices_in_turn), (10, 0));
        assert!(!plan.usage_waits);
    }

    #[test]
    fn a_slice_counts_calls_and_not_devices() {
        let both = capabilities(
            Source::PerDevice,
            Source::PerDevice,
            &[Gives::Usage, Gives::Status],
        );
        let whole = plan(&both, |_| ());
        assert_eq!(
            (whole.status_details.as_slice(), whole.devices_in_turn),
            (&[1][..], 50)
        );
        assert_eq!(whole.calls, 110);
        assert!(whole.has_usage_turns && whole.usage_waits);
        let few = plan(&both, |facts| facts.devices = 3);
        assert_eq!((few.devices_in_turn, few.calls), (3, 16));
        let one = plan(&both, |facts| facts.slice_calls = 1);
        assert_eq!((one.devices_in_turn, one.calls), (1, 12));
        let none = plan(&both, |facts| facts.slice_calls = 0);
        assert_eq!((none.devices_in_turn, none.calls), (0, 10));
    }

    #[test]
    fn statuses_that_cost_a_call_each_come_on_every_nth_sync_and_usage_on_every() {
        let both = capabilities(
            Source::PerDevice,
            Source::PerDevice,
            &[Gives::Usage, Gives::Status],
        );
        let at = |round| {
            let plan = plan(&both, |facts| {
                (facts.round, facts.device_info_every) = (round, 3);
            });
            (plan.status_details, plan.devices_in_turn, plan.status_round)
        };
        assert_eq!(at(3), (vec![1], 50, 1));
        assert_eq!(at(4), (vec![], 100, 1));
        assert_eq!(at(5), (vec![], 100, 1));
        assert_eq!(at(6), (vec![1], 50, 2));
    }

    #[test]
    fn usage_that_is_listed_is_asked_per_device_only_where_the_listing_lacks_it() {
        let cisco = capabilities(
            Source::Listing,
            Source::PerDevice,
            &[Gives::Usage, Gives::Status],
        );
        let plan = plan(&cisco, |_| ());
        assert_eq!(
            (plan.status_details.as_slice(), plan.usage_detail),
            (&[1][..], Some(0))
        );
        assert!(!plan.has_usage_turns && !plan.usage_waits);
    }

    #[test]
    fn usage_that_no_detail_tells_but_a_call_for_its_line_is_asked_for_in_turns_too() {
        let lines = capabilities(Source::PerDevice, Source::Listing, &[]);
        let plan = plan(&lines, |_| ());
        assert_eq!((plan.devices_in_turn, plan.calls), (100, 110));
        assert!(plan.has_usage_turns && plan.usage_waits);
    }

    #[test]
    fn without_a_listing_every_device_is_asked() {
        let both = capabilities(
            Source::PerDevice,
            Source::PerDevice,
            &[Gives::Usage, Gives::Status],
        );
        let plan = plan(&both, |facts| {
            (facts.is_listed, facts.bulk_calls) = (false, 0)
        });
        assert_eq!(plan.calls, 3_000);
        assert!(!plan.usage_waits);
    }

    #[test]
    fn cycles_are_asked_for_once_and_cost_nothing_until_they_end() {
        let supersim = capabilities(Source::Report, Source::Nowhere, &[Gives::Cycle]);
        let steady = plan(&supersim, |_| ());
        assert_eq!((steady.cycle_detail, steady.calls), (Some(0), 10));
        assert!(steady.usage_waits && steady.has_usage_turns);
        let first = plan(&supersim, |facts| facts.without_cycle = 1_000);
        assert_eq!((first.devices_in_turn, first.calls), (50, 110));
    }

    proptest! {
        #[test]
        fn in_enough_rounds_everyone_has_a_turn_and_nobody_two_more_than_another(
            devices in 1_usize..200, in_turn in 1_usize..50, first in any::<u32>(),
        ) {
            let order: Vec<Place> = (0..devices as Place).collect();
            let in_turn = in_turn.min(devices);
            let rounds = devices.div_ceil(in_turn) as u64;
            let mut turns = vec![0; devices];
            for round in u64::from(first)..u64::from(first) + rounds {
                let window = window(&order, in_turn, round);
                prop_assert_eq!(window.len(), in_turn);
                window.into_iter().for_each(|place| turns[place as usize] += 1);
            }
            prop_assert!(turns.iter().all(|turns| (1..=2).contains(turns)), "{turns:?}");
        }
    }
}
