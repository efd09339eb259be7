//! Cisco's rate plans: which SIMs are on which, and what the usage of each tells. Every block of SIMs is alike, so
//! that a page of a large plan is found without walking to it.
//!
//! Beside the usual two there may be what the documentation says of plans in passing: one that several SIMs share,
//! for which there is no usage by plan, and a SIM that has changed its plan within the cycle.

/// The plan that takes nearly all, so that pages are full. Its name must be encoded in an address.
const FLEET: &str = "Fleet + 1";
const SPARE: &str = "Spare";
const SHARED: &str = "Shared";

/// So many SIMs, and the next ones are like them.
const BLOCK: usize = 50;
/// Place in a block of the SIM on the spare plan.
const ON_SPARE: usize = BLOCK - 1;
/// Place of the one on the shared plan.
const ON_SHARED: usize = BLOCK - 2;
/// Place of the one that was on the usual plan and is on the spare one now.
const MOVED: usize = 10;

/// The plans of a carrier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plans {
    /// Whether there are a shared plan and SIMs that have changed theirs.
    pub(super) has_odd: bool,
}

impl Plans {
    /// The plan that a SIM is on now.
    pub(super) fn of(self, index: usize) -> &'static str {
        match index % BLOCK {
            ON_SPARE => SPARE,
            ON_SHARED if self.has_odd => SHARED,
            MOVED if self.has_odd => SPARE,
            _ => FLEET,
        }
    }

    /// Whether this is a plan at all.
    pub(super) fn has(self, plan: &str) -> bool {
        plan == FLEET || plan == SPARE || self.is_shared(plan)
    }

    /// Whether its usage is told by no plan.
    pub(super) fn is_shared(self, plan: &str) -> bool {
        self.has_odd && plan == SHARED
    }

    /// How many of the first `devices` SIMs are in the usage of a plan.
    pub(super) fn count(self, plan: &str, devices: usize) -> usize {
        let places = self.places(plan);
        let in_last = places.iter().filter(|place| **place < devices % BLOCK);
        devices / BLOCK * places.len() + in_last.count()
    }

    /// Index of the SIM of this row of the plan's usage, of those that [`Plans::count`] counts.
    pub(super) fn index_at(self, plan: &str, row: usize) -> usize {
        let places = self.places(plan);
        row / places.len() * BLOCK + places[row % places.len()]
    }

    /// What the usage of a plan tells of a SIM that has used so many bytes: of one that has moved, a part.
    pub(super) fn part(self, plan: &str, index: usize, used_bytes: u64) -> u64 {
        let on_former = used_bytes / 3;
        match (self.has_moved(index), plan == self.of(index)) {
            (false, _) => used_bytes,
            (true, true) => used_bytes - on_former,
            (true, false) => on_former,
        }
    }

    fn has_moved(self, index: usize) -> bool {
        self.has_odd && index % BLOCK == MOVED
    }

    /// Places in a block of the SIMs in a plan's usage.
    fn places(self, plan: &str) -> Vec<usize> {
        let is_in =
            |place: &usize| self.of(*place) == plan || (plan == FLEET && self.has_moved(*place));
        (0..BLOCK).filter(is_in).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_plan_is_found_as_by_walking_to_it() {
        for has_odd in [false, true] {
            let plans = Plans { has_odd };
            for (plan, devices) in [FLEET, SPARE, SHARED]
                .into_iter()
                .flat_map(|plan| [0, 1, 11, 49, 50, 51, 98, 99, 400].map(|devices| (plan, devices)))
                .filter(|(plan, _)| plans.has(plan))
            {
                let walked: Vec<usize> = (0..devices)
                    .filter(|index| plans.places(plan).contains(&(index % BLOCK)))
                    .collect();
                let count = plans.count(plan, devices);
                let found: Vec<usize> = (0..count).map(|row| plans.index_at(plan, row)).collect();
                assert_eq!(found, walked, "{plan} of {devices}");
            }
        }
    }

    #[test]
    fn a_sim_is_in_the_usage_of_its_plan_and_one_that_has_moved_is_in_two_with_parts() {
        let plain = Plans { has_odd: false };
        assert!(!plain.has(SHARED));
        assert_eq!([plain.count(FLEET, 100), plain.count(SPARE, 100)], [98, 2]);
        assert_eq!(plain.part(FLEET, MOVED, 100), 100);
        let odd = Plans { has_odd: true };
        let counts = [FLEET, SPARE, SHARED].map(|plan| odd.count(plan, 100));
        assert_eq!(counts, [96, 4, 2]);
        assert_eq!(odd.of(MOVED), SPARE);
        assert_eq!(
            [FLEET, SPARE].map(|plan| odd.part(plan, MOVED, 100)),
            [33, 67]
        );
    }
}
