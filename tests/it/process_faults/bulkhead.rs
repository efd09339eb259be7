//! Bad company: 25 healthy integrations beside 10 whose carrier hangs, 10 that are told "too fast"
//! at every call, 10 that are served garbage and 5 that panic at every sync. The healthy ones start
//! on time, measured at the carrier, and take as long as they did before the others came.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::clock::SystemClock;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{
    Endpoint, Fault, FaultKind, Latency, SimulatedAccount, Simulator, SimulatorConfig,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::parser::{PanickingCarrier, PanickingParser};
use super::rig::{Rig, Timer};
use crate::database_faults::desk::until;
use crate::fleet::{self, Account, in_system};
use crate::postgres::TestDatabase;

const HEALTHY: u64 = 25;
const INTERVAL: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;
/// Most that a start may be late, for 99 of 100.
const LATEST: TimeDelta = TimeDelta::seconds(1);
/// Most that bad company may lengthen a sync.
const LONGER: f64 = 1.25;

fn carrier(accounts: u64) -> Simulator {
    let accounts = (1..=accounts).map(|n| SimulatedAccount::numbered(n, 30));
    fleet::simulator(SimulatorConfig {
        accounts: accounts.collect(),
        latency: Latency {
            fixed: Duration::from_millis(60),
            jitter: Duration::ZERO,
        },
        ..SimulatorConfig::default()
    })
}

async fn link(owner: &App, simulator: &Simulator, tenant: &str, org: u64) -> IntegrationId {
    let account = Account {
        tenant,
        org,
        in_bulk: true,
    };
    fleet::link_fleet(owner, simulator, account).await
}

/// Spread over the interval, as the supervisor spreads them over the start.
fn timer(place: u64, of: u64) -> Timer {
    Timer {
        first_delay: INTERVAL.mul_f64(place as f64 / of as f64),
        interval: INTERVAL,
    }
}

struct Healthy {
    /// By organisation at the carrier.
    ids: HashMap<u64, IntegrationId>,
    simulator: Simulator,
}

/// What a stretch of time showed of the healthy ones.
struct Seen {
    lateness: Vec<TimeDelta>,
    sync_times: Vec<TimeDelta>,
}

impl Healthy {
    /// Watches until each has made so many more syncs.
    async fn watch(&self, rig: &Rig) -> Seen {
        let begun = Utc::now();
        self.simulator.reset_calls();
        let since = |id: &IntegrationId| {
            let mut records = rig.witness.records();
            records.retain(|told| {
                told.record.integration_id == *id && told.record.started_at() > Some(begun)
            });
            records
        };
        until("rounds of syncs", async || {
            self.ids
                .values()
                .all(|id| since(id).len() > ROUNDS)
                .then_some(())
        })
        .await;
        let arrivals = self.simulator.calls().arrivals;
        let mut seen = Seen {
            lateness: Vec::new(),
            sync_times: Vec::new(),
        };
        for (org, id) in &self.ids {
            let records = since(id);
            for told in &records {
                assert_eq!(told.record.outcome, Outcome::Success, "{:?}", told.record);
                seen.sync_times
                    .push(told.at - started(told.record.started_at()));
            }
            let calls = arrivals
                .iter()
                .filter(|call| call.orgid == Some(*org) && call.endpoint == Endpoint::Billing);
            let calls: Vec<DateTime<Utc>> = calls
                .map(|call| begun + TimeDelta::microseconds(call.at_micros.cast_signed()))
                .collect();
            // Each sync is due one interval after the start of the one before.
            for told in &records[..records.len() - 1] {
                let due = started(told.record.started_at()) + INTERVAL;
                let first_call = calls
                    .iter()
                    .find(|at| **at >= due - TimeDelta::milliseconds(20));
                seen.lateness
                    .push(*first_call.expect("it was called") - due);
            }
        }
        seen
    }
}

fn started(at: Option<DateTime<Utc>>) -> DateTime<Utc> {
    at.expect("it was not stopped")
}

/// The value below which this part of `all` lies.
fn quantile(all: &mut [TimeDelta], part: f64) -> TimeDelta {
    all.sort();
    all[((all.len() - 1) as f64 * part).round() as usize]
}

fn make_sick(simulator: &Simulator, org: u64) {
    let what = match org % 1000 {
        1..=10 => FaultKind::Hang,
        11..=20 => FaultKind::Status {
            status: 429,
            retry_after: Some("0".into()),
            body: None,
        },
        21..=30 => FaultKind::Html,
        _ => return,
    };
    simulator.inject(Fault::new(what).for_org(org));
}

#[test]
fn thirty_five_sick_integrations_delay_no_healthy_one() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let (well, ill) = (carrier(HEALTHY), carrier(35));
        let owner = fleet::app(&database.owner_url(), &[]);
        let mut ids = HashMap::new();
        for org in 1001..=1000 + HEALTHY {
            ids.insert(org, link(&owner, &well, "well", org).await);
        }
        let mut sick = Vec::new();
        for org in 1001..=1035 {
            make_sick(&ill, org);
            sick.push((org, link(&owner, &ill, &format!("ill-{org}"), org).await));
        }
        let app = fleet::app(&database.service_url(), &[]);
        let mut rig = Rig::of(app, Arc::new(SystemClock));
        for (org, id) in &ids {
            rig.start(id, timer(org - 1000, HEALTHY), None).await;
        }
        let healthy = Healthy {
            ids,
            simulator: well,
        };
        let mut alone = healthy.watch(&rig).await;

        let panicking = PanickingCarrier::with(PanickingParser::always());
        for (org, id) in &sick {
            let carrier = (*org > 1030).then_some(panicking);
            rig.start(id, timer(org - 1000, 35), carrier).await;
        }
        let mut together = healthy.watch(&rig).await;

        let late = quantile(&mut together.lateness, 0.99);
        assert!(late < LATEST, "99 of 100 start within {late}");
        let (before, with) = (
            quantile(&mut alone.sync_times, 0.5),
            quantile(&mut together.sync_times, 0.5),
        );
        let ratio = with.as_seconds_f64() / before.as_seconds_f64();
        eprintln!("bulkhead: p99 lateness {late}, median sync {before} alone, {with} in company");
        assert!(
            ratio < LONGER,
            "{with} instead of {before}: {ratio:.2} times"
        );
        assert!(ill.calls().total > 100, "the others were busy");
        for (org, id) in &sick {
            assert_ne!(rig.status(id).last_outcome, Some(Outcome::Success), "{org}");
        }
        rig.close().await;
        owner.store.close().await;
    });
}
