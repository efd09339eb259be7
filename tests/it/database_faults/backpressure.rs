//! A database slower than the carrier holds the carrier's pages back: what has been read and is not
//! written yet is bounded by configuration, however large the fleet.

use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::status::ActorName;
use sqlx::{Connection, raw_sql};

use super::desk::waits_for_a_lock;
use crate::fleet::{self, Account, in_system};
use crate::postgres::TestDatabase;

/// So many that their batches alone would not fit into the queue.
const ACCOUNTS: u64 = 8;
const DEVICES: u64 = 400;
/// Rows of a page, of a batch and of a transaction.
const PAGE: u64 = 20;
const QUEUE_ROWS: u64 = 60;
/// Pages that one sync may hold beside the queue: a batch that waits for room, one that fills, pages
/// read ahead.
const PAGES_PER_SYNC: u64 = 8;

async fn linked(
    owner: &App,
    simulator: &Simulator,
) -> Vec<(u64, carrier_sync::device::IntegrationId)> {
    let mut accounts = Vec::new();
    for number in 1..=ACCOUNTS {
        let (org, tenant) = (1_000 + number, format!("tenant-{number}"));
        let account = Account {
            tenant: &tenant,
            org,
            in_bulk: true,
        };
        accounts.push((org, fleet::link_fleet(owner, simulator, account).await));
    }
    accounts
}

/// Looks until no call has arrived for a second; answers the longest queue that was seen.
async fn comes_to_a_stand(app: &App, simulator: &Simulator) -> usize {
    let (mut longest, mut calls, mut looks) = (0, 0, 0);
    while looks < 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let status = app.board.get(&ActorName::Writer);
        longest = longest.max(status.map_or(0, |status| status.queue_depth));
        let now = simulator.calls().total;
        looks = if now == calls { looks + 1 } else { 0 };
        calls = now;
    }
    longest
}

#[test]
fn while_the_database_is_held_up_no_page_is_read_that_has_no_room() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: (1..=ACCOUNTS)
                .map(|number| SimulatedAccount::numbered(number, DEVICES))
                .collect(),
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), &[]);
        let accounts = linked(&owner, &simulator).await;
        let service = fleet::app(
            &database.service_url(),
            &[
                ("carriers.hologram.device_page_size", &PAGE.to_string()),
                ("writer.max_batch_rows", &PAGE.to_string()),
                ("writer.queue_rows", &QUEUE_ROWS.to_string()),
                ("database.lock_timeout", "60s"),
                ("database.statement_timeout", "60s"),
            ],
        );
        let (mut other, mut look) = (database.superuser().await, database.superuser().await);
        let mut held = other.begin().await.unwrap();
        let lock = raw_sql("LOCK TABLE device_connections IN SHARE MODE");
        lock.execute(&mut *held).await.unwrap();

        let watched = async {
            waits_for_a_lock(&mut look, &database.service_role()).await;
            let longest = comes_to_a_stand(&service, &simulator).await;
            let pages = simulator.calls().of(Endpoint::Devices);
            held.rollback().await.unwrap();
            (longest as u64, pages)
        };
        let (reports, (longest, pages)) = tokio::join!(fleet::sync(&service), watched);
        assert!(longest <= QUEUE_ROWS, "{longest} rows in the queue");
        assert!(longest > 0, "something has queued");
        let bound = QUEUE_ROWS / PAGE + ACCOUNTS * PAGES_PER_SYNC;
        assert!(pages <= bound, "{pages} pages read, room for {bound}");

        // With room again, everything that was held back arrives.
        assert!(
            reports.iter().all(|r| r.outcome == Outcome::Success),
            "{reports:?}"
        );
        for (org, id) in accounts {
            let rows = fleet::devices(&owner, &id).await;
            fleet::assert_true(&rows, &simulator.truth(org));
        }
        service.store.close().await;
        owner.store.close().await;
    });
}
