//! Whose turn it is to be asked for when not everyone can be: a device that failed when it was asked
//! goes behind those that were not asked, so that a few hundred deleted devices do not use up every
//! sync's allowance.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::device::CarrierDeviceId;

/// Devices that have had their turn in vain, since everyone last had one.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashSet<CarrierDeviceId>>);

impl Turns {
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
}
