//! Without an account id each device is asked for by itself: within the rate, the concurrency and the
//! budget, all measured at the carrier.

use std::time::Duration;

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{
    Calls, Latency, SimulatedAccount, Simulator, SimulatorConfig, Truth,
};
use carrier_sync::store::DeviceRow;
use carrier_sync::sync::Halt;

use chrono::TimeDelta;

use crate::fleet::{self, Account, in_system};

const ALONE: Account<'_> = Account {
    tenant: "acme",
    org: 1001,
    in_bulk: false,
};

fn carrier(devices: u64) -> SimulatorConfig {
    SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, devices)],
        ..SimulatorConfig::default()
    }
}

/// A single call does not name the start of the cycle, so that is derived: thirty days before the end,
/// which is too early by as much as a plan was cancelled early. All else is the truth.
fn assert_true(row: &DeviceRow, truth: &Truth) {
    assert_eq!(row.billing_cycle_source.as_deref(), Some("derived"));
    let (start, end) = (row.billing_cycle_start.unwrap(), truth.cycle_end);
    assert!(
        start <= truth.cycle_start + TimeDelta::seconds(15),
        "{start}"
    );
    assert!(end - start <= TimeDelta::days(30), "{start}");
    let mut row = row.clone();
    row.billing_cycle_start = Some(truth.cycle_start);
    row.billing_cycle_source = Some(truth.cycle_source.to_owned());
    fleet::assert_row_true(&row, truth);
}

fn find<'a>(truth: &'a [Truth], row: &DeviceRow) -> &'a Truth {
    let id = row.carrier_device_id.as_deref();
    truth
        .iter()
        .find(|truth| Some(truth.carrier_device_id.as_str()) == id)
        .expect("a device of the fleet")
}

/// Any stretch of arrivals holds at most the burst and what the rate allows meanwhile; one call more
/// for what the network moves together.
fn assert_rate_kept(calls: &Calls, burst: f64, per_second: f64) {
    let arrivals: Vec<_> = calls
        .arrivals
        .iter()
        .map(|call| call.at_micros as f64 / 1e6)
        .collect();
    for (first, from) in arrivals.iter().enumerate() {
        for (last, to) in arrivals.iter().enumerate().skip(first) {
            let (count, allowed) = (last - first + 1, burst + 1.0 + (to - from) * per_second);
            assert!(count as f64 <= allowed, "{count} calls in {} s", to - from);
        }
    }
}

#[test]
fn every_device_is_true_within_rate_and_concurrency() {
    in_system(async {
        let simulator = fleet::simulator(SimulatorConfig {
            requests_per_second: Some(50.0),
            burst: 6,
            // Three at once could make a hundred calls a second: it is the rate that holds them.
            latency: Latency {
                fixed: Duration::from_millis(20),
                jitter: Duration::from_millis(20),
            },
            ..carrier(100)
        });
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("carriers.hologram.requests_per_second", "50"),
            ("carriers.hologram.burst", "5"),
            ("carriers.hologram.max_concurrency", "3"),
        ];
        let app = fleet::app(&fleet::sqlite_url(&folder), &settings);
        app.prepare().await.unwrap();
        let id = fleet::link_fleet(&app, &simulator, ALONE).await;
        let report = fleet::sync_one(&app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        let truth = simulator.truth(1001);
        let rows = fleet::devices(&app, &id).await;
        assert_eq!(rows.len(), 100);
        rows.iter()
            .for_each(|row| assert_true(row, find(&truth, row)));
        let calls = simulator.calls();
        assert_eq!((calls.total, report.api_calls), (100, 100));
        assert_eq!(calls.answered(429), 0, "the carrier never had to refuse");
        assert_eq!(
            calls.peak_concurrency, 3,
            "all of what is allowed, and no more"
        );
        assert_rate_kept(&calls, 5.0, 50.0);
    });
}

fn read(rows: &[DeviceRow]) -> usize {
    rows.iter()
        .filter(|row| row.data_used_bytes.is_some())
        .count()
}

#[test]
fn the_budget_ends_a_sync_and_the_next_goes_on_with_those_left_out() {
    in_system(async {
        let simulator: Simulator = fleet::simulator(carrier(12));
        let folder = tempfile::tempdir().unwrap();
        // One at a time: of several at once a later one may be asked while an earlier one waits for a thread.
        let settings = [
            ("carriers.hologram.max_calls_per_sync", "5"),
            ("carriers.hologram.max_concurrency", "1"),
        ];
        let app = fleet::app(&fleet::sqlite_url(&folder), &settings);
        app.prepare().await.unwrap();
        let id = fleet::link_fleet(&app, &simulator, ALONE).await;
        for (round, read_by_then) in [(1, 5), (2, 10), (3, 12)] {
            simulator.reset_calls();
            let report = fleet::sync_one(&app).await;
            assert_eq!(report.outcome, Outcome::Partial, "round {round}");
            assert!(matches!(report.halt, Some(Halt::BudgetSpent { .. })));
            let error = report.error.unwrap();
            assert!(error.contains("max_calls_per_sync"), "{error}");
            assert!(error.contains("7 of 12 devices not synced"), "{error}");
            assert_eq!((simulator.calls().total, report.api_calls), (5, 5));
            assert_eq!(
                read(&fleet::devices(&app, &id).await),
                read_by_then,
                "round {round}"
            );
        }
        let truth = simulator.truth(1001);
        let rows = fleet::devices(&app, &id).await;
        rows.iter()
            .for_each(|row| assert_true(row, find(&truth, row)));
    });
}
