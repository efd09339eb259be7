//! Answers that are no answers: cut, foreign, of wrong types, or far too large.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, Fault, FaultKind};
use carrier_sync::status::ActorState;

use super::{DEVICES, Scene};
use crate::fleet::in_system;

/// Whatever is asked, the answer is unusable: that is an outage, and no reason to ask for each device.
fn useless(kind: FaultKind, reason: &'static str) {
    in_system(async {
        let scene = Scene::new().await;
        scene.simulator.inject(Fault::new(kind.clone()));
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Error, 0));
        assert!(report.api_calls < DEVICES, "{} calls", report.api_calls);
        scene.behave();
        scene.survives_outage(Fault::new(kind), reason).await;
    });
}

#[test]
fn json_that_is_cut_off_is_an_outage() {
    useless(FaultKind::Truncate, "JSON that is cut off");
}

#[test]
fn html_with_a_200_is_an_outage() {
    useless(FaultKind::Html, "HTML instead of JSON");
}

#[test]
fn rows_of_wrong_types_are_an_outage() {
    useless(FaultKind::WrongTypes { only: None }, "cannot be read");
}

#[test]
fn an_answer_larger_than_the_cap_is_refused_while_it_comes() {
    // Whoever read it all would find the truth in it.
    useless(
        FaultKind::Oversized { bytes: 1_500_000 },
        "http.max_body_bytes",
    );
}

#[test]
fn a_gzip_bomb_is_refused_while_it_unfolds() {
    useless(
        FaultKind::GzipBomb { bytes: 1_500_000 },
        "http.max_body_bytes",
    );
}

#[test]
fn a_bomb_within_the_cap_is_an_answer() {
    in_system(async {
        let scene = Scene::new().await;
        let harmless = FaultKind::GzipBomb { bytes: 500_000 };
        scene.simulator.inject(Fault::new(harmless));
        assert_eq!(scene.sync().await.error, None);
    });
}

#[test]
fn one_field_of_a_wrong_type_costs_that_field_and_no_other() {
    in_system(async {
        let scene = Scene::new().await;
        for (endpoint, field) in [
            (Endpoint::Billing, "bytes"),
            (Endpoint::Devices, "cur_billing_data_used"),
            (Endpoint::Sessions, "bytes"),
        ] {
            let kind = FaultKind::WrongTypes {
                only: Some(field.to_owned()),
            };
            scene.simulator.inject(Fault::new(kind).at(endpoint));
        }
        let actor = scene.actor().await;
        let status = actor
            .rests("idle", |status| status.state == ActorState::Idle)
            .await;
        // A device without sessions has no field to spoil: its list says zero, completely.
        assert_ne!(status.last_outcome, Some(Outcome::Success));
        let reason = status.reason.unwrap();
        assert!(reason.contains("devices not synced"), "{reason}");
        assert!(status.synced < 5, "{}", status.synced);
        assert_eq!(scene.new_rows().await, 0, "usage is old, never zero");
        scene.behave();
        actor
            .rests("whole again", |status| {
                status.last_outcome == Some(Outcome::Success)
            })
            .await;
        crate::fleet::assert_true(&scene.rows().await, &scene.truth());
        actor.ends().await;
    });
}
