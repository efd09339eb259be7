//! One link: a SIM profile on a device, with its state, its periods and the bytes of each.

use super::{
    draw::{Draw, Topic},
    fleet::{Account, Fleet, link_id},
    period::{KEPT_PERIODS, Periods},
    time::{DAY, UnixSeconds},
};

/// States of a SIM and their share of the fleet in percent: all that the documentation shows, and
/// one that it does not, because a complete list was never published.
pub(super) const STATES: [(&str, u64); 9] = [
    ("LIVE", 70),
    ("LIVE-PENDING", 4),
    ("INACTIVE", 4),
    ("PAUSED-USER", 6),
    ("PAUSED-PENDING-USER", 2),
    ("PAUSED-SYS", 5),
    ("PAUSED", 1),
    ("DEAD", 5),
    ("LIMBO", 3),
];

/// A span of whole seconds, both ends inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    pub first: UnixSeconds,
    pub last: UnixSeconds,
}

/// A SIM profile attached to a device.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub id: u64,
    pub device_id: u64,
    pub org_id: u64,
    pub state: &'static str,
    pub claimed: UnixSeconds,
    pub periods: Periods,
    /// Bytes by `periods_back`; 0 where there is no such period. Without growth.
    pub base_bytes: [u64; KEPT_PERIODS],
    /// Bytes on top of the current period's since the simulator started.
    pub grown_bytes: u64,
    /// Where the sessions of each period lie.
    pub windows: [Window; KEPT_PERIODS],
    /// More sessions in a period than a default page holds.
    pub has_long_list: bool,
    pub draw: Draw,
}

impl Link {
    pub(super) fn generate(
        fleet: &Fleet,
        account: &Account,
        device_id: u64,
        slot: u64,
        claimed: UnixSeconds,
        only_link: bool,
        draw: Draw,
    ) -> Self {
        let state = state(draw);
        // A cancelled plan ended at some time in the past and its last period with it.
        let cancelled = (only_link && is_cancelled(state, draw)).then(|| {
            let since = (fleet.epoch - claimed).min(60 * DAY);
            fleet.epoch - draw.of(Topic::Cancelled, 1).seconds_below(since)
        });
        let periods_at =
            |now| Periods::at(account.billing, claimed, cancelled.unwrap_or(now), draw);
        let mut periods = periods_at(fleet.now);
        // A cycle that has passed keeps its bytes, the new one has bytes of its own.
        let passed = u64::from(periods.end(0) > periods_at(fleet.epoch).end(0));
        if let Some(moment) = cancelled.filter(|moment| *moment > periods.start(0)) {
            periods = periods.cancelled_at(moment);
        }
        let base_bytes = [0, 1, 2].map(|back| {
            if back < periods.count() {
                let cycle = (back as u64).wrapping_sub(passed);
                let bytes = usage_bytes(state, draw.of(Topic::Usage, cycle));
                if back == 0 {
                    corrected(bytes, fleet.correction_percent)
                } else {
                    bytes
                }
            } else {
                0
            }
        });
        Self {
            id: link_id(device_id, slot),
            device_id,
            org_id: account.org_id,
            state,
            claimed,
            periods,
            base_bytes,
            grown_bytes: if state == "LIVE" {
                fleet.grown_bytes
            } else {
                0
            },
            windows: [Window::default(); KEPT_PERIODS],
            has_long_list: draw
                .of(Topic::Sessions, 99)
                .percent(fleet.long_session_list_percent),
            draw,
        }
    }

    /// Bytes of the period `back`.
    pub(super) fn bytes(&self, back: usize) -> u64 {
        let grown = if back == 0 { self.grown_bytes } else { 0 };
        self.base_bytes[back].saturating_add(grown)
    }

    /// 19 digits: telecom prefix, a carrier, the link, and the Luhn check digit (ITU-T E.118).
    pub(super) fn iccid(&self) -> String {
        let mut iccid = format!("894620{:012}", self.id);
        let check = luhn_check_digit(&iccid);
        iccid.push(check);
        iccid
    }

    /// 15 digits: more than 32 bits hold.
    pub(super) fn imsi(&self) -> u64 {
        204_043_000_000_000 + self.id % 1_000_000_000
    }
}

fn luhn_check_digit(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    char::from(b'0' + ((10 - sum % 10) % 10) as u8)
}

fn state(draw: Draw) -> &'static str {
    let mut place = draw.of(Topic::State, 0).below(100);
    for (state, share) in STATES {
        if place < share {
            return state;
        }
        place -= share;
    }
    "LIVE"
}

pub(super) fn is_cancelled(state: &str, draw: Draw) -> bool {
    state == "DEAD" && draw.of(Topic::Cancelled, 0).percent(80.0)
}

/// Rounded up, so that what was used never becomes nothing.
fn corrected(bytes: u64, percent: u64) -> u64 {
    (bytes * (100 - percent)).div_ceil(100)
}

/// From nothing to tens of gigabytes; some beyond 32 bits.
fn usage_bytes(state: &str, draw: Draw) -> u64 {
    if matches!(state, "INACTIVE" | "LIVE-PENDING") {
        return 0;
    }
    let most = match draw.of(Topic::UsageSize, 0).below(100) {
        0..5 => return 0,
        5..40 => 1 << 20,
        40..75 => 1 << 28,
        75..93 => 1 << 32,
        _ => 60 << 30,
    };
    1 + draw.of(Topic::UsageSize, 1).below(most)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::simulator::SimulatorConfig;

    fn is_luhn_valid(digits: &str) -> bool {
        let (head, check) = digits.split_at(digits.len() - 1);
        check.starts_with(luhn_check_digit(head))
    }

    #[test]
    fn an_iccid_carries_a_valid_check_digit() {
        assert_eq!(luhn_check_digit("7992739871"), '3', "the textbook example");
        let fleet = Fleet::new(&SimulatorConfig::default(), 1_763_900_000);
        let accounts: Vec<_> = fleet.accounts().iter().collect();
        for device in fleet.devices_below(&accounts, None) {
            for link in device.links {
                assert_eq!(link.iccid().len(), 19);
                assert!(is_luhn_valid(&link.iccid()));
                assert!(link.imsi() > u64::from(u32::MAX));
            }
        }
    }
}
