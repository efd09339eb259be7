//! The devices of one sync and what has become of each. Pure bookkeeping: every linked device ends
//! as exactly one of *synced* or *failed with a reason*, so the counts of a report always add up.

use std::collections::HashMap;

use super::outcome::{DeviceFailure, MAX_NAMED_FAILURES};
use crate::device::{CarrierDeviceId, LinkedDevice, WriteReceipt};

/// A device's place in the roster.
pub type Place = usize;

/// What has become of a device so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not heard of yet.
    Waiting,
    /// In a batch, its usage known; becomes synced with the batch's receipt.
    Read,
    /// Usage known and row committed.
    Synced,
    /// Not brought up to date.
    Failed,
}

/// The linked devices of one integration.
#[derive(Debug)]
pub struct Roster {
    devices: Vec<LinkedDevice>,
    states: Vec<State>,
    by_carrier_id: HashMap<CarrierDeviceId, Places>,
    failures: Vec<DeviceFailure>,
    synced: usize,
    waiting: usize,
}

/// Rows that name the same device at the carrier: mostly one.
#[derive(Debug)]
enum Places {
    One(Place),
    Many(Vec<Place>),
}

impl Places {
    fn as_slice(&self) -> &[Place] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }

    fn push(&mut self, place: Place) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, place]),
            Self::Many(places) => places.push(place),
        }
    }
}

impl Roster {
    /// A roster of `devices`, in the order in which they should be asked for one by one.
    ///
    /// Rows whose `carrier_device_id` cannot be one fail here and cost no call.
    #[must_use]
    pub fn new(devices: Vec<LinkedDevice>) -> Self {
        let mut roster = Self {
            states: vec![State::Waiting; devices.len()],
            by_carrier_id: HashMap::with_capacity(devices.len()),
            failures: Vec::new(),
            synced: 0,
            waiting: devices.len(),
            devices,
        };
        for place in 0..roster.devices.len() {
            match CarrierDeviceId::parse(roster.devices[place].carrier_device_id.trim()) {
                Ok(id) => roster.index(id, place),
                Err(error) => roster.fail(place, &error.to_string()),
            }
        }
        roster
    }

    fn index(&mut self, id: CarrierDeviceId, place: Place) {
        self.by_carrier_id
            .entry(id)
            .and_modify(|places| places.push(place))
            .or_insert(Places::One(place));
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

    /// The device at `place`.
    #[must_use]
    pub fn device(&self, place: Place) -> &LinkedDevice {
        &self.devices[place]
    }

    /// Rows that still wait for word of `id`. Empty for a device that is not linked here, or that
    /// a listing shows for the second time.
    #[must_use]
    pub fn waiting_for(&self, id: &CarrierDeviceId) -> Vec<Place> {
        let places = self.by_carrier_id.get(id).map_or(&[][..], Places::as_slice);
        places
            .iter()
            .copied()
            .filter(|place| self.states[*place] == State::Waiting)
            .collect()
    }

    /// Names at the carrier that are still waited for, each once, in the order of the roster.
    #[must_use]
    pub fn missing(&self) -> Vec<CarrierDeviceId> {
        let mut missing: Vec<_> = self
            .by_carrier_id
            .iter()
            .filter_map(|(id, places)| {
                let first = places
                    .as_slice()
                    .iter()
                    .find(|p| self.states[**p] == State::Waiting)?;
                Some((*first, id))
            })
            .collect();
        missing.sort_unstable_by_key(|(place, _)| *place);
        missing.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// `carrier_device_id`s that several rows share.
    #[must_use]
    pub fn shared_ids(&self) -> usize {
        self.by_carrier_id
            .values()
            .filter(|places| matches!(places, Places::Many(_)))
            .count()
    }

    /// The device's usage is known and on its way to the store.
    pub fn read(&mut self, place: Place) {
        if self.states[place] == State::Waiting {
            self.waiting -= 1;
            self.states[place] = State::Read;
        }
    }

    /// The device cannot be brought up to date in this sync.
    pub fn fail(&mut self, place: Place, reason: &str) {
        if matches!(self.states[place], State::Failed | State::Synced) {
            return;
        }
        self.waiting -= usize::from(self.states[place] == State::Waiting);
        self.states[place] = State::Failed;
        if self.failures.len() < MAX_NAMED_FAILURES {
            let device_id = self.devices[place].device_id.clone();
            self.failures.push(DeviceFailure {
                device_id,
                reason: reason.to_owned(),
            });
        }
    }

    /// The rows at `places` are committed, but for those the receipt names.
    pub fn settle(&mut self, places: &[Place], receipt: &WriteReceipt) {
        for &place in places {
            let device_id = &self.devices[place].device_id;
            let failure = receipt
                .failures
                .iter()
                .find(|failure| failure.device_id == *device_id);
            match failure {
                Some(failure) => self.fail(place, &failure.reason),
                None if self.states[place] == State::Read => {
                    self.states[place] = State::Synced;
                    self.synced += 1;
                }
                None => {}
            }
        }
    }

    /// Fails everything that is not settled, because the sync is over.
    pub fn close(&mut self, reason: &str) {
        for place in 0..self.devices.len() {
            self.fail(place, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::{DeviceId, RowFailure};

    fn roster(ids: &[&str]) -> Roster {
        let device = |(n, id): (usize, &&str)| LinkedDevice {
            device_id: DeviceId::parse(&format!("d{n}")).unwrap(),
            carrier_device_id: (*id).into(),
        };
        Roster::new(ids.iter().enumerate().map(device).collect())
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
        assert_eq!(roster.waiting_for(&id("7")), [0, 1]);
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
