//! The fleet: which accounts there are and how ids map to devices, in both directions, without a table.
//!
//! Devices of an account have consecutive ids, the newest the highest. A link's id names its device
//! and its place on it, so a cursor is found without walking to it.

use std::{collections::HashMap, sync::Arc};

use super::{
    config::{Billing, SimulatedAccount, SimulatorConfig},
    device::Device,
    draw::{Draw, Topic},
    link::Link,
    time::{DAY, UnixSeconds},
};

/// Most accounts.
pub(super) const MAX_ACCOUNTS: u64 = 90_000;

/// Ids set aside per account, and how many accounts they do for: device ids must stay below
/// [`LINK_BASE`].
const ID_SPANS: [(u64, u64); 2] = [(9_000, 10_000_000), (MAX_ACCOUNTS, 1_000_000)];

/// Every link id lies above it, every device id below: an id mistaken for the other is not found.
const LINK_BASE: u64 = 100_000_000_000;

/// Ids set aside per device.
const LINK_SLOTS: u64 = 4;

/// One organisation.
#[derive(Debug)]
pub(super) struct Account {
    pub org_id: u64,
    pub api_key: String,
    pub devices: u64,
    pub billing: Billing,
    /// Id of the oldest device.
    first_id: u64,
}

/// All organisations, at one instant. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    accounts: Arc<[Account]>,
    /// Place in `accounts` by organisation.
    places: Arc<HashMap<u64, usize>>,
    id_span: u64,
    draw: Draw,
    /// The carrier's calendar when the simulator started: claims and pasts are counted from it.
    pub epoch: UnixSeconds,
    pub now: UnixSeconds,
    /// Part by which the counters of each present cycle are lower than they were.
    pub correction_percent: u64,
    /// A device that is gone.
    without: Option<u64>,
    pub multi_link_percent: f64,
    pub long_session_list_percent: f64,
    /// What every `LIVE` link used since the simulator started.
    pub grown_bytes: u64,
}

/// Which links a listing speaks of.
#[derive(Debug)]
pub(super) enum Scope<'a> {
    Accounts(Vec<&'a Account>),
    Links(Vec<Link>),
}

impl Fleet {
    pub(super) fn new(config: &SimulatorConfig, now: UnixSeconds) -> Self {
        let id_span = id_span(config.accounts.len());
        let accounts = config.accounts.iter().zip(1..).map(|(account, ordinal)| {
            let SimulatedAccount {
                org_id,
                ref api_key,
                devices,
                billing,
            } = *account;
            let first_id = ordinal * id_span + 1;
            Account {
                org_id,
                api_key: api_key.clone(),
                devices,
                billing,
                first_id,
            }
        });
        let places = config
            .accounts
            .iter()
            .map(|account| account.org_id)
            .zip(0..);
        Self {
            accounts: accounts.collect(),
            places: Arc::new(places.collect()),
            id_span,
            draw: Draw::seeded(config.seed),
            epoch: now,
            now,
            correction_percent: 0,
            without: None,
            multi_link_percent: config.multi_link_percent,
            long_session_list_percent: config.long_session_list_percent,
            grown_bytes: 0,
        }
    }

    /// The same fleet after every `LIVE` link used so much more.
    pub(super) fn grown_by(&self, bytes: u64) -> Self {
        Self {
            grown_bytes: bytes,
            ..self.clone()
        }
    }

    /// The same fleet when so many days have passed.
    pub(super) fn later_by_days(self, days: i64) -> Self {
        Self {
            now: self.now + days * DAY,
            ..self
        }
    }

    /// The same fleet after a correction of what it used in the present cycle.
    pub(super) fn corrected_by_percent(self, percent: u64) -> Self {
        Self {
            correction_percent: percent,
            ..self
        }
    }

    /// The same fleet after this device has gone.
    pub(super) fn without(self, device: Option<u64>) -> Self {
        Self {
            without: device,
            ..self
        }
    }

    /// The device with the highest id among those of these organisations.
    pub(super) fn newest_device(&self, organisations: &[u64]) -> Option<u64> {
        organisations
            .iter()
            .filter_map(|org_id| self.account(*org_id))
            .filter_map(|account| (account.first_id + account.devices).checked_sub(1))
            .max()
    }

    pub(super) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(super) fn account(&self, org_id: u64) -> Option<&Account> {
        self.accounts.get(*self.places.get(&org_id)?)
    }

