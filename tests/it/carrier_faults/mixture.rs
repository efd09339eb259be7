//! The figure: three answers in ten are faulty, in every way at once.

use std::time::Duration;

use carrier_sync::simulator::{Arrival, Fault, FaultKind, SimulatedAccount, SimulatorConfig};
use futures_util::future::join_all;

use super::Scene;
use crate::fleet::{self, in_system};

/// Fleets, each with faults of its own.
const SEEDS: std::ops::Range<u64> = 0..6;
/// Syncs within which every device must have reached the truth.
const MOST_SYNCS: usize = 15;
/// What one sync may call, and how fast.
const BUDGET: u64 = 120;
const RATE: u64 = 60;
const BURST: u64 = 4;
/// The rate is measured over this: in a second a sync would be over.
const WINDOW: Duration = Duration::from_millis(200);
/// Calls that a busy machine may deliver late, upon those that are on time.
const LATE: usize = 2;

/// Small pages: some thirty answers in each sync without faults.
const SETTINGS: &[(&str, &str)] = &[
    ("carriers.hologram.device_page_size", "3"),
    ("carriers.hologram.usage_page_size", "4"),
    ("carriers.hologram.max_attempts", "3"),
    ("carriers.hologram.max_calls_per_sync", "120"),
    ("carriers.hologram.requests_per_second", "60"),
    ("carriers.hologram.burst", "4"),
];

/// The mixture with sizes fit for [`super::QUICK`].
fn mixture() -> FaultKind {
    let FaultKind::AnyOf { mut kinds } = FaultKind::mixture() else {
        panic!("the mixture is of any kind");
    };
    for kind in &mut kinds {
        match kind {
            FaultKind::Oversized { bytes } | FaultKind::GzipBomb { bytes } => *bytes = 1_500_000,
            FaultKind::Redirect { location } => "http://127.0.0.1:9/".clone_into(location),
            _ => {}
        }
    }
    assert!(kinds.len() > 25, "nearly all there are");
    FaultKind::AnyOf { kinds }
}

#[test]
fn with_three_faulty_answers_in_ten_every_device_reaches_the_truth_and_none_is_ever_wrong() {
    in_system(async {
        let (mut syncs, mut calls) = (Vec::new(), 0);
        for story in join_all(SEEDS.map(until_true)).await {
            syncs.push(story.0);
            calls += story.1;
        }
        eprintln!("true after {syncs:?} syncs, {calls} calls in all");
        assert!(syncs.iter().any(|syncs| *syncs > 1), "the faults were felt");
    });
}

/// Syncs a fleet until all of it is true; answers how many syncs and calls that took.
async fn until_true(seed: u64) -> (usize, u64) {
    let simulator = fleet::simulator(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, super::DEVICES)],
        multi_link_percent: 20.0,
        seed,
        ..SimulatorConfig::default()
    });
    let scene = Scene::at(simulator, SETTINGS).await;
    scene.simulator.inject(Fault::new(mixture()).likely(0.3));
    let moved = scene.moved();
    let mut calls = 0;
    for syncs in 1..=MOST_SYNCS {
        let report = scene.sync().await;
        let arrived = scene.simulator.calls();
        calls += arrived.total;
        assert!(report.api_calls <= BUDGET, "{} calls", report.api_calls);
        assert!(arrived.total <= BUDGET, "{} calls arrived", arrived.total);
        let most = (BURST + RATE * WINDOW.as_millis() as u64 / 1_000) as usize + LATE;
        let peak = peak(&arrived.arrivals);
        assert!(peak <= most, "{peak} calls within {WINDOW:?}");
        if scene.new_rows().await == moved {
            fleet::assert_true(&scene.rows().await, &scene.truth());
            return (syncs, calls);
        }
    }
    panic!("seed {seed}: not true after {MOST_SYNCS} syncs");
}

/// Most calls within any [`WINDOW`].
fn peak(arrivals: &[Arrival]) -> usize {
    let window = u64::try_from(WINDOW.as_micros()).unwrap();
    let within = |first: &Arrival| {
        let end = first.at_micros + window;
        let calls = arrivals
            .iter()
            .filter(|call| call.at_micros >= first.at_micros);
        calls.filter(|call| call.at_micros < end).count()
    };
    arrivals.iter().map(within).max().unwrap_or(0)
}
