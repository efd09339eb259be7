//! The SIMs of a fleet: each a pure function of seed, account and index. Every documented state occurs
//! in the first dozens; some use nothing, some more than 32 bits count.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::config::{Dialect, DialectConfig, MOST_DEVICES};

/// Bytes in a megabyte of 1NCE and emnify.
pub(super) const MEGABYTE: u64 = 1 << 20;

/// One SIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sim {
    pub(super) index: usize,
    /// 19 digits, without the check digit.
    pub(super) iccid: String,
    /// emnify's number of the endpoint.
    pub(super) endpoint_id: u64,
    /// Which of the carrier's states it is in: an index into the dialect's list.
    pub(super) state: usize,
    /// Likewise for connectivity.
    pub(super) connectivity: usize,
    /// In the current cycle; a whole number of 1,024 bytes, so that megabytes can be written exactly.
    pub(super) used_bytes: u64,
    /// 1NCE: what was ever put into the quota.
    pub(super) quota_mb: u64,
    /// Cisco: its rate plan.
    pub(super) plan: &'static str,
    pub(super) activated: DateTime<Utc>,
    pub(super) cycle: (DateTime<Utc>, DateTime<Utc>),
}

/// 1NCE's state of a SIM whose quota has expired.
pub(super) const EXPIRED: usize = 3;

/// emnify's number of an account's first endpoint.
pub(super) fn first_endpoint(account: usize) -> u64 {
    MOST_DEVICES as u64 * (account as u64 + 1) + 1
}

impl Sim {
    pub(super) fn generate(
        config: &DialectConfig,
        account: usize,
        index: usize,
        now: DateTime<Utc>,
    ) -> Self {
        let draw = |topic: u64| mix(config.seed, account as u64, index as u64, topic);
        let used_bytes = 1_024
            * match index % 9 {
                0 => 0,
                1 => draw(1) % 8,
                2 => 5_000_000 + draw(1) % 9_000_000,
                _ => draw(1) % 400_000,
            };
        let quota_mb = match index % 5 {
            0 => 500,
            1 => 1_500,
            _ => 500 + 250 * (draw(2) % 4),
        };
        let activated =
            now - TimeDelta::days(400) - TimeDelta::seconds((draw(3) % 86_400).cast_signed());
        let iccid = format!("8988303{:04}{:08}", account % 10_000, index);
        Self {
            index,
            iccid,
            endpoint_id: first_endpoint(account) + index as u64,
            state: index % 12,
            connectivity: (index / 2) % 4,
            used_bytes,
            quota_mb,
            plan: config.plans().of(index),
            activated,
            cycle: cycle((config.dialect, index % 12), activated, now),
        }
    }

    /// 20 digits, with the check digit.
    pub(super) fn iccid_with_luhn(&self) -> String {
        format!("{}{}", self.iccid, luhn(&self.iccid))
    }

    /// Its name at the carrier, as the service links it.
    pub(super) fn name(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::OneNce => self.iccid.clone(),
            Dialect::Emnify => self.endpoint_id.to_string(),
            Dialect::Cisco => self.iccid_with_luhn(),
        }
    }
}

fn cycle(
    (dialect, state): (Dialect, usize),
    activated: DateTime<Utc>,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let first = now
        .date_naive()
        .with_day(1)
        .unwrap_or_else(|| now.date_naive());
    let month_later = |date: NaiveDate| date.checked_add_months(Months::new(1)).unwrap_or(date);
    match dialect {
        // A quota that has expired has an end that is past.
        Dialect::OneNce if state == EXPIRED => (activated, activated + TimeDelta::days(390)),
        Dialect::OneNce => (activated, activated + TimeDelta::days(3_650)),
        Dialect::Emnify => (midnight(first), midnight(month_later(first))),
        // Cycles begin on the tenth.
        Dialect::Cisco => {
            let tenth = first + TimeDelta::days(9);
            let start = if now.day() >= 10 {
                tenth
            } else {
                tenth.checked_sub_months(Months::new(1)).unwrap_or(tenth)
            };
            (midnight(start), midnight(month_later(start)))
        }
    }
}

