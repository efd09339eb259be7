//! 1NCE, emnify and Cisco end to end: the simulated carrier over HTTP on one side, a real database on the other.
//! What the carrier counted is the witness of limits and of calls.

use std::net::TcpListener;
use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::device::{IntegrationId, TenantId};
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::dialects::{
    Dialect, DialectConfig, DialectFault, DialectSimulator, DialectTruth, Limit,
};
use carrier_sync::store::{DeviceRow, IntegrationChange, NewIntegration};

use crate::fleet::{self, in_system};
use crate::postgres::TestDatabase;

fn code(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OneNce => "1nce",
        Dialect::Emnify => "emnify",
        Dialect::Cisco => "cisco",
    }
}

fn carrier(config: DialectConfig) -> DialectSimulator {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    DialectSimulator::start(config, listener).unwrap()
}

/// A service with an integration for the simulator's first account, its fleet linked.
struct Scene {
    simulator: DialectSimulator,
    app: App,
    id: IntegrationId,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn of(config: DialectConfig, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = carrier(config);
        let app = fleet::app(&fleet::sqlite_url(&folder), settings);
        app.prepare().await.unwrap();
        let id = link(&app, &simulator, None).await;
        Self {
            simulator,
            app,
            id,
            _folder: folder,
        }
    }

    async fn rows(&self) -> Vec<DeviceRow> {
        fleet::devices(&self.app, &self.id).await
    }
}

/// Adds the simulator's first account, with another key where one is given, and links its fleet.
async fn link(app: &App, simulator: &DialectSimulator, key: Option<&str>) -> IntegrationId {
    let config = simulator.config();
    let account = &config.accounts[0];
    let new = NewIntegration {
        id: None,
        tenant_id: TenantId::parse("acme").unwrap(),
        carrier_name: code(config.dialect).to_owned(),
        fields: IntegrationChange {
            api_key: Some(key.unwrap_or(&account.key).into()),
            api_secret: account.secret.clone().map(Into::into),
            api_base_url: Some(simulator.base_url()),
            ..IntegrationChange::default()
        },
    };
    let id = app.store.add_integration(&new).await.unwrap();
    let links: Vec<_> = simulator
        .truth(0)
        .iter()
        .map(|truth| {
            let name = &truth.carrier_device_id;
            fleet::link(&format!("device-{name}"), name)
        })
        .collect();
    app.store.link_devices(&id, &links).await.unwrap();
    id
}

/// All that the carrier tells of a device, to the byte.
#[track_caller]
fn assert_true(row: &DeviceRow, truth: &DialectTruth) {
    let name = &truth.carrier_device_id;
    assert_eq!(
        row.data_used_bytes,
        i64::try_from(truth.used_bytes).ok(),
        "bytes of {name}"
    );
    assert_eq!(
        row.sim_status.as_deref(),
        Some(truth.sim_status),
        "SIM status of {name}"
    );
    assert_eq!(
        row.network_status.as_deref(),
        Some(truth.network_status),
        "network of {name}"
    );
    assert_eq!(
        row.billing_cycle_start,
        Some(truth.cycle_start),
        "cycle start of {name}"
    );
    assert_eq!(
        row.billing_cycle_end,
        Some(truth.cycle_end),
        "cycle end of {name}"
    );
}

#[track_caller]
fn assert_all_true(rows: &[DeviceRow], truth: &[DialectTruth]) {
    assert_eq!(rows.len(), truth.len());
    for truth in truth {
        let row = rows
            .iter()
            .find(|row| row.carrier_device_id.as_deref() == Some(truth.carrier_device_id.as_str()));
        assert_true(row.unwrap(), truth);
    }
}

/// Settings by which a test need not wait: the published limits are another test's.
fn fast(dialect: Dialect) -> Vec<(String, &'static str)> {
    let section = format!("carriers.{}", code(dialect));
    let classes: &[&str] = match dialect {
        Dialect::OneNce => &["token"],
        Dialect::Emnify => &["list", "device", "usage", "token"],
        Dialect::Cisco => &[],
    };
    let classes = classes
        .iter()
        .flat_map(|class| {
            ["requests_per_second", "burst"].map(|key| format!("classes.{class}.{key}"))
        })
        .map(|key| (format!("{section}.{key}"), "100000"));
    let rates = [
        ("requests_per_second", "100000"),
        ("burst", "100000"),
        ("host_requests_per_second", "100000"),
        ("host_burst", "100000"),
        // An empty variable would count as not set.
        ("host_windows", "100000/1s"),
        ("slice", "100000"),
        ("max_calls_per_sync", "100000"),
    ]
    .map(|(key, value)| (format!("{section}.{key}"), value));
    rates.into_iter().chain(classes).collect()
}

