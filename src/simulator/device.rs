//! One simulated device: how many links it has, when each was claimed, and its last session.
//!
//! Links of a device may have different cycles. Their sessions are laid where the cycles overlap,
//! so whichever link's cycle a reader takes as the device's window, the sum over it is the same.

use super::{
    config::Billing,
    draw::{Draw, Topic},
    fleet::{Account, Fleet},
    link::{Link, Window, is_cancelled},
    period::KEPT_PERIODS,
    session::LastSession,
    time::{DAY, UnixSeconds, month_start},
};

/// Share of devices in their first billing period, in percent.
const NEW_SIM_PERCENT: f64 = 20.0;

/// Oldest claim.
const OLDEST_CLAIM: i64 = 800 * DAY;

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
        let created = fleet.epoch - OLDEST_CLAIM - 400 * DAY + (index % 10_000_000).cast_signed();
        Self {
            id,
            org_id: account.org_id,
            created,
            links,
            last_session,
        }
    }
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
    let room = (fleet.epoch - first).min(10 * DAY);
    (0..count)
        .map(|slot| match slot {
            0 => first,
            _ => first + draw.of(Topic::Claimed, slot).seconds_below(room),
        })
        .collect()
}

fn first_claim(fleet: &Fleet, billing: Billing, draw: Draw) -> UnixSeconds {
    let now = fleet.epoch;
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
    use crate::simulator::{SimulatedAccount, SimulatorConfig, link::STATES};

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