    /// The device of this id, wherever it belongs.
    pub(super) fn device(&self, id: u64) -> Option<Device> {
        if self.without == Some(id) {
            return None;
        }
        let account = self.account_of(id)?;
        Some(self.generate(account, id))
    }

    /// The link of this id, wherever it belongs.
    pub(super) fn link(&self, id: u64) -> Option<Link> {
        let device = self.device(device_of_link(id)?)?;
        device.links.into_iter().find(|link| link.id == id)
    }

    fn account_of(&self, device_id: u64) -> Option<&Account> {
        let ordinal = usize::try_from(device_id / self.id_span).ok()?;
        let account = self.accounts.get(ordinal.checked_sub(1)?)?;
        let index = device_id.checked_sub(account.first_id)?;
        (index < account.devices).then_some(account)
    }

    fn generate(&self, account: &Account, id: u64) -> Device {
        let draw = self.draw.of(Topic::Device, id);
        Device::generate(self, account, id, id - account.first_id, draw)
    }

    /// Devices of these accounts, newest first, those with an id below `before`.
    pub(super) fn devices_below<'a>(
        &'a self,
        accounts: &'a [&'a Account],
        before: Option<u64>,
    ) -> impl Iterator<Item = Device> + 'a {
        let before = before.unwrap_or(u64::MAX);
        accounts.iter().flat_map(move |account| {
            let end = before.clamp(account.first_id, account.first_id + account.devices);
            (account.first_id..end)
                .rev()
                .filter(|id| self.without != Some(*id))
                .map(move |id| self.generate(account, id))
        })
    }

    /// Links of the scope, highest id first, those with an id below `before`.
    pub(super) fn links_below<'a>(
        &'a self,
        scope: &'a Scope<'a>,
        before: Option<u64>,
    ) -> Box<dyn Iterator<Item = Link> + 'a> {
        let below = move |link: &Link| before.is_none_or(|before| link.id < before);
        match scope {
            Scope::Links(links) => {
                Box::new(links.iter().rev().filter(move |link| below(link)).cloned())
            }
            Scope::Accounts(accounts) => {
                let device = before.map(|id| device_of_link(id).map_or(0, |device| device + 1));
                let devices = self.devices_below(accounts, device);
                Box::new(
                    devices
                        .flat_map(|device| device.links.into_iter().rev())
                        .filter(below),
                )
            }
        }
    }
}

fn id_span(accounts: usize) -> u64 {
    let fits = |(most, span): &(u64, u64)| (accounts as u64 <= *most).then_some(*span);
    let [_, (_, narrowest)] = ID_SPANS;
    ID_SPANS.iter().find_map(fits).unwrap_or(narrowest)
}

/// Most devices of one of so many accounts: their ids must not meet the next account's.
pub(super) fn most_devices(accounts: usize) -> u64 {
    id_span(accounts) / 10 * 9
}

/// Orders accounts as their listings need them: the one with the highest ids first.
pub(super) fn newest_first(accounts: &mut [&Account]) {
    accounts.sort_by_key(|account| std::cmp::Reverse(account.first_id));
}

/// Id of the link in this slot of a device.
pub(super) fn link_id(device_id: u64, slot: u64) -> u64 {
    LINK_BASE + device_id * LINK_SLOTS + slot
}

fn device_of_link(link_id: u64) -> Option<u64> {
    Some(link_id.checked_sub(LINK_BASE)? / LINK_SLOTS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_many_accounts_do_not_meet_and_lead_back() {
        for count in [2, 9_000, 9_001, MAX_ACCOUNTS] {
            let config = SimulatorConfig {
                accounts: (1..=count)
                    .map(|number| SimulatedAccount::numbered(number, 3))
                    .collect(),
                ..SimulatorConfig::default()
            };
            assert_eq!(config.validate(), Ok(()));
            let fleet = Fleet::new(&config, 1_763_900_000);
            for number in [1, count / 2, count] {
                let account = fleet.account(1_000 + number).unwrap();
                let newest = fleet.newest_device(&[account.org_id]).unwrap();
                let device = fleet.device(newest).unwrap();
                assert_eq!(device.org_id, account.org_id);
                let link = device.links.last().unwrap().id;
                assert!(newest < LINK_BASE && LINK_BASE < link && link < 1_000_000_000_000);
                assert_eq!(fleet.link(link).unwrap().device_id, newest);
                let most = account.first_id + most_devices(config.accounts.len());
                assert!(most < account.first_id + fleet.id_span);
            }
        }
    }
}
