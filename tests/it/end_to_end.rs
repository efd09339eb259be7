//! The main job on real input: a paged carrier over HTTP on one side, a real database on the other.

use carrier_sync::app::App;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Billing, SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::store::DeviceRow;

use crate::fleet::{self, Account, in_system};
use crate::postgres::TestDatabase;

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

/// Syncs the only integration; every row must then equal the truth, in at most `most_calls`.
async fn sync_is_true(
    app: &App,
    simulator: &Simulator,
    id: &IntegrationId,
    most_calls: u64,
) -> Vec<DeviceRow> {
    simulator.reset_calls();
    let report = fleet::sync_one(app).await;
    assert_eq!(report.error, None);
    assert_eq!(report.outcome, Outcome::Success);
    let (rows, truth) = (fleet::devices(app, id).await, simulator.truth(1001));
    assert_eq!(report.synced, truth.len());
    fleet::assert_true(&rows, &truth);
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
    rows
}

async fn every_row_is_true_on_sqlite(carrier: SimulatorConfig, page: u64, most_calls: u64) {
    let folder = tempfile::tempdir().unwrap();
    let simulator = fleet::simulator(carrier);
    let page = page.to_string();
    let settings = [("carriers.hologram.device_page_size", page.as_str())];
    let app = fleet::app(&fleet::sqlite_url(&folder), &settings);
    app.prepare().await.unwrap();
    let id = fleet::link_fleet(&app, &simulator, ACME).await;
    sync_is_true(&app, &simulator, &id, most_calls).await;
}

/// As in production: the owner migrates and links, the service is the role that row-level security
/// binds. Answers both; dropping the database drops the roles.
async fn on_postgres(settings: &[(&str, &str)]) -> (TestDatabase, App, App) {
    let database = TestDatabase::migrated().await;
    let owner = fleet::app(&database.owner_url(), settings);
    let service = fleet::app(&database.service_url(), settings);
    service
        .prepare()
        .await
        .expect("the service accepts its role");
    (database, owner, service)
}

async fn every_row_is_true_on_postgres(page: u64, most_calls: u64) {
    let mut config = carrier(10_000);
    config.max_device_page = usize::try_from(page).unwrap();
    let simulator = fleet::simulator(config);
    let page = page.to_string();
    let settings = [("carriers.hologram.device_page_size", page.as_str())];
    let (_database, owner, service) = on_postgres(&settings).await;
    let id = fleet::link_fleet(&owner, &simulator, ACME).await;
    let rows = sync_is_true(&service, &simulator, &id, most_calls).await;
    let again = sync_is_true(&service, &simulator, &id, most_calls).await;
    assert_eq!(without_freshness(rows), without_freshness(again));
    owner.store.close().await;
    service.store.close().await;
}

fn without_freshness(mut rows: Vec<DeviceRow>) -> Vec<DeviceRow> {
    rows.iter_mut()
        .for_each(|row| row.data_used_updated_at = None);
    rows
}

#[test]
fn ten_thousand_devices_on_postgres_equal_the_truth_in_few_calls_and_stay_so() {
    in_system(every_row_is_true_on_postgres(1_000, 2 * 10 + 2));
}

#[test]
fn ten_thousand_devices_on_postgres_in_pages_of_five_thousand_equal_the_truth_in_fewer_calls() {
    // Two listing pages; the report has a row per link and period, which is more than two pages.
    in_system(every_row_is_true_on_postgres(5_000, 2 * 2 + 2));
}

#[test]
fn ten_thousand_devices_on_sqlite_equal_the_truth_in_few_calls() {
    in_system(every_row_is_true_on_sqlite(
        carrier(10_000),
        1_000,
        2 * 10 + 2,
    ));
}

#[test]
fn a_fleet_of_any_size_is_read_whole() {
    for devices in [0u64, 1, 99, 100, 101, 200] {
        let most_calls = 2 * devices.div_ceil(100) + 2;
        in_system(every_row_is_true_on_sqlite(
            carrier(devices),
            100,
            most_calls,
        ));
    }
}

