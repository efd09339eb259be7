//! The devices of one sync and what has become of each. Pure bookkeeping: every linked device ends
//! as exactly one of *synced* or *failed with a reason*, so the counts of a report always add up.

use std::collections::HashMap;

use super::name_index::NameIndex;
use super::outcome::{DeviceFailure, MAX_NAMED_FAILURES};
use crate::device::{CarrierDeviceId, DeviceId, LinkedDevices, WriteReceipt};

pub use super::name_index::Place;

/// What has become of a device so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not heard of yet.
    Waiting,
    /// Shown without its usage, which is to be asked for.
    Noted,
    /// In a batch, its usage known; becomes synced with the batch's receipt.
    Read,
    /// Usage known and row committed.
    Synced,
    /// Not brought up to date.
    Failed,
}

/// The linked devices of one integration. A million of them are a few bytes each: their names, one
/// for the state, six to find them by.
#[derive(Debug)]
pub struct Roster {
    devices: LinkedDevices,
    states: Vec<State>,
    by_carrier_id: NameIndex,
    failures: Vec<DeviceFailure>,
    synced: usize,
    waiting: usize,
}

/// Rows that name the same device at the carrier: mostly one, which costs no allocation.
#[derive(Debug, Default)]
pub struct Places {
    first: Option<Place>,
    more: Vec<Place>,
}

impl Places {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> Option<Place> {
        self.first
    }

    fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        self.first.iter().chain(&self.more).copied()
    }
}

impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let mut places = places.into_iter();
        Self {
            first: places.next(),
            more: places.collect(),
        }
    }
}

impl IntoIterator for Places {
    type Item = Place;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Place>, std::vec::IntoIter<Place>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

impl Roster {
    /// A roster of `devices`, in the order in which they should be asked for one by one.
    ///
    /// Rows whose `carrier_device_id` cannot be one fail here and cost no call.
    #[must_use]
    pub fn new(devices: LinkedDevices) -> Self {
        let mut roster = Self {
            states: vec![State::Waiting; devices.len()],
            by_carrier_id: NameIndex::new(&devices),
            failures: Vec::new(),
            synced: 0,
            waiting: devices.len(),
            devices,
        };
        roster.fail_nameless();
        roster
    }

    fn fail_nameless(&mut self) {
        let mut nameless = Vec::new();
        let mut reader = self.devices.reader();
        for place in 0.. {
            if !reader.advance() {
                break;
            }
            if let Err(error) = CarrierDeviceId::check(reader.carrier_device_id()) {
                nameless.push((place, error));
            }
        }
        for (place, error) in nameless {
            self.fail(place, &error.to_string());
        }
    }

    /// Linked devices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether there is nothing to sync.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Devices whose row is committed with their usage known.
    #[must_use]
    pub fn synced(&self) -> usize {
        self.synced
    }

    /// Rows that nothing has been heard of yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The first failing devices.
    #[must_use]
    pub fn failures(&self) -> &[DeviceFailure] {
        &self.failures
    }

    /// Name in our database of the device at `place`.
    #[must_use]
    pub fn device_id(&self, place: Place) -> DeviceId {
        self.devices.get(place as usize).device_id
    }

    /// Whether any row that waits for word of `id` has ever had its usage read.
    #[must_use]
    pub fn was_read(&self, id: &CarrierDeviceId) -> bool {
        let mut places = self.waiting_under(id.as_str());
        places.any(|place| self.devices.was_read(place as usize))
    }

    /// Names in our database and at the carrier, as linked, of the device at `place`.
    #[must_use]
    pub fn names(&self, place: Place) -> (DeviceId, Box<str>) {
        let device = self.devices.get(place as usize);
        (device.device_id, device.carrier_device_id)
    }

    /// Name at the carrier of the device at `place`; `None` where it cannot be one.
    #[must_use]
    pub fn carrier_name(&self, place: Place) -> Option<CarrierDeviceId> {
        CarrierDeviceId::parse(&self.devices.get(place as usize).carrier_device_id).ok()
    }

    /// Rows that still wait for word of `id`. Empty for a device that is not linked here, or that
    /// a listing shows for the second time.
    #[must_use]
    pub fn waiting_for(&self, id: &CarrierDeviceId) -> Places {
        self.waiting_under(id.as_str()).collect()
    }

    /// As [`waiting_for`](Self::waiting_for), for a device that may be linked by another name too.
    #[must_use]
    pub fn waiting_for_either(
        &self,
        id: &CarrierDeviceId,
        also: Option<&CarrierDeviceId>,
    ) -> Places {
        let names = std::iter::once(id).chain(also);
        names
            .flat_map(|name| self.waiting_under(name.as_str()))
            .collect()
    }

    fn waiting_under<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Place> + 'a {
        self.by_carrier_id
            .places(&self.devices, name)
            .filter(|place| self.states[*place as usize] == State::Waiting)
    }

    /// Names at the carrier that are still waited for, each once, in the order of the roster.
    #[must_use]
    pub fn missing(&self) -> Vec<CarrierDeviceId> {
        let mut missing = Vec::new();
        if self.waiting == 0 {
            return missing;
        }
        let mut reader = self.devices.reader();
        for place in 0.. {
            if !reader.advance() {
                break;
            }
            let name = reader.carrier_device_id();
            if self.states[place as usize] == State::Waiting
                && self.waiting_under(name).next() == Some(place)
            {
                missing.extend(CarrierDeviceId::parse(name));
            }
        }
        missing
    }

