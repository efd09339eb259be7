//! A carrier that says it is down.

use carrier_sync::simulator::{Fault, FaultKind};

use super::Scene;
use crate::fleet::in_system;

fn named(name: &str) -> Fault {
    Fault::new(FaultKind::named(name).unwrap())
}

#[test]
fn a_carrier_that_answers_500_is_left_alone_and_asked_again_later() {
    in_system(async {
        let scene = Scene::new().await;
        scene.survives_outage(named("500"), "status 500").await;
    });
}

#[test]
fn a_carrier_that_answers_503_is_left_alone_and_asked_again_later() {
    in_system(async {
        for name in ["503", "503-seconds"] {
            let scene = Scene::new().await;
            scene.survives_outage(named(name), "status 503").await;
        }
    });
}
