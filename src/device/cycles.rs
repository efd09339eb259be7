//! Billing cycles as they are stored, of an integration whose carrier tells each cycle once.
//!
//! Knows no carrier; whether a cycle is worth asking for anew is the sync's to decide.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{BillingCycle, CarrierDeviceId};

/// Stored cycles by the device's name at the carrier. Empty where nobody needs them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredCycles(HashMap<Box<str>, BillingCycle>);

impl StoredCycles {
    /// Keeps a device's cycle; of several rows for one name the later one.
    pub fn insert(&mut self, carrier_device_id: &str, cycle: BillingCycle) {
        let name = carrier_device_id.trim();
        match self.0.get_mut(name) {
            Some(known) => *known = cycle.max(*known),
            None => drop(self.0.insert(name.into(), cycle)),
        }
    }

    /// The device's cycle, if `now` lies in it.
    #[must_use]
    pub fn current(&self, device: &CarrierDeviceId, now: DateTime<Utc>) -> Option<BillingCycle> {
        let cycle = self.0.get(device.as_str().trim()).copied();
        cycle.filter(|cycle| cycle.holds(now))
    }

    /// Whether the device's cycle has ended by `now`.
    #[must_use]
    pub fn has_ended(&self, device: &CarrierDeviceId, now: DateTime<Utc>) -> bool {
        let cycle = self.0.get(device.as_str().trim());
        cycle.is_some_and(|cycle| cycle.end() <= now)
    }

    /// Devices whose cycle is current.
    #[must_use]
    pub fn current_count(&self, now: DateTime<Utc>) -> usize {
        self.0.values().filter(|cycle| cycle.holds(now)).count()
    }

    /// The cycle that `now` lies in for most devices; of equally many the one that began first.
    #[must_use]
    pub fn common(&self, now: DateTime<Utc>) -> Option<BillingCycle> {
        let mut counts: HashMap<BillingCycle, usize> = HashMap::new();
        for cycle in self.0.values().filter(|cycle| cycle.holds(now)) {
            *counts.entry(*cycle).or_default() += 1;
        }
        let most = counts
            .into_iter()
            .max_by_key(|(cycle, devices)| (*devices, std::cmp::Reverse(cycle.start())));
        most.map(|(cycle, _)| cycle)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::CycleSource;

    fn at(day: u32) -> DateTime<Utc> {
        format!("2026-11-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn cycle(from: u32, to: u32) -> BillingCycle {
        BillingCycle::new(at(from), at(to), CycleSource::Reported).unwrap()
    }

    fn stored(cycles: &[(&str, BillingCycle)]) -> StoredCycles {
        let mut stored = StoredCycles::default();
        for (name, cycle) in cycles {
            stored.insert(name, *cycle);
        }
        stored
    }

    #[test]
    fn a_cycle_that_has_ended_or_not_begun_is_not_current() {
        let stored = stored(&[("a", cycle(5, 10))]);
        let is_current = |day| {
            let device = CarrierDeviceId::parse("a").unwrap();
            stored.current(&device, at(day)).is_some()
        };
        assert_eq!([4, 5, 9, 10].map(is_current), [false, true, true, false]);
    }

    #[test]
    fn the_common_cycle_is_that_of_most_devices_now() {
        let (old, most, few) = (cycle(1, 5), cycle(6, 20), cycle(5, 19));
        let stored = stored(&[
            ("a", old),
            ("b", old),
            ("c", old),
            ("d", most),
            ("e", most),
            ("f", few),
        ]);
        assert_eq!(stored.common(at(10)), Some(most));
        assert_eq!(stored.common(at(2)), Some(old));
        assert_eq!(stored.common(at(25)), None);
    }
}
