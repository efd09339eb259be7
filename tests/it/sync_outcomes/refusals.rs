//! A carrier that says no, slow down, or nothing sensible: the sync ends, and asks nobody else.

use std::time::Duration;

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, Fault, FaultKind};
use carrier_sync::sync::Halt;
use chrono::{TimeDelta, Utc};

use super::{ACME, ALONE, Scene};
use crate::fleet::in_system;

fn too_fast(retry_after: &str) -> Fault {
    Fault::new(FaultKind::Status {
        status: 429,
        retry_after: Some(retry_after.into()),
        body: None,
    })
}

const ONE_AT_A_TIME: (&str, &str) = ("carriers.hologram.max_concurrency", "1");

#[test]
fn a_refused_key_is_an_error_after_one_call() {
    in_system(async {
        for status in [401, 403] {
            for account in [ACME, ALONE] {
                let scene = Scene::of(20, account, &[ONE_AT_A_TIME]).await;
                scene.inject(Fault::status(status));
                let report = scene.sync().await;
                assert_eq!((report.outcome, report.synced), (Outcome::Error, 0));
                assert!(
                    matches!(report.halt, Some(Halt::Credentials { .. })),
                    "{:?}",
                    report.halt
                );
                assert_eq!(scene.calls(), 1, "{status}");
                let error = report.error.unwrap();
                assert!(error.contains("integrations set"), "{error}");
                assert!(!error.contains("simulated-key"), "{error}");
                let stored = scene.service.integration().await;
                assert_eq!(stored.last_sync_status, "error");
                assert_eq!(stored.last_sync_error, Some(error));
            }
        }
    });
}

#[test]
fn a_403_on_the_listing_is_about_the_credentials_though_the_report_was_answered() {
    in_system(async {
        let scene = Scene::of(20, ACME, &[]).await;
        scene.inject(Fault::status(403).at(Endpoint::Devices));
        let report = scene.sync().await;
        assert!(
            matches!(report.halt, Some(Halt::Credentials { .. })),
            "{:?}",
            report.halt
        );
        assert_eq!(scene.calls_of(Endpoint::Device), 0, "no fan-out");
    });
}

#[test]
fn a_key_that_opens_no_device_any_more_is_not_tried_on_every_device() {
    in_system(async {
        let scene = Scene::of(20, ALONE, &[ONE_AT_A_TIME]).await;
        scene.inject(Fault::status(403).after(5));
        let report = scene.sync().await;
        assert!(
            matches!(report.halt, Some(Halt::Credentials { .. })),
            "{:?}",
            report.halt
        );
        assert_eq!((report.synced, scene.calls()), (5, 8));
    });
}

#[test]
fn a_403_on_one_device_is_about_that_device() {
    in_system(async {
        let scene = Scene::of(10, ALONE, &[ONE_AT_A_TIME]).await;
        scene.inject(Fault::status(403).after(3).times(1));
        let report = scene.sync().await;
        assert_eq!(
            (report.outcome, report.synced, report.halt),
            (Outcome::Partial, 9, None)
        );
        assert_eq!(report.failures.len(), 1);
        assert_eq!(scene.true_rows().await, 9);
        assert_eq!(scene.calls(), 10);
    });
}

#[test]
fn a_key_revoked_in_the_middle_keeps_what_was_read() {
    in_system(async {
        let scene = Scene::of(30, ACME, &[("carriers.hologram.device_page_size", "10")]).await;
        scene.inject(
            Fault::new(FaultKind::RevokeKey)
                .at(Endpoint::Devices)
                .after(1),
        );
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 10));
        assert!(matches!(report.halt, Some(Halt::Credentials { .. })));
        assert_eq!(scene.true_rows().await, 10);
        assert_eq!(scene.calls_of(Endpoint::Devices), 2);
        assert_eq!(scene.calls_of(Endpoint::Device), 0);
        let stored = scene.service.integration().await;
        assert_eq!(
            (stored.last_sync_status.as_str(), stored.last_success_at),
            ("partial", None)
        );
    });
}

