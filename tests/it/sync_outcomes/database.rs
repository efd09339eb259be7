//! The database goes away in the middle of a sync, or refuses a row: the sync waits, or says so, and
//! the next one repairs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::shutdown::Stop;
use carrier_sync::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::sync::{Halt, Observer, Progress, SyncReport};
use tokio::sync::watch;

use super::ACME;
use super::proxy::Line;
use crate::fleet::{self, in_system};
use crate::postgres::TestDatabase;

const DEVICES: u64 = 200;

/// A fleet on Postgres, read in many small pages and written in as many small transactions.
struct Distant {
    database: TestDatabase,
    simulator: Simulator,
    line: Line,
    service: App,
    id: IntegrationId,
}

impl Distant {
    async fn new(retry_for: &str) -> Self {
        let database = TestDatabase::migrated().await;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, DEVICES)],
            latency: Latency {
                fixed: Duration::from_millis(10),
                jitter: Duration::ZERO,
            },
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), &[]);
        let id = fleet::link_fleet(&owner, &simulator, ACME).await;
        owner.store.close().await;
        let line = Line::to(&database.service_url()).await;
        let settings = [
            ("carriers.hologram.device_page_size", "10"),
            ("writer.max_batch_rows", "10"),
            ("writer.queue_rows", "10"),
            ("writer.retry_for", retry_for),
            ("database.acquire_timeout", "2s"),
        ];
        let service = fleet::app(line.url(), &settings);
        Self {
            database,
            simulator,
            line,
            service,
            id,
        }
    }

    /// Syncs, with `meddle` done once some rows are committed and some are not.
    async fn sync_while<F: Future<Output = ()>>(&self, meddle: impl FnOnce() -> F) -> SyncReport {
        let rows = self.service.choose(&[]).await.unwrap();
        let (synced, mut seen) = watch::channel(0);
        let observer: Arc<dyn Observer> = Arc::new(Telling(synced));
        let observe = || Arc::clone(&observer);
        let stop = Stop::default();
        let meddling = async {
            let synced = *seen.wait_for(|synced| *synced >= 20).await.unwrap();
            assert!((synced as u64) < DEVICES, "too late to meddle");
            meddle().await;
        };
        let mut syncing = pin!(self.service.sync_once(rows, &observe, &stop, |_| {}));
        let reports = tokio::select! {
            // A sync that ends too early must not leave the meddling waiting for it.
            reports = &mut syncing => reports,
            () = meddling => syncing.await,
        };
        reports.expect("claimed before it was away").remove(0)
    }

    async fn assert_all_true(&self) {
        let rows = fleet::devices(&self.service, &self.id).await;
        fleet::assert_true(&rows, &self.simulator.truth(ACME.org));
    }

    async fn close(self) {
        self.service.store.close().await;
    }
}

struct Telling(watch::Sender<usize>);

impl Observer for Telling {
    fn progress(&self, progress: Progress) {
        self.0.send_replace(progress.synced);
    }
}

#[test]
fn a_sync_outlives_a_database_that_comes_back_in_time() {
    in_system(async {
        let fleet = Distant::new("60s").await;
        let report = fleet
            .sync_while(async || {
                fleet.line.cut();
                while fleet.line.refused() < 3 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                fleet.line.mend();
            })
            .await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_eq!(report.synced as u64, DEVICES);
        fleet.assert_all_true().await;
        fleet.close().await;
    });
}

#[test]
fn a_database_that_stays_away_ends_the_sync_and_the_next_one_repairs() {
    in_system(async {
        let fleet = Distant::new("300ms").await;
        let report = fleet.sync_while(async || fleet.line.cut()).await;
        assert!(
            matches!(report.halt, Some(Halt::Store { .. })),
            "{:?}",
            report.halt
        );
        assert_eq!(
            report.outcome,
            Outcome::Partial,
            "some rows were committed before"
        );
        let error = report.error.unwrap();
        assert!(error.contains("database unavailable"), "{error}");
        let most_calls = DEVICES / 10 + 5;
        assert!(
            report.api_calls < most_calls,
            "the carrier is not read for nobody"
        );
        fleet.line.mend();
        // What the report calls committed is.
        let rows = fleet::devices(&fleet.service, &fleet.id).await;
        let written = rows
            .iter()
            .filter(|row| row.data_used_bytes.is_some())
            .count();
        assert!(
            written >= report.synced && written < rows.len(),
            "{written}"
        );
        let report = fleet::sync_one(&fleet.service).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        fleet.assert_all_true().await;
        fleet.close().await;
    });
}

#[test]
fn sessions_ended_by_the_server_cost_a_sync_nothing() {
    in_system(async {
        let fleet = Distant::new("60s").await;
        let role = fleet.database.service_role();
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        );
        let report = fleet
            .sync_while(async || {
                for _ in 0..5 {
                    fleet.database.execute(&sql).await;
                }
            })
            .await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        fleet.assert_all_true().await;
        fleet.close().await;
    });
}

#[test]
fn a_row_that_breaks_a_check_fails_alone_with_the_reason() {
    in_system(async {
        let fleet = Distant::new("5s").await;
        let culprit = format!(
            "device-{}",
            fleet.simulator.truth(ACME.org)[105].carrier_device_id
        );
        let sql = format!(
            "ALTER TABLE device_connections ADD CONSTRAINT picky \
             CHECK (device_id <> '{culprit}' OR data_used_bytes IS NULL)"
        );
        fleet.database.execute(&sql).await;
        let report = fleet::sync_one(&fleet.service).await;
        assert_eq!((report.outcome, report.failed()), (Outcome::Partial, 1));
        assert_eq!(report.failures[0].device_id.as_str(), culprit);
        assert!(
            report.failures[0].reason.contains("picky"),
            "{:?}",
            report.failures
        );
        let rows = fleet::devices(&fleet.service, &fleet.id).await;
        let truth = fleet.simulator.truth(ACME.org);
        for row in rows.iter().filter(|row| row.device_id.as_str() != culprit) {
            super::assert_usage_true(row, &truth);
        }
        fleet.close().await;
    });
}
