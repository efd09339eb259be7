//! A carrier that cannot be reached, falls silent or never finishes.

use std::time::{Duration, Instant};

use carrier_sync::simulator::{Fault, FaultKind};
use carrier_sync::status::ActorState;
use carrier_sync::store::IntegrationChange;

use super::Scene;
use crate::fleet::{self, in_system};

fn breaks(kind: FaultKind, reason: &'static str) {
    in_system(async {
        let scene = Scene::new().await;
        scene.survives_outage(Fault::new(kind), reason).await;
    });
}

#[test]
fn a_connection_that_is_reset_is_tried_again_later() {
    breaks(FaultKind::Reset, "the connection broke");
}

#[test]
fn a_connection_that_is_reset_in_the_middle_of_an_answer_is_tried_again_later() {
    breaks(FaultKind::ResetMidBody, "the connection broke");
}

#[test]
fn a_carrier_that_hangs_is_given_up_at_the_deadline() {
    breaks(FaultKind::Hang, "no complete answer within 250ms");
}

#[test]
fn a_carrier_that_hangs_in_the_middle_of_an_answer_is_given_up_at_the_deadline() {
    breaks(FaultKind::HangMidBody, "no complete answer within 250ms");
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_given_up_at_the_deadline() {
    // Faster than one a second, so that many arrive: a deadline between two reads would never pass.
    let drip = FaultKind::Drip {
        millis_per_byte: 20,
    };
    breaks(drip, "no complete answer within 250ms");
}

#[test]
fn a_hanging_carrier_costs_a_sync_its_attempts_deadlines_and_no_more() {
    in_system(async {
        let scene = Scene::new().await;
        scene.simulator.inject(Fault::new(FaultKind::Hang));
        let started = Instant::now();
        let report = scene.sync().await;
        // Report and listing, two attempts each, and the waits between them.
        assert_eq!(report.api_calls, 4);
        assert!(started.elapsed() < Duration::from_millis(4 * 250 + 2 * 500 + 1_000));
    });
}

/// The actor with `base_url` in its row: it backs off and goes on trying; with the right address it
/// makes everything true.
fn unreachable(base_url: impl Fn(&Scene) -> String, reason: &'static str) {
    in_system(async {
        let scene = Scene::new().await;
        let address = |base_url: String| IntegrationChange {
            api_base_url: Some(base_url),
            ..IntegrationChange::default()
        };
        let store = &scene.app.store;
        let wrong = address(base_url(&scene));
        store.set_integration(&scene.id, &wrong).await.unwrap();
        let actor = scene.actor().await;
        let status = actor
            .rests("a second failure", |status| {
                status.runs >= 2 && status.state == ActorState::BackingOff
            })
            .await;
        actor.ends().await;
        let told = status.reason.unwrap();
        assert!(told.contains(reason), "{told}");
        assert_eq!(scene.rows().await, scene.old, "not one value is touched");
        let right = address(scene.simulator.base_url());
        store.set_integration(&scene.id, &right).await.unwrap();
        assert_eq!(scene.sync().await.error, None);
        fleet::assert_true(&scene.rows().await, &scene.truth());
    });
}

#[test]
fn a_name_that_does_not_resolve_is_tried_again() {
    unreachable(
        |_| "https://carrier.invalid/api/1".to_owned(),
        "cannot connect",
    );
}

#[test]
fn a_carrier_whose_tls_fails_is_tried_again() {
    // The simulator speaks no TLS: it answers a handshake in plain HTTP.
    let plain = |scene: &Scene| scene.simulator.base_url().replace("http://", "https://");
    unreachable(plain, "cannot connect");
}