    /// Whether a row names this device.
    #[must_use]
    pub fn is_linked(&self, id: &CarrierDeviceId) -> bool {
        let mut places = self.by_carrier_id.places(&self.devices, id.as_str());
        places.next().is_some()
    }

    /// Calls `told` with each row's place and name at the carrier, in the order of the roster.
    pub fn for_each_name(&self, mut told: impl FnMut(Place, &str)) {
        let mut reader = self.devices.reader();
        for place in 0.. {
            if !reader.advance() {
                return;
            }
            told(place, reader.carrier_device_id());
        }
    }

    /// Rows besides the first of each `carrier_device_id`.
    #[must_use]
    pub fn twins(&self) -> usize {
        self.by_carrier_id.twins(&self.devices)
    }

    /// `carrier_device_id`s that several rows share.
    #[must_use]
    pub fn shared_ids(&self) -> usize {
        self.by_carrier_id.shared(&self.devices)
    }

    /// Something is known of the device; what is missing will be asked for.
    pub fn note(&mut self, places: &Places) {
        for place in places.iter() {
            let state = &mut self.states[place as usize];
            if *state == State::Waiting {
                self.waiting -= 1;
                *state = State::Noted;
            }
        }
    }

    /// The device's usage is known and on its way to the store.
    pub fn read(&mut self, place: Place) {
        let state = &mut self.states[place as usize];
        if matches!(*state, State::Waiting | State::Noted) {
            self.waiting -= usize::from(*state == State::Waiting);
            *state = State::Read;
        }
    }

    /// The device cannot be brought up to date in this sync.
    pub fn fail(&mut self, place: Place, reason: &str) {
        let state = &mut self.states[place as usize];
        if matches!(*state, State::Failed | State::Synced) {
            return;
        }
        self.waiting -= usize::from(*state == State::Waiting);
        *state = State::Failed;
        if self.failures.len() < MAX_NAMED_FAILURES {
            self.failures.push(DeviceFailure {
                device_id: self.device_id(place),
                reason: reason.to_owned(),
            });
        }
    }

    /// The rows at `places` are committed, but for those the receipt names.
    pub fn settle(&mut self, places: &[Place], receipt: &WriteReceipt) {
        let failures = receipt.failures.iter();
        let refused: HashMap<&DeviceId, &str> = failures
            .map(|failure| (&failure.device_id, failure.reason.as_str()))
            .collect();
        for &place in places {
            let reason = if refused.is_empty() {
                None
            } else {
                refused.get(&self.device_id(place)).copied()
            };
            match reason {
                Some(reason) => self.fail(place, reason),
                None => self.commit(place),
            }
        }
    }

    fn commit(&mut self, place: Place) {
        let state = &mut self.states[place as usize];
        if *state == State::Read {
            *state = State::Synced;
            self.synced += 1;
        }
    }

    /// Fails everything that is not settled, because the sync is over.
    pub fn close(&mut self, reason: &str) {
        for place in (0..).take(self.devices.len()) {
            self.fail(place, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::RowFailure;

    fn roster(ids: &[&str]) -> Roster {
        let mut devices = LinkedDevices::default();
        for (n, id) in ids.iter().enumerate() {
            devices.push(&format!("d{n}"), id).unwrap();
        }
        Roster::new(devices)
    }

    fn id(text: &str) -> CarrierDeviceId {
        CarrierDeviceId::parse(text).unwrap()
    }

    #[test]
    fn an_empty_id_fails_alone() {
        let roster = roster(&["1", "  ", "3"]);
        assert_eq!(roster.missing(), [id("1"), id("3")]);
        assert_eq!(roster.failures()[0].device_id.as_str(), "d1");
        assert_eq!(roster.failures()[0].reason, "carrier_device_id is empty");
    }

    #[test]
    fn rows_that_share_an_id_are_asked_for_once_and_both_told() {
        let roster = roster(&["7", "7", "8"]);
        assert_eq!(roster.missing(), [id("7"), id("8")]);
        let both: Vec<Place> = roster.waiting_for(&id("7")).into_iter().collect();
        assert_eq!(both, [0, 1]);
        assert_eq!(roster.shared_ids(), 1);
    }

    #[test]
    fn a_device_listed_twice_counts_once_and_a_foreign_one_not_at_all() {
        let mut roster = roster(&["1"]);
        roster.read(0);
        assert!(roster.waiting_for(&id("1")).is_empty());
        assert!(roster.waiting_for(&id("99")).is_empty());
    }

    #[test]
    fn every_device_ends_as_synced_or_failed() {
        let mut roster = roster(&["1", "2", "3", "4"]);
        (0..3).for_each(|place| roster.read(place));
        let refused = RowFailure {
            device_id: DeviceId::parse("d1").unwrap(),
            reason: "no".into(),
        };
        roster.settle(
            &[0, 1],
            &WriteReceipt {
                written: 1,
                failures: vec![refused],
            },
        );
        roster.close("over");
        assert_eq!(roster.synced(), 1);
        let reasons: Vec<_> = roster
            .failures()
            .iter()
            .map(|f| f.reason.as_str())
            .collect();
        assert_eq!(reasons, ["no", "over", "over"]);
    }

    #[test]
    fn a_row_written_without_usage_is_not_synced() {
        let mut roster = roster(&["1"]);
        roster.fail(0, "usage unknown");
        roster.settle(
            &[0],
            &WriteReceipt {
                written: 1,
                failures: vec![],
            },
        );
        assert_eq!(roster.synced(), 0);
    }
}
