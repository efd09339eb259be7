//! What is written for each device: a value for every column that a sync writes, of the widths that
//! a carrier sends, and different in every run.

use chrono::{DateTime, TimeDelta, Utc};

const SIM_STATUS: [&str; 5] = ["active", "suspended", "deactivated", "ready", "unknown"];
const NETWORK_STATUS: [&str; 4] = ["connected", "disconnected", "suspended", "unknown"];
const CYCLE_SOURCE: [&str; 2] = ["reported", "derived"];

/// New values of one row.
pub struct Change {
    pub device_id: String,
    pub bytes: i64,
    pub mb_hundredths: i64,
    pub read_at: DateTime<Utc>,
    pub cycle_start: DateTime<Utc>,
    pub cycle_end: DateTime<Utc>,
    pub cycle_source: &'static str,
    pub sim_status: &'static str,
    pub network_status: &'static str,
    pub iccid: String,
}

/// A change for each device; `now` tells one run from the next.
pub fn changes(device_ids: Vec<String>, now: DateTime<Utc>) -> Vec<Change> {
    let run = now.timestamp_millis() % 1_000_000;
    let change = |(place, device_id): (i64, String)| {
        let turn = usize::try_from(place + run).unwrap_or_default();
        let bytes = place * 65_537 + run;
        let into_cycle = TimeDelta::seconds(place % 2_000_000);
        Change {
            iccid: format!("894620{:013}", place),
            device_id,
            bytes,
            mb_hundredths: (bytes * 100 + 524_288) / 1_048_576,
            read_at: now,
            cycle_start: now - into_cycle,
            cycle_end: now + TimeDelta::days(30) - into_cycle,
            cycle_source: CYCLE_SOURCE[turn % CYCLE_SOURCE.len()],
            sim_status: SIM_STATUS[turn % SIM_STATUS.len()],
            network_status: NETWORK_STATUS[turn % NETWORK_STATUS.len()],
        }
    };
    (0..).zip(device_ids).map(change).collect()
}
