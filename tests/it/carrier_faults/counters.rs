//! Counters that go backwards: the carrier's present word counts, for the cycle it speaks of.

use carrier_sync::simulator::{Endpoint, Fault, FaultKind};
use carrier_sync::store::DeviceRow;

use super::{Scene, old_or_true};
use crate::fleet::{self, in_system};

/// Rows whose counter is lower than it was.
fn lower(rows: &[DeviceRow], old: &[DeviceRow]) -> usize {
    let pairs = rows.iter().zip(old);
    pairs
        .filter(|(row, old)| row.data_used_bytes < old.data_used_bytes)
        .count()
}

#[test]
fn a_counter_that_goes_backwards_within_a_cycle_is_a_correction_and_written() {
    in_system(async {
        let scene = Scene::new().await; // corrected since its first sync
        assert_eq!(scene.sync().await.error, None);
        let rows = scene.rows().await;
        fleet::assert_true(&rows, &scene.truth());
        assert!(lower(&rows, &scene.old) > 10);
        let cycles = |rows: &[DeviceRow]| -> Vec<_> {
            rows.iter().map(|row| row.billing_cycle_end).collect()
        };
        assert_eq!(cycles(&rows), cycles(&scene.old), "the same cycles");
    });
}

#[test]
fn a_counter_that_begins_anew_is_written_with_its_new_cycle() {
    in_system(async {
        let scene = Scene::new().await;
        scene.simulator.clear_faults();
        scene.simulator.inject(Fault::new(FaultKind::NewCycle));
        assert_eq!(scene.sync().await.error, None);
        let rows = scene.rows().await;
        fleet::assert_true(&rows, &scene.truth());
        let later = rows.iter().zip(&scene.old);
        let later = later.filter(|(row, old)| row.billing_cycle_end > old.billing_cycle_end);
        assert!(later.count() > 20, "all but cancelled plans");
        assert!(lower(&rows, &scene.old) > 5);
    });
}

#[test]
fn a_cycle_that_turns_between_the_report_and_the_listing_is_written_as_the_new_one() {
    in_system(async {
        let scene = Scene::new().await;
        scene.simulator.clear_faults();
        scene.simulator.inject(Fault::new(FaultKind::NewCycle));
        let truth = scene.truth();
        scene.simulator.clear_faults();
        // The report still speaks of the cycle before, the listing of the new one.
        scene
            .simulator
            .inject(Fault::new(FaultKind::NewCycle).at(Endpoint::Devices));
        assert_eq!(scene.sync().await.error, None);
        let new = old_or_true(&scene.rows().await, &scene.old, &truth);
        assert!(new > 20, "{new}");
        scene.simulator.clear_faults();
        scene.simulator.inject(Fault::new(FaultKind::NewCycle));
        assert_eq!(scene.sync().await.error, None);
        fleet::assert_true(&scene.rows().await, &truth);
    });
}
