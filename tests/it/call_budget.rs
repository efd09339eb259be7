//! Budgets of calls per day and month, measured at the carrier: over syncs, restarts and midnights; over deaths in
//! `process_faults/kill.rs`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::clock::Clock;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::sync::Halt;
use chrono::{DateTime, TimeZone, Utc};

use crate::fleet::{self, Account, in_system};

const ALONE: Account<'_> = Account {
    tenant: "acme",
    org: 1001,
    in_bulk: false,
};

/// A clock that a test sets.
#[derive(Debug)]
struct SetClock(Mutex<DateTime<Utc>>);

impl SetClock {
    fn set(&self, day: u32, hour: u32) {
        *self.0.lock().unwrap() = november(day, hour);
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

fn november(day: u32, hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, day, hour, 0, 0).unwrap()
}

/// A fleet that costs a call per device, in a database that outlives the service.
struct Scene {
    simulator: Simulator,
    folder: tempfile::TempDir,
    clock: Arc<SetClock>,
}

impl Scene {
    async fn of(devices: u64, latency: Duration) -> Self {
        let scene = Self {
            simulator: fleet::simulator(SimulatorConfig {
                accounts: vec![SimulatedAccount::numbered(1, devices)],
                latency: Latency {
                    fixed: latency,
                    jitter: Duration::ZERO,
                },
                ..SimulatorConfig::default()
            }),
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(SetClock(Mutex::new(november(23, 9)))),
        };
        let app = scene.service(&[]);
        app.prepare().await.unwrap();
        fleet::link_fleet(&app, &scene.simulator, ALONE).await;
        app.store.close().await;
        scene
    }

    /// The service started anew.
    fn service(&self, budgets: &[(&str, &str)]) -> App {
        let settings: Vec<_> = budgets
            .iter()
            .map(|(name, value)| (format!("carriers.hologram.{name}"), *value))
            .collect();
        let settings: Vec<_> = settings.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        let clock = Arc::<SetClock>::clone(&self.clock);
        fleet::app_at(&fleet::sqlite_url(&self.folder), &settings, clock)
    }

    fn calls(&self) -> u64 {
        self.simulator.calls().total
    }
}

#[test]
fn a_day_s_budget_holds_over_syncs_and_restarts_and_the_next_day_has_another() {
    in_system(async {
        let scene = Scene::of(12, Duration::ZERO).await;
        let settings = [("calls_per_day", "8"), ("max_calls_per_sync", "5")];
        let app = scene.service(&settings);
        let report = fleet::sync_one(&app).await;
        assert_eq!((scene.calls(), report.api_calls), (5, 5));
        let error = report.error.unwrap();
        assert!(error.contains("max_calls_per_sync"), "{error}");
        assert_eq!(report.calls_left.today, Some(3));
        assert_eq!(report.calls_left.this_month, None);
        app.store.close().await;

        let app = scene.service(&settings);
        let report = fleet::sync_one(&app).await;
        assert_eq!((scene.calls(), report.api_calls), (8, 3));
        assert_eq!(report.outcome, Outcome::Partial);
        let error = report.error.unwrap();
        let expected = "calls_per_day = 8 spent until 2026-11-24 00:00 UTC (9 of 12 devices not";
        assert!(error.starts_with(expected), "{error}");

        scene.clock.set(23, 23);
        let report = fleet::sync_one(&app).await;
        assert_eq!((scene.calls(), report.api_calls), (8, 0), "none at all");
        assert_eq!((report.outcome, report.devices), (Outcome::Error, 12));
        assert!(matches!(report.halt, Some(Halt::BudgetSpent { .. })));
        assert!(!report.is_setback(), "its timer goes on");
        assert_eq!(report.calls_left.today, Some(0));

        scene.clock.set(24, 0);
        let report = fleet::sync_one(&app).await;
        assert_eq!((scene.calls(), report.api_calls), (13, 5));
        assert_eq!(report.calls_left.today, Some(3));
    });
}

#[test]
fn a_month_s_budget_holds_over_its_days() {
    in_system(async {
        let scene = Scene::of(12, Duration::ZERO).await;
        let app = scene.service(&[("calls_per_day", "8"), ("calls_per_month", "18")]);
        for (day, made, left_this_month) in [(1, 8, 10), (15, 16, 2), (30, 18, 0)] {
            scene.clock.set(day, 12);
            let report = fleet::sync_one(&app).await;
            assert_eq!(scene.calls(), made, "day {day}");
            assert_eq!(report.calls_left.this_month, Some(left_this_month));
        }
        let report = fleet::sync_one(&app).await;
        assert_eq!(scene.calls(), 18);
        let error = report.error.unwrap();
        let expected = "calls_per_month = 18 spent until 2026-12-01 00:00 UTC";
        assert!(error.contains(expected), "{error}");
    });
}

#[test]
fn a_sync_over_midnight_counts_each_call_on_the_day_on_which_it_is_made() {
    in_system(async {
        let scene = Scene::of(30, Duration::from_millis(5)).await;
        let app = scene.service(&[("calls_per_day", "20"), ("max_concurrency", "1")]);
        scene.clock.set(23, 23);
        let midnight = async {
            while scene.calls() < 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            scene.clock.set(24, 0);
            scene.calls()
        };
        let (report, before) = tokio::join!(fleet::sync_one(&app), midnight);
        let today = scene.calls() - before;
        assert!(today <= 20, "{today} calls on the new day");
        assert_eq!(report.calls_left.today, Some(0), "all of them count");
        // The one on its way at midnight is yesterday's.
        assert!(today >= 19, "{today} calls");
        let report = fleet::sync_one(&app).await;
        assert_eq!(report.api_calls, 0, "the new day's budget is spent once");
        scene.clock.set(25, 0);
        assert_eq!(fleet::sync_one(&app).await.api_calls, 20);
    });
}

#[test]
fn without_a_budget_nothing_is_counted() {
    in_system(async {
        let scene = Scene::of(3, Duration::ZERO).await;
        let app = scene.service(&[]);
        let report = fleet::sync_one(&app).await;
        assert_eq!(report.calls_left, Default::default());
        app.store.close().await;
        let app = scene.service(&[("calls_per_day", "100")]);
        let report = fleet::sync_one(&app).await;
        assert_eq!(report.calls_left.today, Some(97), "counting begins here");
    });
}