#[test]
fn a_key_revoked_while_asking_one_by_one_ends_the_asking() {
    in_system(async {
        let scene = Scene::of(20, ALONE, &[ONE_AT_A_TIME]).await;
        scene.inject(Fault::new(FaultKind::RevokeKey).after(5));
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 5));
        assert!(matches!(report.halt, Some(Halt::Credentials { .. })));
        assert_eq!((scene.true_rows().await, scene.calls()), (5, 6));
    });
}

#[test]
fn a_short_pause_is_waited_out_and_the_sync_is_whole() {
    in_system(async {
        for (account, endpoint) in [(ACME, Endpoint::Devices), (ALONE, Endpoint::Device)] {
            let scene = Scene::of(10, account, &[]).await;
            scene.inject(too_fast("1").at(endpoint).times(1));
            let report = scene.sync().await;
            assert_eq!((report.outcome, report.error), (Outcome::Success, None));
            assert!(
                report.elapsed >= Duration::from_secs(1),
                "{:?}",
                report.elapsed
            );
            assert_eq!(scene.true_rows().await, 10);
            assert_eq!(scene.simulator.calls().answered(429), 1);
        }
    });
}

#[test]
fn a_long_pause_ends_the_sync_and_says_until_when() {
    in_system(async {
        for account in [ACME, ALONE] {
            let scene = Scene::of(10, account, &[ONE_AT_A_TIME]).await;
            let asked = Utc::now();
            scene.inject(too_fast("600"));
            let report = scene.sync().await;
            assert_eq!((report.outcome, report.synced), (Outcome::Error, 0));
            let Some(Halt::Throttled { until }) = report.halt else {
                panic!("{:?}", report.halt);
            };
            let pause = until - asked;
            assert!(
                pause > TimeDelta::seconds(590) && pause < TimeDelta::seconds(660),
                "{pause}"
            );
            assert_eq!(scene.calls(), 1, "no fan-out after a 429");
            // The pause is the account's: the next sync makes no call at all.
            let report = scene.sync().await;
            assert!(matches!(report.halt, Some(Halt::Throttled { .. })));
            assert_eq!((scene.calls(), report.api_calls), (0, 0));
        }
    });
}

#[test]
fn an_outage_ends_the_sync_without_asking_each_device() {
    in_system(async {
        for (status, most_calls) in [(500, 2), (503, 6)] {
            let scene = Scene::of(20, ACME, &[]).await;
            scene.inject(Fault::status(status));
            let report = scene.sync().await;
            assert_eq!((report.outcome, report.synced), (Outcome::Error, 0));
            assert!(
                matches!(report.halt, Some(Halt::Outage { .. })),
                "{:?}",
                report.halt
            );
            assert!(
                scene.calls() <= most_calls,
                "{status}: {} calls",
                scene.calls()
            );
            assert_eq!(scene.calls_of(Endpoint::Device), 0);
        }
    });
}

#[test]
fn an_outage_while_asking_one_by_one_is_noticed_after_a_few() {
    in_system(async {
        let scene = Scene::of(50, ALONE, &[("carriers.hologram.max_concurrency", "2")]).await;
        scene.inject(Fault::status(500).after(10));
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 10));
        assert!(
            matches!(report.halt, Some(Halt::Outage { .. })),
            "{:?}",
            report.halt
        );
        // Three in a row, two on their way; and one more where the tenth answer is read after the first failure.
        assert!(scene.calls() <= 10 + 3 + 2 + 1, "{} calls", scene.calls());
        assert_eq!(scene.true_rows().await, 10);
    });
}

#[test]
fn a_device_that_fails_now_and_then_is_no_outage() {
    in_system(async {
        let scene = Scene::of(12, ALONE, &[ONE_AT_A_TIME]).await;
        for skip in [1, 3, 5, 7] {
            scene.inject(Fault::status(500).after(skip).times(1));
        }
        let report = scene.sync().await;
        assert_eq!(report.halt, None, "{:?}", report.error);
        assert_eq!((report.outcome, report.failed()), (Outcome::Partial, 4));
        assert_eq!(scene.true_rows().await, 8);
    });
}
