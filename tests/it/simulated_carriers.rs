//! 1NCE, emnify and Cisco end to end: the simulated carrier over HTTP on one side, a real database on the other.
//! What the carrier counted is the witness of calls; limits and tokens have modules of their own.

use carrier_sync::device::TenantId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::dialects::{Dialect, DialectConfig, DialectFault};
use carrier_sync::store::{IntegrationChange, NewIntegration};

use crate::carrier_scene::{
    Scene, assert_all_true, borrowed, carrier, code, fast, link, unlimited,
};
use crate::fleet::{self, in_system};
use crate::postgres::TestDatabase;

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
        let id = link(&owner, &simulator, 0, None).await;
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
        let url = fleet::sqlite_url(&scene.folder);
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

/// On a shared plan, whose usage is refused, and on two plans, each of which tells a part: what no plan tells is
/// asked for by itself, and nothing else is.
#[test]
fn usage_that_no_rate_plan_tells_is_asked_for_and_true() {
    in_system(async {
        let settings = fast(Dialect::Cisco);
        let config = DialectConfig {
            has_odd_plans: true,
            ..unlimited(Dialect::Cisco, 120)
        };
        let scene = Scene::of(config, &borrowed(&settings)).await;
        let report = fleet::sync_one(&scene.app).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_all_true(&scene.rows().await, &scene.simulator.truth(0));
        let calls = scene.simulator.calls();
        let asked = calls.by_endpoint["devices/{id}/ctdUsages"];
        assert_eq!(asked, 5, "two share a plan, three have changed theirs");
        assert_eq!(calls.by_status[&400], 1, "the shared plan, once");
    });
}
