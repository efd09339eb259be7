//! SIGTERM at bad moments: with pages under way, with a flush under way, with the database gone.

use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::device::IntegrationId;
use carrier_sync::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig};
use sqlx::{Connection, raw_sql};

use super::child::{Child, truth_by_name, until};
use crate::breakable_postgres::BreakablePostgres;
use crate::database_faults::desk::waits_for_a_lock;
use crate::fleet::{self, Account, in_system};
use crate::postgres::TestDatabase;

const ACCOUNTS: u64 = 8;
const DEVICES: u64 = 400;
const SETTINGS: &[(&str, &str)] = &[
    ("CARRIERS__HOLOGRAM__DEVICE_PAGE_SIZE", "20"),
    ("WRITER__MAX_BATCH_ROWS", "20"),
    ("SHUTDOWN__DRAIN_TIMEOUT", "15s"),
];
/// What a supervisor of the process allows it before it kills.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    simulator: Simulator,
    owner: App,
    integrations: Vec<(IntegrationId, u64)>,
}

impl Stage {
    async fn set(database: &TestDatabase) -> Self {
        let accounts = (1..=ACCOUNTS).map(|n| SimulatedAccount::numbered(n, DEVICES));
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: accounts.collect(),
            latency: Latency {
                fixed: Duration::from_millis(40),
                jitter: Duration::from_millis(40),
            },
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), &[]);
        let mut integrations = Vec::new();
        for org in 1001..=1000 + ACCOUNTS {
            let account = Account {
                tenant: &format!("tenant-{org}"),
                org,
                in_bulk: true,
            };
            let id = fleet::link_fleet(&owner, &simulator, account).await;
            integrations.push((id, org));
        }
        Self {
            simulator,
            owner,
            integrations,
        }
    }

    /// Written rows of each integration; fails on one that is neither as before nor true.
    async fn written(&self) -> Vec<(String, u64)> {
        let mut written = Vec::new();
        for (id, org) in &self.integrations {
            let truth = truth_by_name(&self.simulator, *org);
            let mut count = 0;
            for row in fleet::devices(&self.owner, id).await {
                if row.data_used_updated_at.is_none() {
                    assert_eq!((row.data_used_bytes, &row.sim_status), (None, &None));
                    continue;
                }
                let name = row.carrier_device_id.as_deref().unwrap();
                fleet::assert_row_true(&row, &truth[name]);
                count += 1;
            }
            written.push((id.to_string(), count));
        }
        written.sort();
        written
    }

    async fn until_written(&self, rows: u64) {
        loop {
            let written: u64 = self.written().await.iter().map(|(_, count)| count).sum();
            if written >= rows {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What the summary lines say was committed.
fn acknowledged(child: &Child) -> Vec<(String, u64)> {
    let mut told: Vec<_> = child
        .events("sync")
        .iter()
        .filter(|event| event["message"] == "sync ended")
        .map(|event| {
            let id = event["integration.id"].as_str().unwrap().to_owned();
            (id, event["synced"].as_u64().unwrap())
        })
        .collect();
    told.sort();
    told
}

#[test]
fn told_to_stop_under_load_it_ends_well_in_time_and_what_it_said_is_what_is_written() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let stage = Stage::set(&database).await;
        let mut child = Child::start(&["run"], &database.service_url(), SETTINGS);
        stage.until_written(ACCOUNTS * DEVICES / 4).await;
        child.signal("TERM");
        let (status, took) = child.ends();
        assert!(status.success(), "{status}: {}", child.log());
        assert!(took < PATIENCE, "{took:?}");
        let written = stage.written().await;
        assert_eq!(acknowledged(&child), written, "{}", child.log());
        let whole = written.iter().filter(|(_, count)| *count == DEVICES);
        assert!(whole.count() < ACCOUNTS as usize, "there was load");
        stage.owner.store.close().await;
    });
}

#[test]
fn told_to_stop_in_the_middle_of_a_flush_it_waits_for_the_flush() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let stage = Stage::set(&database).await;
        let (mut other, mut look) = (database.superuser().await, database.superuser().await);
        let mut held = other.begin().await.unwrap();
        let table = raw_sql("LOCK TABLE device_connections IN EXCLUSIVE MODE");
        table.execute(&mut *held).await.unwrap();
        let mut child = Child::start(&["run"], &database.service_url(), SETTINGS);
        waits_for_a_lock(&mut look, &database.service_role()).await;
        child.signal("TERM");
        until("it drains", || {
            child.log().contains("\"draining\"").then_some(())
        });
        assert!(child.is_running(), "there is a flush to wait for");
        held.rollback().await.unwrap();
        let (status, took) = child.ends();
        assert!(status.success(), "{status}: {}", child.log());
        assert!(took < PATIENCE, "{took:?}");
        let written = stage.written().await;
        assert_eq!(acknowledged(&child), written, "{}", child.log());
        assert!(written.iter().any(|(_, count)| *count > 0), "{written:?}");
        stage.owner.store.close().await;
    });
}

#[test]
fn told_to_stop_while_the_database_is_gone_it_fails_within_its_deadline_and_a_sync_repairs() {
    const DEADLINE: Duration = Duration::from_secs(2);
    in_system(async {
        let server = BreakablePostgres::take().await;
        let database = server.database().await;
        let stage = Stage::set(&database).await;
        // Nobody can be told that it leaves, so its leases have to run out before another takes over.
        let short = [
            ("SHUTDOWN__DRAIN_TIMEOUT", "2s"),
            ("LEASES__DURATION", "1500ms"),
            ("LEASES__HEARTBEAT", "500ms"),
        ];
        let short = [SETTINGS, &short].concat();
        let mut child = Child::start(&["run"], &database.service_url(), &short);
        stage.until_written(ACCOUNTS * DEVICES / 10).await;
        server.stop().await;
        until("it has noticed", || {
            child.log().contains("trying again").then_some(())
        });
        child.signal("TERM");
        let (status, took) = child.ends();
        assert_eq!(status.code(), Some(1), "{}", child.log());
        assert!(took < DEADLINE + Duration::from_secs(3), "{took:?}");
        assert!(child.log().contains("not everything was finished in time"));
        server.start().await;
        let acknowledged = acknowledged(&child);
        for (id, count) in stage.written().await {
            let told = acknowledged.iter().find(|(told, _)| *told == id);
            assert!(told.is_none_or(|(_, told)| *told <= count), "{id}");
        }
        let mut once = Child::start(&["once"], &database.service_url(), SETTINGS);
        let (status, _) = once.ends();
        assert!(status.success(), "{}", once.log());
        assert!(
            stage
                .written()
                .await
                .iter()
                .all(|(_, count)| *count == DEVICES)
        );
        stage.owner.store.close().await;
        drop(database);
    });
}
