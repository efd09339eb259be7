//! Finds devices by their name at the carrier: a hash table of places that holds no name itself.
//!
//! Built once, so it is exactly as large as it must be: places stand grouped by bucket, without gaps,
//! at six bytes a device; tables that can grow need twice that. Rows that share a name share a bucket
//! and keep their order. It knows nothing of what becomes of the devices.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::device::{CarrierDeviceId, LinkedDevices};

/// A device's place in its list.
pub type Place = u32;

/// Devices of one bucket on average. More: smaller, and more tags to look at.
const BUCKET: usize = 8;

/// An index over one list of devices, which must be given again with every question.
#[derive(Debug)]
pub struct NameIndex {
    hasher: RandomState,
    /// Where in `places` each bucket ends.
    ends: Vec<u32>,
    places: Vec<Place>,
    /// A part of the hash of each place's name: nearly all others are told apart by it alone.
    tags: Vec<u8>,
}

impl NameIndex {
    /// Indexes every device whose name at the carrier can be one.
    #[must_use]
    pub fn new(devices: &LinkedDevices) -> Self {
        let mut index = Self {
            hasher: RandomState::new(),
            ends: vec![0; devices.len() / BUCKET + 1],
            places: Vec::new(),
            tags: Vec::new(),
        };
        // First how many there are in each bucket, ...
        for_each_name(devices, |_, name| {
            let (bucket, _) = index.slot(name);
            index.ends[bucket] += 1;
        });
        // ... then where each begins, ...
        let mut count = 0;
        for end in &mut index.ends {
            count += std::mem::replace(end, count);
        }
        index.places = vec![0; count as usize];
        index.tags = vec![0; count as usize];
        // ... and with every place that is put there its end moves on to where it shall be.
        for_each_name(devices, |place, name| {
            let (bucket, tag) = index.slot(name);
            let at = index.ends[bucket] as usize;
            (index.places[at], index.tags[at]) = (place, tag);
            index.ends[bucket] += 1;
        });
        index
    }

    /// The devices of this name, in the order of the list.
    pub fn places<'a>(
        &'a self,
        devices: &'a LinkedDevices,
        name: &'a str,
    ) -> impl Iterator<Item = Place> + 'a {
        let (bucket, tag) = self.slot(name);
        self.named(devices, self.bucket(bucket), tag, name)
    }

    /// Names that several devices have.
    #[must_use]
    pub fn shared(&self, devices: &LinkedDevices) -> usize {
        self.count(devices, |earlier| earlier == 1)
    }

    /// Devices besides the first of each name.
    #[must_use]
    pub fn twins(&self, devices: &LinkedDevices) -> usize {
        self.count(devices, |earlier| earlier > 0)
    }

    /// Devices of which `is_counted` by how many of their name stand before them: none, one or two (and
    /// more).
    fn count(&self, devices: &LinkedDevices, is_counted: impl Fn(usize) -> bool) -> usize {
        let earlier = |at: usize, bucket: &Range<usize>| {
            let (before, tag) = (bucket.start..at, self.tags[at]);
            if !self.tags[before.clone()].contains(&tag) {
                return 0;
            }
            let name = devices.get(self.places[at] as usize).carrier_device_id;
            self.named(devices, before, tag, &name).take(2).count()
        };
        (0..self.ends.len())
            .map(|bucket| self.bucket(bucket))
            .map(|bucket| {
                let counted = |at: &usize| is_counted(earlier(*at, &bucket));
                bucket.clone().filter(counted).count()
            })
            .sum()
    }

    fn named<'a>(
        &'a self,
        devices: &'a LinkedDevices,
        within: Range<usize>,
        tag: u8,
        name: &'a str,
    ) -> impl Iterator<Item = Place> + 'a {
        within
            .filter(move |at| self.tags[*at] == tag)
            .map(|at| self.places[at])
            .filter(move |place| devices.is_named(*place as usize, name))
    }

    fn bucket(&self, bucket: usize) -> Range<usize> {
        let start = bucket.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[bucket] as usize
    }

    /// Bucket and tag of a name: the upper half of its hash, stretched over the buckets, and a byte of
    /// the lower half.
    fn slot(&self, name: &str) -> (usize, u8) {
        let hash = self.hasher.hash_one(name);
        let bucket = ((hash >> 32) * self.ends.len() as u64) >> 32;
        (bucket as usize, hash as u8)
    }
}

fn for_each_name(devices: &LinkedDevices, mut each: impl FnMut(Place, &str)) {
    let mut reader = devices.reader();
    for place in 0.. {
        if !reader.advance() {
            return;
        }
        let name = reader.carrier_device_id();
        if CarrierDeviceId::check(name).is_ok() {
            each(place, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_device_is_found_by_its_name_and_no_other_is(
            names in proptest::collection::vec("[0-9]{0,2}", 0..120),
        ) {
            let devices: LinkedDevices = names.iter().map(|name| ("d", name.as_str())).collect();
            let index = NameIndex::new(&devices);
            let mut shared = 0;
            for name in (0..100).map(|n| n.to_string()).chain([String::new()]) {
                let found: Vec<_> = index.places(&devices, &name).collect();
                let expected: Vec<_> = (0..)
                    .zip(&names)
                    .filter(|(_, other)| **other == name && !name.is_empty())
                    .map(|(place, _)| place)
                    .collect();
                shared += usize::from(expected.len() > 1);
                prop_assert_eq!(found, expected);
            }
            let two_digits = |name: &&String| name.len() == 2 && name.starts_with('0');
            let mut others: Vec<_> = names.iter().filter(two_digits).collect();
            others.sort_unstable();
            shared += others.chunk_by(|a, b| a == b).filter(|same| same.len() > 1).count();
            prop_assert_eq!(index.shared(&devices), shared);
        }
    }
}
