//! The devices of one integration, as compact as a list of a million names can be.
//!
//! Names of a fleet resemble their neighbours, so each is kept as what it shares with the one before
//! and what it adds (front coding). Every [`BLOCK`]th is whole, so that any is a few steps away. It
//! knows nothing of what the names are for.

use super::{DeviceId, InvalidId};

/// From one device that is kept whole to the next. More: smaller, and slower to look up.
const BLOCK: usize = 16;

/// A device that is linked to an integration, as read from the store at the start of a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedDevice {
    /// Its name in our database.
    pub device_id: DeviceId,
    /// Its name at the carrier: possibly empty, foreign or shared with another row.
    pub carrier_device_id: Box<str>,
}

/// Devices linked to an integration, in the order in which the store gave them.
///
/// Per device: two bytes for each name, what it adds to its neighbour's, and half a byte to find it.
#[derive(Debug, Clone, Default)]
pub struct LinkedDevices {
    /// Of each device its `device_id` and its `carrier_device_id`: bytes shared with the device before
    /// (one byte), bytes added (base 128, least digits first), and the added bytes.
    texts: Vec<u8>,
    /// Where in `texts` each block begins.
    blocks: Vec<usize>,
    count: usize,
    /// Devices that were pushed before anyone whose usage has ever been read.
    never_read: usize,
    /// The device pushed last.
    last: Names,
}

/// The names of one device. Not `String`s: neighbours may differ within a character.
#[derive(Debug, Clone, Default)]
struct Names {
    device_id: Vec<u8>,
    carrier_device_id: Vec<u8>,
}

impl LinkedDevices {
    /// Adds a device. White space around a name at the carrier does not belong to it.
    ///
    /// # Errors
    /// [`InvalidId`] when `device_id` is none; the list is as it was. A `carrier_device_id` may be
    /// anything: it is the carrier who would have to know it.
    pub fn push(&mut self, device_id: &str, carrier_device_id: &str) -> Result<(), InvalidId> {
        DeviceId::check(device_id)?;
        if self.count.is_multiple_of(BLOCK) {
            self.blocks.push(self.texts.len());
            self.last = Names::default();
        }
        append(&mut self.texts, &mut self.last.device_id, device_id);
        let trimmed = carrier_device_id.trim();
        append(&mut self.texts, &mut self.last.carrier_device_id, trimmed);
        self.count += 1;
        Ok(())
    }

    /// No device that has been pushed so far has ever had its usage read: these come first.
    pub fn none_was_read_yet(&mut self) {
        self.never_read = self.count;
    }

    /// Whether the usage of the device at `place` has ever been read.
    #[must_use]
    pub fn was_read(&self, place: usize) -> bool {
        place >= self.never_read
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads from the first device to the last.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        self.block(0)
    }

    /// All of them, each copied.
    pub fn iter(&self) -> impl Iterator<Item = LinkedDevice> + '_ {
        let mut reader = self.reader();
        std::iter::from_fn(move || reader.advance().then(|| reader.device()))
    }

    /// The device at `place`, counted from 0 in the order of the list.
    ///
    /// # Panics
    /// When there is no such place.
    #[must_use]
    pub fn get(&self, place: usize) -> LinkedDevice {
        assert!(place < self.count, "no device at {place}");
        let mut reader = self.block(place);
        (0..=place % BLOCK).for_each(|_| {
            reader.advance();
        });
        reader.device()
    }

    /// Whether the device at `place` has this name at the carrier. Reads and copies no name: walking
    /// the block, it keeps how much of `name` each one begins with.
    ///
    /// # Panics
    /// When there is no such place.
    #[must_use]
    pub fn is_named(&self, place: usize, name: &str) -> bool {
        assert!(place < self.count, "no device at {place}");
        let name = name.as_bytes();
        let mut rest = &self.texts[self.blocks[place / BLOCK]..];
        let (mut begins_with, mut length) = (0, 0);
        for _ in 0..=place % BLOCK {
            take(&mut rest); // its device_id
            let (shared, added) = take(&mut rest);
            // Sharing more with the one before than that one with `name`, it differs where that differs.
            if shared <= begins_with {
                begins_with = shared + common(added, &name[shared..]);
            }
            length = shared + added.len();
        }
        length == name.len() && begins_with == length
    }

    fn block(&self, place: usize) -> Reader<'_> {
        let start = self.blocks.get(place / BLOCK).copied();
        Reader {
            rest: &self.texts[start.unwrap_or(self.texts.len())..],
            names: Names::default(),
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for LinkedDevices {
    /// Devices by `device_id` and `carrier_device_id`; one whose `device_id` is none is left out.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(devices: I) -> Self {
        let mut list = Self::default();
        for (device_id, carrier_device_id) in devices {
            let _ = list.push(device_id, carrier_device_id);
        }
        list
    }
}

