//! "Too fast", in every way a carrier has to say it: the account is silent for as long as it was told
//! and no longer than configured.

use std::time::Duration;

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Fault, FaultKind, SimulatedAccount, SimulatorConfig};

use super::{Scene, fleet};
use crate::fleet::{Account, in_system};

#[test]
fn a_storm_of_429_backs_off_whatever_its_retry_after_says() {
    in_system(async {
        let forms = FaultKind::names().filter(|name| name.starts_with("429"));
        for name in forms {
            let scene = Scene::new().await;
            let storm = Fault::new(FaultKind::named(name).unwrap());
            scene
                .survives_outage(storm, "throttled by the carrier until")
                .await;
        }
    });
}

#[test]
fn throttling_told_in_a_200_is_throttling() {
    in_system(async {
        let scene = Scene::new().await;
        let fault = Fault::new(FaultKind::named("throttled-200").unwrap());
        scene
            .survives_outage(fault, "throttled by the carrier until")
            .await;
    });
}

#[test]
fn throttling_told_as_a_401_is_not_taken_for_a_refused_key() {
    in_system(async {
        let scene = Scene::new().await;
        let fault = Fault::new(FaultKind::named("throttled-401").unwrap());
        scene
            .survives_outage(fault, "throttled by the carrier until")
            .await;
    });
}

/// The longest pause that is obeyed here, and the shortest for a carrier that names none; it may be twice
/// as long.
const LONGEST: &str = "3s";
const UNNAMED: &str = "1s";

/// Each way to say "too fast", with the shortest and longest silence that obeys it, in milliseconds.
const PAUSES: &[(&str, u64, u64)] = &[
    ("429", 1_000, 2_000),
    ("429-seconds", 2_000, 2_000),
    ("429-date", 1_000, 2_000), // whole seconds: the date is up to a second nearer
    ("429-zero", 1_000, 1_000),
    ("429-negative", 1_000, 1_000),
    ("429-past", 1_000, 1_000),
    ("429-garbage", 1_000, 2_000),
    ("429-ten-years", 3_000, 3_000),
    ("503-seconds", 1_000, 1_000),
    ("throttled-200", 1_000, 2_000),
    ("throttled-401", 1_000, 2_000),
];

/// A retry waits on top of the pause: at most this, and some time for a busy machine.
const SLACK_MS: u64 = 2_500;

#[test]
fn every_form_of_retry_after_is_obeyed_and_cut_to_what_is_allowed() {
    in_system(async {
        let accounts = (1..)
            .zip(PAUSES)
            .map(|(number, _)| SimulatedAccount::numbered(number, 5));
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: accounts.collect(),
            ..SimulatorConfig::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("http.max_retry_after", LONGEST),
            ("http.throttle_pause", UNNAMED),
            // So that the call after the refused one is not on its way already.
            ("carriers.hologram.max_concurrency", "1"),
        ];
        let app = fleet::app(&fleet::sqlite_url(&folder), &settings);
        app.prepare().await.unwrap();
        for (org, (name, ..)) in (1_001..).zip(PAUSES) {
            let account = Account {
                tenant: "acme",
                org,
                in_bulk: true,
            };
            fleet::link_fleet(&app, &simulator, account).await;
            let kind = FaultKind::named(name).unwrap();
            simulator.inject(Fault::new(kind).for_org(org).times(1));
        }
        let reports = fleet::sync(&app).await;
        assert!(
            reports
                .iter()
                .all(|report| report.outcome == Outcome::Success)
        );
        let arrivals = simulator.calls().arrivals;
        for (org, (name, least, most)) in (1_001..).zip(PAUSES) {
            let mut calls = arrivals.iter().filter(|call| call.orgid == Some(org));
            let (first, second) = (calls.next().unwrap(), calls.next().unwrap());
            let silence = Duration::from_micros(second.at_micros - first.at_micros);
            // What was told is counted from the answer, which leaves after the call has arrived.
            assert!(
                silence >= Duration::from_millis(*least),
                "{name}: {silence:?}"
            );
            assert!(
                silence <= Duration::from_millis(most + SLACK_MS),
                "{name}: {silence:?}"
            );
        }
    });
}