fn unlimited(dialect: Dialect, devices: usize) -> DialectConfig {
    DialectConfig {
        limits: vec![Limit::of(1_000_000, Duration::from_secs(1))],
        ..DialectConfig::of(dialect, devices)
    }
}

fn borrowed<'a>(settings: &'a [(String, &'static str)]) -> Vec<(&'a str, &'a str)> {
    settings
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect()
}

#[test]
fn every_row_is_true_at_each_of_the_simulated_carriers() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify, Dialect::Cisco] {
            let settings = fast(dialect);
            let scene = Scene::of(unlimited(dialect, 230), &borrowed(&settings)).await;
            let report = fleet::sync_one(&scene.app).await;
            assert_eq!(
                (report.outcome, report.error.as_deref()),
                (Outcome::Success, None),
                "{dialect:?}"
            );
            assert_all_true(&scene.rows().await, &scene.simulator.truth(0));
            let calls = scene.simulator.calls();
            assert_eq!(calls.data_calls() as u64, report.api_calls, "{dialect:?}");
            // A plan of Cisco's that only a few devices have is a page that nobody could foresee.
            let unforeseen = u64::from(dialect == Dialect::Cisco);
            assert_eq!(
                report.planned_calls + unforeseen,
                report.api_calls,
                "{dialect:?}: as planned"
            );
            let tokens = usize::from(dialect != Dialect::Cisco);
            assert_eq!(
                calls.token_calls(),
                tokens,
                "{dialect:?}: a token is bought once"
            );
        }
    });
}

#[test]
fn every_row_is_true_on_postgres_as_the_bound_role() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let settings = fast(Dialect::OneNce);
        let owner = fleet::app(&database.owner_url(), &borrowed(&settings));
        let service = fleet::app(&database.service_url(), &borrowed(&settings));
        service.prepare().await.unwrap();
        let simulator = carrier(unlimited(Dialect::OneNce, 120));
        let id = link(&owner, &simulator, None).await;
        let report = fleet::sync_one(&service).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_all_true(&fleet::devices(&service, &id).await, &simulator.truth(0));
    });
}

/// What only exists per device comes in slices: the listing is paid once, and the slice is never exceeded.
#[test]
fn a_thousand_devices_cost_the_listing_and_a_slice_and_everyone_has_a_turn() {
    in_system(async {
        // Usage comes oldest first, so five slices of 400 calls are two calls for each of 1,000 devices. Cisco
        // tells usage in bulk; its sessions are asked in one slice here, with a page for a plan of 20 devices.
        for (dialect, most_in_bulk, slice, syncs) in [
            (Dialect::OneNce, 10, 400, 5),
            (Dialect::Emnify, 2, 400, 5),
            (Dialect::Cisco, 41, 1_000, 1),
        ] {
            let mut settings = fast(dialect);
            settings.retain(|(key, _)| !key.ends_with(".slice"));
            let key = format!("carriers.{}.slice", code(dialect));
            settings.push((key, if slice == 400 { "400" } else { "1000" }));
            let config = unlimited(dialect, 1_000);
            let scene = Scene::of(config, &borrowed(&settings)).await;
            let job = fleet::job(&scene.app).await;
            for _ in 0..syncs {
                scene.simulator.reset_calls();
                let report = fleet::sync_job_again(&scene.app, &job).await;
                assert_eq!(
                    (report.outcome, report.error),
                    (Outcome::Success, None),
                    "{dialect:?}"
                );
                let calls = scene.simulator.calls().data_calls();
                let most = most_in_bulk + slice;
                assert!(calls <= most, "{dialect:?}: {calls} calls, at most {most}");
            }
            let (rows, truth) = (scene.rows().await, scene.simulator.truth(0));
            assert_all_true(&rows, &truth);
        }
    });
}

#[test]
fn a_token_that_ends_in_the_middle_of_a_walk_is_renewed_and_nothing_is_lost() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify] {
            let settings = fast(dialect);
            let config = DialectConfig {
                token_lifetime: Duration::from_secs(2),
                latency: Duration::from_millis(60),
                ..unlimited(dialect, 150)
            };
            let scene = Scene::of(config, &borrowed(&settings)).await;
            let report = fleet::sync_one(&scene.app).await;
            assert_eq!(
                (report.outcome, report.error.as_deref()),
                (Outcome::Success, None),
                "{dialect:?}"
            );
            assert_all_true(&scene.rows().await, &scene.simulator.truth(0));
            let bought = scene.simulator.calls().token_calls();
            assert!(
                (2..=8).contains(&bought),
                "{dialect:?}: {bought} tokens in some 5 s"
            );
        }
    });
}

