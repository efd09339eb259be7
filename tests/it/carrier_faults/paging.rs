//! Listings that do not hang together: what they leave out is asked for, and nothing is counted twice.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, Fault, FaultKind};
use carrier_sync::status::ActorState;
use carrier_sync::sync::SyncReport;

use super::{DEVICES, Scene};
use crate::fleet::{self, in_system};

/// A sync while the listing of this endpoint is broken: everything is true nevertheless.
async fn whole_despite(kind: FaultKind, endpoint: Endpoint) -> (Scene, SyncReport) {
    let scene = Scene::new().await;
    let what = format!("{kind:?} {endpoint:?}");
    let fault = Fault::new(kind).at(endpoint);
    scene.simulator.inject(fault.clone());
    let report = scene.sync().await;
    assert_eq!(report.error, None, "{what}");
    assert_eq!(scene.new_rows().await, scene.moved(), "{what}");
    let actor = scene.actor().await;
    let idle = |status: &carrier_sync::status::ActorStatus| {
        status.state == ActorState::Idle && status.last_outcome == Some(Outcome::Success)
    };
    actor.rests(&what, idle).await;
    actor.ends().await;
    // Without the report a cycle's start is derived; once the listings are whole it is as reported.
    scene.behave();
    assert_eq!(scene.sync().await.error, None, "{what}");
    fleet::assert_true(&scene.rows().await, &scene.truth());
    (scene, report)
}

#[test]
fn devices_that_a_skipping_cursor_leaves_out_are_asked_for_one_by_one() {
    in_system(async {
        let (scene, report) = whole_despite(FaultKind::SkippingCursor, Endpoint::Devices).await;
        // Three pages of the listing, the report, and three devices after each of two pages.
        let clean = scene.sync().await.api_calls;
        assert_eq!(report.api_calls, clean + 6);
        whole_despite(FaultKind::SkippingCursor, Endpoint::Billing).await;
    });
}

#[test]
fn a_cursor_that_repeats_ends_the_listing_and_costs_no_truth() {
    in_system(async {
        let (_, report) = whole_despite(FaultKind::RepeatCursor, Endpoint::Devices).await;
        assert!(report.api_calls < 2 * DEVICES, "{}", report.api_calls);
        whole_despite(FaultKind::RepeatCursor, Endpoint::Billing).await;
    });
}

#[test]
fn a_cursor_that_never_ends_ends_the_listing_and_costs_no_truth() {
    in_system(async {
        let (_, report) = whole_despite(FaultKind::NeverEndingCursor, Endpoint::Devices).await;
        assert!(report.api_calls < 2 * DEVICES, "{}", report.api_calls);
        whole_despite(FaultKind::NeverEndingCursor, Endpoint::Billing).await;
    });
}

#[test]
fn a_device_that_is_listed_twice_counts_once() {
    in_system(async {
        let (_, report) = whole_despite(FaultKind::RowTwice, Endpoint::Devices).await;
        assert_eq!((report.devices, report.synced), (30, 30));
        whole_despite(FaultKind::RowTwice, Endpoint::Billing).await;
    });
}

#[test]
fn a_device_that_vanishes_between_pages_keeps_its_row_and_is_named() {
    in_system(async {
        let scene = Scene::new().await;
        // Its usage is in the report already, its page of the listing not yet.
        let last = scene.truth().pop().unwrap().carrier_device_id;
        let vanishing = FaultKind::VanishingDevice {
            device: last.parse().ok(),
        };
        scene.simulator.clear_faults();
        scene
            .simulator
            .inject(Fault::new(vanishing.clone()).at(Endpoint::Devices).after(1));
        scene
            .simulator
            .inject(Fault::new(vanishing).at(Endpoint::Device));
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 29));
        let error = report.error.unwrap();
        assert!(error.contains(&format!("device-{last}")), "{error}");
        assert!(error.contains("not found at the carrier"), "{error}");
        let row_of = |rows: Vec<carrier_sync::store::DeviceRow>| {
            let is_it = |row: &carrier_sync::store::DeviceRow| {
                row.carrier_device_id.as_ref() == Some(&last)
            };
            rows.into_iter().find(is_it).unwrap()
        };
        assert_eq!(row_of(scene.rows().await), row_of(scene.old.clone()));
        scene.behave();
        assert_eq!(scene.sync().await.error, None);
        fleet::assert_true(&scene.rows().await, &scene.truth());
    });
}
