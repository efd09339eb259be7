//! The faults in force and which of them each call meets.
//!
//! No dice: a fault counts the calls that it concerns, and what it does to the n-th is drawn from
//! the seed. The same calls in the same order meet the same faults.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    draw::{Draw, Topic},
    fault::{Endpoint, Fault, FaultKind, Stage},
    fleet::Fleet,
};

/// 30 days and some seconds are the longest cycle; a month is at most 31.
const A_CYCLE_LATER_DAYS: i64 = 31;

/// What a correction takes off each counter.
const CORRECTION_PERCENT: u64 = 25;

/// The faults in force; of each [`Stage`] the first that strikes is the one.
#[derive(Debug)]
pub(super) struct Faults {
    draw: Draw,
    armed: Mutex<Vec<Armed>>,
}

/// A fault in force.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    draw: Draw,
    /// Calls that it could have struck.
    matched: u64,
}

impl Armed {
    /// Counts a matching call; what this call meets, if anything.
    fn strike(&mut self) -> Option<FaultKind> {
        if self.fault.skip > 0 {
            self.fault.skip -= 1;
            return None;
        }
        let draw = self.draw.of(Topic::Fault, self.matched);
        self.matched += 1;
        let is_hit = self
            .fault
            .probability
            .is_none_or(|part| draw.percent(part * 100.0));
        if !is_hit {
            return None;
        }
        if let Some(left) = &mut self.fault.times {
            *left = left.checked_sub(1)?;
        }
        Some(match &self.fault.what {
            FaultKind::AnyOf { kinds } => {
                let place = draw.of(Topic::Fault, 0).below(kinds.len() as u64);
                kinds.get(place as usize)?.clone()
            }
            what => what.clone(),
        })
    }

    /// Every call meets it: part of what is true for now.
    fn is_standing(&self) -> bool {
        let fault = &self.fault;
        fault.skip == 0
            && fault.times.is_none()
            && fault.probability.is_none()
            && fault.endpoint.is_none()
    }
}

impl Faults {
    pub(super) fn new(draw: Draw, faults: &[Fault]) -> Self {
        let all = Self {
            draw,
            armed: Mutex::default(),
        };
        faults.iter().for_each(|fault| all.inject(fault.clone()));
        all
    }

    pub(super) fn inject(&self, fault: Fault) {
        let mut armed = self.lock();
        let draw = self.draw.of(Topic::Faults, armed.len() as u64);
        armed.push(Armed {
            fault,
            draw,
            matched: 0,
        });
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// No fault was injected since the start or the last clearing; spent ones count.
    pub(super) fn are_none(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn list(&self) -> Vec<Fault> {
        self.lock()
            .iter()
            .filter(|armed| armed.fault.times != Some(0))
            .map(|armed| armed.fault.clone())
            .collect()
    }

    /// Whether the key of these organisations is revoked for this call.
    pub(super) fn revokes(&self, endpoint: Endpoint, organisations: &[u64]) -> bool {
        self.strike(Stage::Key, endpoint, organisations).is_some()
    }

    /// The fault that this call's answer meets, if any.
    pub(super) fn meet(&self, endpoint: Endpoint, organisations: &[u64]) -> Option<FaultKind> {
        self.strike(Stage::Answer, endpoint, organisations)
    }

    /// The fleet of which this call is told.
    pub(super) fn change(&self, fleet: Fleet, endpoint: Endpoint, organisations: &[u64]) -> Fleet {
        match self.strike(Stage::Fleet, endpoint, organisations) {
            Some(what) => changed(fleet, &what, organisations),
            None => fleet,
        }
    }

    /// The fleet of which every call of this organisation is told: what is true.
    pub(super) fn change_truth(&self, fleet: Fleet, organisation: u64) -> Fleet {
        let armed = self.lock();
        let standing = armed.iter().find(|armed| {
            let fault = &armed.fault;
            armed.is_standing()
                && fault.what.stage() == Stage::Fleet
                && fault.orgid.is_none_or(|wanted| wanted == organisation)
        });
        match standing {
            Some(armed) => changed(fleet, &armed.fault.what, &[organisation]),
            None => fleet,
        }
    }

    fn strike(&self, stage: Stage, endpoint: Endpoint, organisations: &[u64]) -> Option<FaultKind> {
        self.lock()
            .iter_mut()
            .filter(|armed| {
                let fault = &armed.fault;
                fault.what.stage() == stage && fault.concerns(endpoint, organisations)
            })
            .find_map(Armed::strike)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed(fleet: Fleet, what: &FaultKind, organisations: &[u64]) -> Fleet {
    match what {
        FaultKind::NewCycle => fleet.later_by_days(A_CYCLE_LATER_DAYS),
        FaultKind::Correction => fleet.corrected_by_percent(CORRECTION_PERCENT),
        FaultKind::VanishingDevice { device } => {
            let device = device.or_else(|| fleet.newest_device(organisations));
            fleet.without(device)
        }
        _ => fleet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(seed: u64, all: &[Fault]) -> Faults {
        Faults::new(Draw::seeded(seed), all)
    }

    #[test]
    fn a_fault_strikes_the_calls_it_names_and_no_other() {
        let fault = Fault::status(503)
            .at(Endpoint::Devices)
            .for_org(7)
            .after(1)
            .times(2);
        let faults = faults(1, &[fault]);
        let meets = |endpoint, organisation| faults.meet(endpoint, &[organisation]).is_some();
        assert!(!meets(Endpoint::Billing, 7), "another endpoint");
        assert!(!meets(Endpoint::Devices, 8), "another organisation");
        let met: Vec<bool> = (0..5).map(|_| meets(Endpoint::Devices, 7)).collect();
        assert_eq!(met, [false, true, true, false, false]);
        assert!(faults.list().is_empty(), "a spent fault is gone");
    }

    #[test]
    fn the_same_seed_and_calls_meet_the_same_faults() {
        let kinds = vec![FaultKind::Html, FaultKind::Reset, FaultKind::Truncate];
        let fault = Fault::new(FaultKind::AnyOf {
            kinds: kinds.clone(),
        });
        let met = |seed| {
            let faults = faults(seed, &[fault.clone().likely(0.3)]);
            (0..2_000)
                .map(|_| faults.meet(Endpoint::Devices, &[7]))
                .collect::<Vec<_>>()
        };
        assert_eq!(met(1), met(1));
        assert_ne!(met(1), met(2));
        let hits = met(1).iter().flatten().count();
        assert!((500..700).contains(&hits), "{hits} of 2,000 at 30 %");
        for kind in kinds {
            let share = met(1).iter().flatten().filter(|met| **met == kind).count();
            assert!(share > hits / 5, "{kind:?}: {share} of {hits}");
        }
    }

    #[test]
    fn a_call_meets_one_fault_of_each_stage() {
        let all = [
            Fault::new(FaultKind::NewCycle),
            Fault::new(FaultKind::RevokeKey),
            Fault::status(500),
            Fault::status(503),
        ];
        let faults = faults(1, &all);
        assert!(faults.revokes(Endpoint::Devices, &[7]));
        assert_eq!(
            faults.meet(Endpoint::Devices, &[7]),
            Some(Fault::status(500).what)
        );
    }
}
