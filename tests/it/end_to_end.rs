//! The main job on real input: a paged carrier over HTTP on one side, a real database on the other.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};

use crate::fleet::{self, Account, in_system};

const ACME: Account<'_> = Account {
    tenant: "acme",
    org: 1001,
    in_bulk: true,
};

fn carrier(devices: u64) -> SimulatorConfig {
    SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, devices)],
        ..SimulatorConfig::default()
    }
}

async fn every_row_is_true(database_url: &str, devices: u64, page: u64, most_calls: u64) {
    let mut config = carrier(devices);
    config.max_device_page = usize::try_from(page).unwrap();
    let simulator = fleet::simulator(config);
    let app = fleet::app(database_url, &[]);
    app.prepare().await.unwrap();
    let id = fleet::link_fleet(&app, &simulator, ACME).await;
    let report = fleet::sync_one(&app).await;
    assert_eq!(report.error, None);
    assert_eq!(report.outcome, Outcome::Success);
    assert_eq!(report.synced as u64, devices);
    fleet::assert_true(&fleet::devices(&app, &id).await, &simulator.truth(1001));
    let calls = simulator.calls();
    assert!(
        calls.total <= most_calls,
        "{} calls, at most {most_calls}",
        calls.total
    );
    assert_eq!(
        calls.total, report.api_calls,
        "the report counts what the carrier counts"
    );
}

#[test]
fn ten_thousand_devices_on_sqlite_equal_the_truth_in_few_calls() {
    let folder = tempfile::tempdir().unwrap();
    in_system(every_row_is_true(
        &fleet::sqlite_url(&folder),
        10_000,
        1_000,
        2 * 10 + 2,
    ));
}

#[test]
fn a_fleet_of_any_size_is_read_whole() {
    for devices in [1u64, 99, 100, 101, 200] {
        let folder = tempfile::tempdir().unwrap();
        let most_calls = 2 * devices.div_ceil(100) + 2;
        in_system(every_row_is_true(
            &fleet::sqlite_url(&folder),
            devices,
            100,
            most_calls,
        ));
    }
}