#[test]
fn a_carrier_that_serves_smaller_pages_than_asked_for_is_read_whole() {
    let mut config = carrier(250);
    config.max_device_page = 100;
    in_system(every_row_is_true_on_sqlite(config, 5_000, 3 + 1));
}

#[test]
fn an_invoiced_account_has_the_calendar_months_cycle() {
    let mut config = carrier(120);
    config.accounts[0].billing = Billing::Invoiced;
    in_system(every_row_is_true_on_sqlite(config, 50, 3 + 1));
}

#[test]
fn a_second_sync_changes_nothing_and_asks_no_more() {
    in_system(async {
        let folder = tempfile::tempdir().unwrap();
        let simulator = fleet::simulator(carrier(250));
        let settings = [("carriers.hologram.device_page_size", "100")];
        let app = fleet::app(&fleet::sqlite_url(&folder), &settings);
        app.prepare().await.unwrap();
        let id = fleet::link_fleet(&app, &simulator, ACME).await;
        let first = sync_is_true(&app, &simulator, &id, 8).await;
        let calls = simulator.calls().total;
        let second = sync_is_true(&app, &simulator, &id, 8).await;
        assert_eq!(simulator.calls().total, calls);
        assert!(second[0].data_used_updated_at > first[0].data_used_updated_at);
        assert_eq!(without_freshness(first), without_freshness(second));
    });
}

/// Two carriers that know devices of the same names, used differently.
fn twins() -> [Simulator; 2] {
    [1, 2].map(|seed| {
        fleet::simulator(SimulatorConfig {
            seed,
            ..carrier(50)
        })
    })
}

#[test]
fn two_tenants_with_the_same_names_stay_apart() {
    in_system(async {
        let (_database, owner, service) = on_postgres(&[]).await;
        let [ours, theirs] = twins();
        assert_ne!(ours.truth(1001), theirs.truth(1001));
        let acme = fleet::link_fleet(&owner, &ours, ACME).await;
        let globex = Account {
            tenant: "globex",
            ..ACME
        };
        let globex = fleet::link_fleet(&owner, &theirs, globex).await;
        let reports = fleet::sync(&service).await;
        assert!(
            reports
                .iter()
                .all(|report| report.outcome == Outcome::Success)
        );
        fleet::assert_true(&fleet::devices(&service, &acme).await, &ours.truth(1001));
        fleet::assert_true(
            &fleet::devices(&service, &globex).await,
            &theirs.truth(1001),
        );
        owner.store.close().await;
        service.store.close().await;
    });
}

#[test]
fn a_row_of_another_tenant_that_names_our_integration_is_not_touched() {
    in_system(async {
        let (database, owner, service) = on_postgres(&[]).await;
        let [ours, theirs] = twins();
        let acme = fleet::link_fleet(&owner, &ours, ACME).await;
        let globex = Account {
            tenant: "globex",
            ..ACME
        };
        let globex = fleet::link_fleet(&owner, &theirs, globex).await;
        // What a defect of the platform could leave behind: their rows point at our account.
        let sql = format!(
            "UPDATE device_connections SET carrier_integration_id = '{acme}', \
             data_used_bytes = 7 WHERE tenant_id = 'globex'; \
             UPDATE carrier_integrations SET enabled = false WHERE id = '{globex}'"
        );
        database.execute(&sql).await;
        let report = fleet::sync_one(&service).await;
        assert_eq!((report.outcome, report.devices), (Outcome::Success, 50));
        let rows = fleet::devices(&owner, &acme).await;
        let (mine, foreign): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|row| row.tenant_id.as_str() == "acme");
        fleet::assert_true(&mine, &ours.truth(1001));
        assert_eq!(foreign.len(), 50);
        assert!(foreign.iter().all(|row| row.data_used_bytes == Some(7)));
        owner.store.close().await;
        service.store.close().await;
    });
}