#[test]
fn a_token_that_is_revoked_is_bought_anew_once() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify] {
            let settings = fast(dialect);
            let scene = Scene::of(unlimited(dialect, 40), &borrowed(&settings)).await;
            assert_eq!(fleet::sync_one(&scene.app).await.outcome, Outcome::Success);
            scene.simulator.revoke_tokens();
            scene.simulator.reset_calls();
            assert_eq!(fleet::sync_one(&scene.app).await.outcome, Outcome::Success);
            assert_eq!(scene.simulator.calls().token_calls(), 1, "{dialect:?}");
        }
    });
}

#[test]
fn refused_credentials_are_one_failure_and_no_call_for_data() {
    in_system(async {
        for dialect in [Dialect::OneNce, Dialect::Emnify, Dialect::Cisco] {
            let folder = tempfile::tempdir().unwrap();
            let simulator = carrier(unlimited(dialect, 30));
            let settings = fast(dialect);
            let app = fleet::app(&fleet::sqlite_url(&folder), &borrowed(&settings));
            app.prepare().await.unwrap();
            link(&app, &simulator, Some("simulated-nobody")).await;
            let report = fleet::sync_one(&app).await;
            assert_eq!(report.outcome, Outcome::Error, "{dialect:?}");
            let error = report.error.unwrap();
            assert!(
                error.contains("refuses the credentials"),
                "{dialect:?}: {error}"
            );
            let calls = simulator.calls();
            assert_eq!(calls.arrivals.len(), 1, "{dialect:?}: {calls:?}");
        }
    });
}

/// At the carrier, with its published limits and our defaults: never too fast, and never slower than need be.
#[test]
fn the_published_rate_is_used_and_never_exceeded() {
    in_system(async {
        // Calls per second that are allowed, and how long a sync of so many calls takes at that rate.
        for (dialect, slice, rate) in [(Dialect::OneNce, "90", 10.0), (Dialect::Cisco, "40", 5.0)] {
            let slice_key = format!("carriers.{}.slice", code(dialect));
            let settings = [(slice_key.as_str(), slice)];
            let scene = Scene::of(DialectConfig::of(dialect, 100), &settings).await;
            let report = fleet::sync_one(&scene.app).await;
            assert_eq!(
                (report.outcome, report.error),
                (Outcome::Success, None),
                "{dialect:?}"
            );
            let calls = scene.simulator.calls_of(0);
            assert_eq!(
                calls.by_status.keys().copied().collect::<Vec<_>>(),
                [200],
                "{dialect:?}: none refused"
            );
            let most = calls.most_in(Duration::from_secs(1));
            assert!(most as f64 <= rate, "{dialect:?}: {most} in a second");
            let took = calls.arrivals.last().unwrap().as_secs_f64();
            let used = (calls.arrivals.len() - 1) as f64 / took / rate;
            // On simulated time the limiter is held to 95 % (src/client/limits/fairness.rs); here the machine's other
            // work counts too.
            assert!(used >= 0.8, "{dialect:?}: {used:.3} of the rate is used");
            eprintln!("{dialect:?}: {used:.3} of the rate is used");
            if dialect == Dialect::Cisco {
                assert_eq!(calls.peak_concurrency, 1);
            }
        }
    });
}

#[test]
fn too_fast_in_cisco_s_words_pauses_the_account_whatever_the_status() {
    in_system(async {
        for throttle_status in [429, 400, 200] {
            let config = DialectConfig {
                limits: vec![Limit::of(2, Duration::from_millis(1_500))],
                throttle_status,
                ..DialectConfig::of(Dialect::Cisco, 30)
            };
            let mut settings = fast(Dialect::Cisco);
            settings.push(("http.throttle_pause".into(), "1s"));
            settings.push(("carriers.cisco.max_attempts".into(), "5"));
            settings.retain(|(key, _)| !key.ends_with(".slice"));
            settings.push(("carriers.cisco.slice".into(), "0"));
            let scene = Scene::of(config, &borrowed(&settings)).await;
            let report = fleet::sync_one(&scene.app).await;
            assert_eq!(
                (report.outcome, report.error),
                (Outcome::Success, None),
                "{throttle_status}"
            );
        }
    });
}

