//! A device listing that cannot be read, or not to its end: the rest is asked for within bounds.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, Fault, FaultKind};

use super::{ACME, Scene, unusable};
use crate::fleet::{self, in_system};

const TENS: (&str, &str) = ("carriers.hologram.device_page_size", "10");

#[test]
fn with_an_unusable_listing_as_many_as_allowed_are_asked_for_one_by_one() {
    in_system(async {
        for fault in unusable(Endpoint::Devices) {
            let settings = [("carriers.hologram.max_fallback_calls", "4")];
            let scene = Scene::of(10, ACME, &settings).await;
            scene.inject(fault.clone());
            let report = scene.sync().await;
            let told = (report.outcome, report.synced, report.failed());
            if matches!(&fault.what, FaultKind::Status { body: Some(body), .. } if body.contains("[7"))
            {
                assert_eq!(
                    scene.calls_of(Endpoint::Devices),
                    1,
                    "unreadable rows are not their page"
                );
            }
            assert_eq!(
                told,
                (Outcome::Partial, 4, 6),
                "{fault:?}: {:?}",
                report.error
            );
            assert_eq!(scene.true_rows().await, 4, "{fault:?}");
            assert_eq!(scene.calls_of(Endpoint::Device), 4);
            let error = report.error.unwrap();
            assert!(error.contains("max_fallback_calls = 4"), "{error}");
        }
    });
}

#[test]
fn what_was_not_asked_for_is_told_with_the_listing_s_own_reason() {
    in_system(async {
        let settings = [("carriers.hologram.max_fallback_calls", "4")];
        let scene = Scene::of(10, ACME, &settings).await;
        scene.inject(Fault::new(FaultKind::Html).at(Endpoint::Devices));
        let error = scene.sync().await.error.unwrap();
        assert!(error.contains("HTML instead of JSON"), "{error}");
        assert!(!error.contains("not in the carrier's listing"), "{error}");
    });
}

#[test]
fn a_listing_is_read_only_as_far_as_it_can_show_a_linked_device() {
    in_system(async {
        let scene = Scene::of(100, ACME, &[TENS]).await;
        // The newest come first: the ten that stay linked stand on the first page.
        let newest = scene.truth().len() - 10;
        let mut ids: Vec<u64> = scene
            .truth()
            .iter()
            .map(|truth| truth.carrier_device_id.parse().unwrap())
            .collect();
        ids.sort_unstable();
        let first_kept = ids[newest];
        let unlink = format!(
            "UPDATE device_connections SET carrier_integration_id = NULL \
             WHERE CAST(carrier_device_id AS INTEGER) < {first_kept}"
        );
        scene.service.execute(&unlink).await;
        let report = scene.sync().await;
        assert_eq!((report.devices, report.synced), (10, 10));
        assert_eq!(scene.calls_of(Endpoint::Devices), 1);
    });
}

#[test]
fn devices_that_are_gone_do_not_use_up_everyone_s_turn() {
    in_system(async {
        let settings = [("carriers.hologram.max_fallback_calls", "3")];
        let scene = Scene::of(6, ACME, &settings).await;
        scene.inject(Fault::new(FaultKind::Html).at(Endpoint::Devices));
        scene.inject(Fault::status(404).at(Endpoint::Device).times(3));
        let job = fleet::job(&scene.service.app).await;
        let first = scene.sync_again(&job).await;
        let second = scene.sync_again(&job).await;
        assert_eq!((first.synced, second.synced), (0, 3));
        let gone: Vec<_> = first
            .failures
            .iter()
            .filter(|failure| failure.reason.contains("not found"))
            .map(|failure| failure.device_id.clone())
            .collect();
        assert_eq!(gone.len(), 3);
        let mut read = scene.service.rows().await;
        read.retain(|row| row.data_used_bytes.is_some());
        let again = read.iter().any(|row| gone.contains(&row.device_id));
        assert!(!again, "the other three had their turn");
    });
}

#[test]
fn a_small_fleet_is_whole_without_a_listing() {
    in_system(async {
        let scene = Scene::of(10, ACME, &[]).await;
        scene.inject(Fault::new(FaultKind::Html).at(Endpoint::Devices));
        let report = scene.sync().await;
        assert_eq!(report.outcome, Outcome::Success, "{:?}", report.error);
        assert_eq!(scene.true_rows().await, 10);
    });
}

#[test]
fn a_page_that_comes_cut_once_is_asked_for_again_and_the_walk_goes_on() {
    in_system(async {
        let scene = Scene::of(30, ACME, &[TENS]).await;
        scene.inject(
            Fault::new(FaultKind::Truncate)
                .at(Endpoint::Devices)
                .after(1)
                .times(1),
        );
        let report = scene.sync().await;
        assert_eq!(report.outcome, Outcome::Success, "{:?}", report.error);
        assert_eq!(scene.true_rows().await, 30);
        assert_eq!(scene.calls_of(Endpoint::Devices), 4);
        assert_eq!(scene.calls_of(Endpoint::Device), 0);
    });
}

#[test]
fn a_page_in_the_middle_that_stays_cut_costs_only_what_follows_it() {
    in_system(async {
        let settings = [TENS, ("carriers.hologram.max_fallback_calls", "15")];
        let scene = Scene::of(30, ACME, &settings).await;
        scene.inject(
            Fault::new(FaultKind::Truncate)
                .at(Endpoint::Devices)
                .after(1),
        );
        let report = scene.sync().await;
        assert_eq!(
            (report.outcome, report.synced),
            (Outcome::Partial, 25),
            "{:?}",
            report.error
        );
        assert_eq!(scene.true_rows().await, 25);
        assert_eq!(
            scene.calls_of(Endpoint::Devices),
            1 + 3,
            "one page and three attempts"
        );
        assert_eq!(scene.calls_of(Endpoint::Device), 15);
    });
}

#[test]
fn a_cursor_that_comes_back_ends_the_listing_in_an_error() {
    in_system(async {
        let settings = [TENS, ("carriers.hologram.max_fallback_calls", "0")];
        let scene = Scene::of(30, ACME, &settings).await;
        scene.inject(Fault::new(FaultKind::RepeatCursor).at(Endpoint::Devices));
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 10));
        assert_eq!(scene.true_rows().await, 10);
        assert_eq!(scene.calls_of(Endpoint::Devices), 2, "not asked for again");
    });
}

#[test]
fn a_listing_without_end_is_left_at_the_page_cap() {
    in_system(async {
        for (endpoint, outcome, synced) in [
            (Endpoint::Devices, Outcome::Partial, 20),
            (Endpoint::Billing, Outcome::Success, 100),
        ] {
            let settings = [
                TENS,
                ("carriers.hologram.usage_page_size", "10"),
                ("carriers.hologram.max_fallback_calls", "0"),
            ];
            let capped = [&settings[..], &[("carriers.hologram.max_pages", "3")]].concat();
            let settings = if endpoint == Endpoint::Devices {
                &capped[..]
            } else {
                &settings[..]
            };
            let scene = Scene::of(100, ACME, settings).await;
            scene.inject(Fault::new(FaultKind::NeverEndingCursor).at(endpoint));
            let report = scene.sync().await;
            assert_eq!(
                (report.outcome, report.synced),
                (outcome, synced),
                "{:?}",
                report.error
            );
            assert_eq!(scene.true_rows().await, synced);
            assert!(scene.calls() <= 60, "{} calls", scene.calls());
        }
    });
}