/// Reads a list from one end to the other without a copy of each name.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    names: Names,
}

impl Reader<'_> {
    /// Goes to the next device; `false` when there is none. To be called before the first is read.
    pub fn advance(&mut self) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        for name in [&mut self.names.device_id, &mut self.names.carrier_device_id] {
            let (shared, added) = take(&mut self.rest);
            name.truncate(shared);
            name.extend_from_slice(added);
        }
        true
    }

    /// Name in our database of the device it stands at.
    #[must_use]
    pub fn device_id(&self) -> &str {
        text(&self.names.device_id)
    }

    /// Name at the carrier of the device it stands at.
    #[must_use]
    pub fn carrier_device_id(&self) -> &str {
        text(&self.names.carrier_device_id)
    }

    fn device(&self) -> LinkedDevice {
        LinkedDevice {
            device_id: DeviceId(self.device_id().into()),
            carrier_device_id: self.carrier_device_id().into(),
        }
    }
}

#[expect(clippy::expect_used, reason = "only whole `&str`s are pushed")]
fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name).expect("what was pushed as text is read as text")
}

/// Appends `name` to `texts` as its difference from `last`, which becomes `name`.
fn append(texts: &mut Vec<u8>, last: &mut Vec<u8>, name: &str) {
    let shared = u8::try_from(common(last, name.as_bytes())).unwrap_or(u8::MAX);
    let added = &name.as_bytes()[usize::from(shared)..];
    texts.push(shared);
    let mut digits = added.len();
    while digits > 0x7F {
        texts.push((digits & 0x7F) as u8 | 0x80);
        digits >>= 7;
    }
    texts.push(digits as u8);
    texts.extend_from_slice(added);
    last.truncate(shared.into());
    last.extend_from_slice(added);
}

/// Takes the next name off `rest`: how many bytes it shares with the one before, and what it adds.
fn take<'a>(rest: &mut &'a [u8]) -> (usize, &'a [u8]) {
    let shared = usize::from(rest[0]);
    let (mut length, mut at, mut shift) = (usize::from(rest[1] & 0x7F), 1, 7);
    while rest[at] > 0x7F {
        at += 1;
        length |= usize::from(rest[at] & 0x7F) << shift;
        shift += 7;
    }
    let (added, after) = rest[at + 1..].split_at(length);
    *rest = after;
    (shared, added)
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// Names that share beginnings, differ within a character, and are longer than a length byte holds.
    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ab]{0,6}",
            "device-10000[0-9]{0,3}",
            "[éèа€]{0,4}",
            ("[ab]{0,2}", 120..600_usize, "[ab]{0,2}")
                .prop_map(|(head, n, tail)| format!("{head}{}{tail}", "x".repeat(n))),
        ]
    }

    proptest! {
        #[test]
        fn every_device_is_read_back_as_it_was_pushed(
            names in proptest::collection::vec((any_name(), any_name()), 0..80),
            other in any_name(),
        ) {
            let mut list = LinkedDevices::default();
            let mut expected = Vec::new();
            for (device_id, carrier_device_id) in &names {
                if list.push(device_id, carrier_device_id).is_ok() {
                    expected.push(LinkedDevice {
                        device_id: DeviceId::parse(device_id).unwrap(),
                        carrier_device_id: carrier_device_id.trim().into(),
                    });
                }
            }
            prop_assert_eq!(list.len(), expected.len());
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), expected.clone());
            for (place, device) in expected.iter().enumerate() {
                prop_assert_eq!(&list.get(place), device);
                prop_assert!(list.is_named(place, &device.carrier_device_id));
                for name in [&other, &names[place % names.len()].1] {
                    let is_named = &*device.carrier_device_id == name.as_str();
                    prop_assert_eq!(list.is_named(place, name), is_named);
                }
            }
        }
    }

    #[test]
    fn a_fleet_of_consecutive_names_costs_less_than_its_digits() {
        let mut list = LinkedDevices::default();
        for n in 10_000_000..10_010_000 {
            list.push(&format!("device-{n}"), &n.to_string()).unwrap();
        }
        let bytes = list.texts.len() + size_of_val(&*list.blocks);
        assert!(bytes < 9 * list.len(), "{bytes} bytes");
    }

    #[test]
    fn a_device_without_a_name_of_its_own_is_refused_and_the_list_stays() {
        let mut list: LinkedDevices = [("d1", "1")].into_iter().collect();
        assert!(list.push(" ", "2").is_err());
        list.push("d3", " 3 ").unwrap();
        let names: Vec<_> = list.iter().map(|device| device.carrier_device_id).collect();
        assert_eq!(names, ["1".into(), Box::from("3")]);
    }
}
