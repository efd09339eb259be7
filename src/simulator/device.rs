//! One simulated device: its links, their states, periods and bytes, and its last session.
//!
//! Links of a device may have different cycles. Their sessions are laid where the cycles overlap,
//! so whichever link's cycle a reader takes as the device's window, the sum over it is the same.

use super::{
    config::Billing,
    draw::{Draw, Topic},
    fleet::{Account, Fleet, link_id},
    period::{KEPT_PERIODS, Periods},
    session::LastSession,
    time::{DAY, UnixSeconds, month_start},
};

/// States of a SIM and their share of the fleet in percent: all that the documentation shows, and
/// one that it does not, because a complete list was never published.
const STATES: [(&str, u64); 9] = [
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

/// Share of devices in their first billing period, in percent.
const NEW_SIM_PERCENT: f64 = 20.0;

/// Oldest claim.
const OLDEST_CLAIM: i64 = 800 * DAY;

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

/// A device of the fleet.
#[derive(Debug)]
pub(super) struct Device {
    pub id: u64,
    pub org_id: u64,
    pub created: UnixSeconds,
    /// One to three, ids ascending.
    pub links: Vec<Link>,
    pub last_session: LastSession,
}

impl Device {
    pub(super) fn generate(
        fleet: &Fleet,
        account: &Account,
        id: u64,
        index: u64,
        draw: Draw,
    ) -> Self {
        let claims = claims(fleet, account.billing, draw);
        let single = claims.len() == 1;
        let mut links: Vec<Link> = claims
            .into_iter()
            .zip(0..)
            .map(|(claimed, slot)| {
                Link::generate(
                    fleet,
                    account,
                    id,
                    slot,
                    claimed,
                    single,
                    draw.of(Topic::Link, slot),
                )
            })
            .collect();
        if !single {
            cancel_within_common_cycle(&mut links, fleet.now);
        }
        lay_windows(&mut links, fleet.now);
        let last_session = LastSession::generate(&links, fleet.now, draw);
        // Created in the order of the ids and before any claim, as a listing "newest first" promises.
        let created = fleet.now - OLDEST_CLAIM - 400 * DAY + (index % 10_000_000).cast_signed();
        Self {
            id,
            org_id: account.org_id,
            created,
            links,
            last_session,
        }
    }
}

impl Link {
    fn generate(
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
            let since = (fleet.now - claimed).min(60 * DAY);
            fleet.now - draw.of(Topic::Cancelled, 1).seconds_below(since)
        });
        let at = cancelled.unwrap_or(fleet.now);
        let mut periods = Periods::at(account.billing, claimed, at, draw);
        if let Some(moment) = cancelled.filter(|moment| *moment > periods.start(0)) {
            periods = periods.cancelled_at(moment);
        }
        let base_bytes = [0, 1, 2].map(|back| {
            if back < periods.count() {
                usage_bytes(state, draw.of(Topic::Usage, back as u64))
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

fn is_cancelled(state: &str, draw: Draw) -> bool {
    state == "DEAD" && draw.of(Topic::Cancelled, 0).percent(80.0)
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

/// When each link of a device was claimed; as many as it has links.
fn claims(fleet: &Fleet, billing: Billing, draw: Draw) -> Vec<UnixSeconds> {
    let count = match draw
        .of(Topic::LinkCount, 0)
        .percent(fleet.multi_link_percent)
    {
        false => 1,
        true if draw.of(Topic::LinkCount, 1).percent(80.0) => 2,
        true => 3,
    };
    let first = first_claim(fleet, billing, draw);
    let room = (fleet.now - first).min(10 * DAY);
    (0..count)
        .map(|slot| match slot {
            0 => first,
            _ => first + draw.of(Topic::Claimed, slot).seconds_below(room),
        })
        .collect()
}

fn first_claim(fleet: &Fleet, billing: Billing, draw: Draw) -> UnixSeconds {
    let now = fleet.now;
    let place = draw.of(Topic::Claimed, 0);
    // Where a first period may begin: within the last 30 days, or within this month.
    let opens = match billing {
        Billing::Prepaid => now - 30 * DAY + 60,
        Billing::Invoiced => month_start(now, 0).max(month_start(now, 1) - 30 * DAY),
    };
    if opens < now && draw.of(Topic::NewSim, 0).percent(NEW_SIM_PERCENT) {
        return opens + place.seconds_below(now - opens);
    }
    let latest = match billing {
        Billing::Prepaid => now - 30 * DAY - 60,
        Billing::Invoiced => month_start(now, 0) - 1,
    };
    latest - place.seconds_below(OLDEST_CLAIM - 31 * DAY)
}

/// Of several links, a cancelled one ended within the cycle that all still share: what it used
/// there is part of what the device used.
fn cancel_within_common_cycle(links: &mut [Link], now: UnixSeconds) {
    let opens = links
        .iter()
        .map(|link| link.periods.start(0))
        .max()
        .unwrap_or(now);
    for link in links
        .iter_mut()
        .filter(|link| is_cancelled(link.state, link.draw))
    {
        let moment = opens + 1 + link.draw.of(Topic::Cancelled, 1).seconds_below(now - opens);
        if moment <= now {
            link.periods = link.periods.cancelled_at(moment);
        }
    }
}

/// Lays the sessions of each period where every link's cycle agrees on the period they fall into.
fn lay_windows(links: &mut [Link], now: UnixSeconds) {
    let mut windows = [Window::default(); KEPT_PERIODS];
    for (back, window) in windows.iter_mut().enumerate() {
        let having = || {
            links
                .iter()
                .map(|link| &link.periods)
                .filter(|p| back < p.count())
        };
        let first = having()
            .map(|periods| periods.start(back))
            .max()
            .unwrap_or(now);
        let last = match back {
            0 => having().map(|periods| periods.end(0) - 1).min(),
            _ => links
                .iter()
                .map(|link| link.periods.start_up_to(back - 1) - 1)
                .min(),
        };
        let last = last.unwrap_or(now).min(now);
        *window = Window {
            first: first.min(last),
            last,
        };
    }
    for link in links {
        link.windows = windows;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::simulator::{SimulatedAccount, SimulatorConfig};

    fn is_luhn_valid(digits: &str) -> bool {
        let (head, check) = digits.split_at(digits.len() - 1);
        check.chars().next() == Some(luhn_check_digit(head))
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

    #[test]
    fn every_kind_of_device_is_in_a_fleet_of_a_thousand() {
        for billing in [Billing::Prepaid, Billing::Invoiced] {
            let account = SimulatedAccount {
                billing,
                ..SimulatedAccount::numbered(1, 1_000)
            };
            let config = SimulatorConfig {
                accounts: vec![account],
                ..Default::default()
            };
            let fleet = Fleet::new(&config, 1_763_900_000);
            let accounts: Vec<_> = fleet.accounts().iter().collect();
            let links: Vec<Link> = fleet
                .devices_below(&accounts, None)
                .flat_map(|device| device.links)
                .collect();
            for (state, _) in STATES {
                assert!(links.iter().any(|link| link.state == state), "{state}");
            }
            for periods in 1..=KEPT_PERIODS {
                assert!(
                    links.iter().any(|link| link.periods.count() == periods),
                    "{periods}"
                );
            }
            assert!(links.iter().any(|link| link.bytes(0) > u64::from(u32::MAX)));
            assert!(links.iter().any(|link| link.bytes(0) == 0));
            assert!(
                links.iter().any(|link| link.periods.end(0) <= fleet.now),
                "cancelled"
            );
            assert!(links.iter().any(|link| link.id % 4 == 2), "three links");
        }
    }

    #[test]
    fn sessions_lie_inside_the_cycle_of_every_link_of_the_device_and_older_ones_outside() {
        for billing in [Billing::Prepaid, Billing::Invoiced] {
            for now in (0..40).map(|n| 1_763_900_000 + n * 70_001) {
                let account = SimulatedAccount {
                    billing,
                    ..SimulatedAccount::numbered(1, 200)
                };
                let config = SimulatorConfig {
                    accounts: vec![account],
                    multi_link_percent: 60.0,
                    ..Default::default()
                };
                let fleet = Fleet::new(&config, now);
                let accounts: Vec<_> = fleet.accounts().iter().collect();
                for device in fleet.devices_below(&accounts, None) {
                    for link in &device.links {
                        let [current, older, oldest] = link.windows;
                        for other in &device.links {
                            let (start, end) = (other.periods.start(0), other.periods.end(0));
                            assert!(start <= current.first && current.last < end, "{device:?}");
                            assert!(older.last < start && oldest.last < start, "{device:?}");
                        }
                    }
                }
            }
        }
    }
}
