//! A key that the carrier takes away, and gives back.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, Fault, FaultKind};
use carrier_sync::status::ActorState;

use super::Scene;
use crate::fleet::in_system;

#[test]
fn a_key_revoked_mid_walk_needs_credentials_and_works_again_once_it_is_restored() {
    in_system(async {
        let scene = Scene::new().await;
        let fault = Fault::new(FaultKind::RevokeKey)
            .at(Endpoint::Devices)
            .after(1);
        let (status, new_rows) = scene.survives(fault, ActorState::NeedsCredentials).await;
        assert!(
            (1..=10).contains(&new_rows),
            "{new_rows} rows of the first page"
        );
        let reason = status.reason.unwrap();
        assert!(
            reason.contains("401") && reason.contains("integrations set"),
            "{reason}"
        );
        assert!(!reason.contains("simulated-key"), "{reason}");
    });
}

#[test]
fn a_refused_key_costs_two_calls_at_most_each_time_it_is_tried() {
    in_system(async {
        let scene = Scene::new().await;
        scene.simulator.inject(Fault::new(FaultKind::RevokeKey));
        let report = scene.sync().await;
        // Report and listing are asked for together.
        assert_eq!(report.outcome, Outcome::Error);
        assert!((1..=2).contains(&report.api_calls), "{}", report.api_calls);
        assert_eq!(scene.rows().await, scene.old, "not one value is touched");
    });
}