/// A carrier whose details fail costs the details; what the listing said is written.
#[test]
fn a_detail_that_fails_costs_no_other_value() {
    in_system(async {
        let settings = fast(Dialect::OneNce);
        let scene = Scene::of(unlimited(Dialect::OneNce, 10), &borrowed(&settings)).await;
        scene.simulator.inject(DialectFault {
            endpoint: "v2/sims/{id}/status".to_owned(),
            status: 404,
            calls: 1,
        });
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 9));
        let (rows, truth) = (scene.rows().await, scene.simulator.truth(0));
        for truth in &truth {
            let row = rows.iter().find(|row| {
                row.carrier_device_id.as_deref() == Some(truth.carrier_device_id.as_str())
            });
            let row = row.unwrap();
            assert_eq!(row.data_used_bytes, i64::try_from(truth.used_bytes).ok());
            assert_eq!(row.sim_status.as_deref(), Some(truth.sim_status));
        }
        assert_eq!(
            rows.iter()
                .filter(|row| row.network_status.is_none())
                .count(),
            1
        );
    });
}

/// Rows of 1NCE's listing change places while it is read: what a page misses is asked for by itself.
#[test]
fn a_listing_whose_rows_change_places_loses_no_device() {
    in_system(async {
        let settings = fast(Dialect::OneNce);
        let config = DialectConfig {
            shuffles: true,
            ..unlimited(Dialect::OneNce, 350)
        };
        let scene = Scene::of(config, &borrowed(&settings)).await;
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_all_true(&scene.rows().await, &scene.simulator.truth(0));
    });
}

/// The budget is kept by the database: a restart does not forget it, nor does a sync that dies.
#[test]
fn a_budget_of_calls_per_day_survives_restarts_and_is_never_exceeded() {
    in_system(async {
        let mut settings = fast(Dialect::OneNce);
        settings.push(("carriers.1nce.calls_per_day".into(), "30"));
        let settings = borrowed(&settings);
        let scene = Scene::of(unlimited(Dialect::OneNce, 10), &settings).await;
        // A sync of ten devices is a page, twenty details and a token.
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!(report.outcome, Outcome::Success, "{:?}", report.error);
        assert_eq!(report.calls_left.today, Some(8));
        let url = fleet::sqlite_url(&scene._folder);
        for _ in 0..3 {
            let restarted = fleet::app(&url, &settings);
            restarted.prepare().await.unwrap();
            let report = fleet::sync_one(&restarted).await;
            assert_ne!(report.outcome, Outcome::Success);
            assert!(report.error.unwrap().contains("calls_per_day"));
            restarted.store.close().await;
        }
        let calls = scene.simulator.calls().arrivals.len();
        assert_eq!(calls, 30, "all of the budget, and none beyond it");
    });
}

/// An account that lists far more SIMs than are linked is paged only as long as it pays.
#[test]
fn a_far_larger_account_is_left_for_single_calls() {
    in_system(async {
        let folder = tempfile::tempdir().unwrap();
        let simulator = carrier(unlimited(Dialect::OneNce, 2_000));
        let settings = fast(Dialect::OneNce);
        let app = fleet::app(&fleet::sqlite_url(&folder), &borrowed(&settings));
        app.prepare().await.unwrap();
        let account = &simulator.config().accounts[0];
        let new = NewIntegration {
            id: None,
            tenant_id: TenantId::parse("acme").unwrap(),
            carrier_name: "1nce".to_owned(),
            fields: IntegrationChange {
                api_key: Some(account.key.as_str().into()),
                api_secret: account.secret.clone().map(Into::into),
                api_base_url: Some(simulator.base_url()),
                ..IntegrationChange::default()
            },
        };
        let id = app.store.add_integration(&new).await.unwrap();
        let truth = simulator.truth(0).split_off(1_998);
        let links: Vec<_> = truth
            .iter()
            .map(|truth| fleet::link(&truth.iccid, &truth.carrier_device_id))
            .collect();
        app.store.link_devices(&id, &links).await.unwrap();
        let report = fleet::sync_one(&app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_all_true(&fleet::devices(&app, &id).await, &truth);
        // Two pages without either, perhaps two more that were under way, and three calls for each of the two;
        // the whole listing is 20 pages.
        assert!(report.api_calls <= 10, "{} calls", report.api_calls);
    });
}