/// SplitMix64 over the parts.
fn mix(seed: u64, account: u64, index: u64, topic: u64) -> u64 {
    let mut state = seed;
    for part in [account, index, topic] {
        state = state.wrapping_add(part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    state
}

fn luhn(digits: &str) -> u32 {
    let digit = |(place, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0');
        match (place % 2, 2 * digit) {
            (0, doubled) => doubled / 10 + doubled % 10,
            _ => digit,
        }
    };
    let sum: u32 = digits.bytes().rev().enumerate().map(digit).sum();
    (10 - sum % 10) % 10
}

/// A whole number of KiB in megabytes of 1,024 KB, exactly: a float holds 43 bits and ten behind the point.
pub(super) fn megabytes(bytes: i64) -> f64 {
    bytes as f64 / MEGABYTE as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sims(dialect: Dialect, seed: u64, account: usize) -> Vec<Sim> {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let config = DialectConfig {
            seed,
            ..DialectConfig::of(dialect, 400)
        };
        (0..400)
            .map(|index| Sim::generate(&config, account, index, now))
            .collect()
    }

    #[test]
    fn a_sim_is_the_same_for_the_same_seed_and_another_for_another() {
        let fleet = sims(Dialect::OneNce, 1, 0);
        assert_eq!(fleet, sims(Dialect::OneNce, 1, 0));
        let bytes = |fleet: Vec<Sim>| -> u64 { fleet.iter().map(|sim| sim.used_bytes).sum() };
        assert_ne!(bytes(fleet), bytes(sims(Dialect::OneNce, 2, 0)));
    }

    #[test]
    fn no_two_accounts_share_a_name() {
        for dialect in [Dialect::OneNce, Dialect::Emnify, Dialect::Cisco] {
            let fleets = [sims(dialect, 1, 0), sims(dialect, 1, 1)].concat();
            let names: std::collections::HashSet<_> =
                fleets.iter().map(|sim| sim.name(dialect)).collect();
            assert_eq!(names.len(), 800, "{dialect:?}");
        }
    }

    #[test]
    fn a_fleet_has_silent_sims_and_such_beyond_32_bits_and_quotas_that_are_overdrawn() {
        let fleet = sims(Dialect::OneNce, 1, 0);
        assert!(fleet.iter().any(|sim| sim.used_bytes == 0));
        assert!(fleet.iter().any(|sim| sim.used_bytes > u64::from(u32::MAX)));
        let is_overdrawn = |sim: &Sim| sim.used_bytes > sim.quota_mb * MEGABYTE;
        assert!(fleet.iter().any(is_overdrawn));
        assert!(
            fleet
                .iter()
                .any(|sim| !is_overdrawn(sim) && sim.used_bytes > 0)
        );
    }

    /// The documentation's own number, and one of a card.
    #[test]
    fn the_check_digit_is_luhn_s() {
        assert_eq!(luhn("8988303000123456789"), 4);
        assert_eq!(luhn("7992739871"), 3);
        assert_eq!(luhn("0"), 0);
    }

    #[test]
    fn megabytes_are_exact_to_the_byte_also_in_text() {
        for sim in sims(Dialect::OneNce, 7, 3) {
            let text = serde_json::to_string(&megabytes(-sim.used_bytes.cast_signed())).unwrap();
            let (whole, part) = text.trim_start_matches('-').split_once('.').unwrap();
            let scaled = format!("{whole}{part:0<10}").parse::<u128>().unwrap();
            assert_eq!(
                scaled * u128::from(MEGABYTE),
                u128::from(sim.used_bytes) * 10_000_000_000,
                "{text}"
            );
        }
    }

    #[test]
    fn a_cycle_holds_the_carrier_s_date_unless_its_quota_has_expired() {
        for day in [
            "2026-11-09T23:59:59Z",
            "2026-11-10T00:00:00Z",
            "2027-01-31T12:00:00Z",
        ] {
            let now: DateTime<Utc> = day.parse().unwrap();
            for dialect in [Dialect::OneNce, Dialect::Emnify, Dialect::Cisco] {
                let config = DialectConfig::of(dialect, 1);
                for index in 0..24 {
                    let sim = Sim::generate(&config, 0, index, now);
                    let is_over = dialect == Dialect::OneNce && sim.state == EXPIRED;
                    let (start, end) = sim.cycle;
                    assert!(
                        start <= now && (now < end) != is_over,
                        "{dialect:?} {sim:?}"
                    );
                }
            }
        }
    }
}
