//! A sync whose lease ends: it calls nobody any more, writes nothing more, and says nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrier_sync::client::CallMeter;
use carrier_sync::device::StoredCycles;
use carrier_sync::simulator::Simulator;
use carrier_sync::sync::{Halt, Observer, Progress, SyncReport, sync};
use carrier_sync::tenure::{Deadline, Epoch, Tenure};
use tokio_util::sync::CancellationToken;

use super::pipeline::Gate;
use super::{ACME, ALONE, Scene};
use crate::fleet::{self, Account, in_system};

const SMALL_STEPS: [(&str, &str); 3] = [
    ("carriers.hologram.device_page_size", "10"),
    ("carriers.hologram.max_concurrency", "2"),
    ("writer.max_batch_rows", "10"),
];

/// Ends the lease once rows are written, and notes how many calls had been made by then.
struct Ending<'a> {
    deadline: Arc<Deadline>,
    simulator: &'a Simulator,
    calls: std::sync::OnceLock<u64>,
}

impl Observer for Ending<'_> {
    fn progress(&self, progress: Progress) {
        if progress.synced > 0 {
            self.deadline.lost();
            self.calls.get_or_init(|| self.simulator.calls().total);
        }
    }
}

async fn sync_under(
    scene: &Scene,
    deadline: &Arc<Deadline>,
    observer: &dyn Observer,
) -> SyncReport {
    let tenure = Tenure::leased(Epoch(7), Arc::clone(deadline));
    let row = scene.service.integration().await;
    let app = &scene.service.app;
    let job = Arc::new(app.builder.build(&row, tenure).unwrap());
    let devices = app
        .store
        .linked_devices(&job.tenant_id, &job.integration_id);
    let (devices, sink) = (devices.await.unwrap(), Gate::open());
    sync(
        &job,
        (devices, StoredCycles::default()),
        &Arc::new(CallMeter::new(job.policy.max_calls)),
        &sink,
        observer,
        &CancellationToken::new(),
    )
    .await
}

fn assert_ended_without_a_word(report: &SyncReport) {
    assert_eq!(report.halt, Some(Halt::LeaseLost));
    assert!(
        report.record(Some(Epoch(7))).is_none(),
        "nothing is recorded"
    );
    assert!(!report.is_setback(), "and nothing is held against it");
}

#[test]
fn a_sync_whose_lease_has_run_out_makes_no_call() {
    in_system(async {
        for account in [ACME, ALONE] {
            let scene = Scene::of(20, account, &SMALL_STEPS).await;
            let report = sync_under(&scene, &Arc::default(), &fleet::Quiet).await;
            assert_ended_without_a_word(&report);
            assert_eq!((scene.calls(), report.api_calls, report.synced), (0, 0, 0));
        }
    });
}

async fn ends_in_the_middle(account: Account<'_>, devices: u64, under_way: u64) {
    let scene = Scene::of(devices, account, &SMALL_STEPS).await;
    let deadline = Arc::new(Deadline::default());
    deadline.renewed(Instant::now(), Duration::from_secs(3_600));
    let observer = Ending {
        deadline: Arc::clone(&deadline),
        simulator: &scene.simulator,
        calls: std::sync::OnceLock::new(),
    };
    let report = sync_under(&scene, &deadline, &observer).await;
    assert_ended_without_a_word(&report);
    let by_then = *observer.calls.get().expect("rows were written");
    let calls = scene.calls();
    // What was sent before may arrive after.
    assert!(
        calls <= by_then + under_way,
        "{by_then} calls, then {calls}"
    );
    assert!(report.synced >= 10 && report.synced < devices as usize);
}

#[test]
fn a_sync_whose_lease_ends_in_the_middle_makes_no_further_call() {
    in_system(async {
        ends_in_the_middle(ACME, 500, 1).await;
        ends_in_the_middle(ALONE, 500, 2).await;
    });
}
