//! A sync as a pipeline: batches outstanding, pages read ahead, first pages asked for together. Each
//! step ahead is bounded, and none of it costs a call that is not needed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carrier_sync::device::{UpdateBatch, WriteReceipt};
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::Endpoint;
use carrier_sync::sync::{Halt, SinkError, SyncReport, UpdateSink};
use carrier_sync::tenure::Tenure;
use tokio::sync::Semaphore;

use super::{ACME, ALONE, Scene, Service, link};
use crate::fleet::{self, in_system};
use crate::scripted::{Reply, ScriptedCarrier, answer, empty_listing, json};

/// Pages and batches of ten, two transactions at a time.
const TENS: [(&str, &str); 3] = [
    ("carriers.hologram.device_page_size", "10"),
    ("writer.max_batch_rows", "10"),
    ("writer.max_in_flight", "2"),
];
/// Batches outstanding: one more than transactions.
const OUTSTANDING: usize = 3;

/// A writer that holds every batch until it is let go, and answers as it is told.
pub(super) struct Gate {
    open: Semaphore,
    held: AtomicUsize,
    most_held: AtomicUsize,
    begun: AtomicUsize,
    /// Batches that fail, by the order in which they came.
    failing: BTreeSet<usize>,
    /// Batches that come back last.
    slow: BTreeSet<usize>,
}

impl Gate {
    fn closed() -> Self {
        Self {
            open: Semaphore::new(0),
            held: AtomicUsize::new(0),
            most_held: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            failing: BTreeSet::new(),
            slow: BTreeSet::new(),
        }
    }

    /// Lets everything through.
    pub(super) fn open() -> Self {
        let gate = Self::closed();
        gate.open.add_permits(1_000);
        gate
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl UpdateSink for Gate {
    async fn write(&self, batch: UpdateBatch) -> Result<WriteReceipt, SinkError> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst);
        let held = self.held.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_held.fetch_max(held, Ordering::SeqCst);
        self.open.acquire().await.unwrap().forget();
        let mut looks = 0;
        while self.slow.contains(&number) && (self.held() > self.slow.len() || looks < 100) {
            looks += 1;
            tokio::task::yield_now().await;
        }
        self.held.fetch_sub(1, Ordering::SeqCst);
        if self.failing.contains(&number) {
            return Err(SinkError::Failed("the disk is full".to_owned()));
        }
        Ok(WriteReceipt {
            written: batch.updates.len(),
            failures: Vec::new(),
        })
    }
}

async fn sync_into(scene: &Scene, gate: &Gate) -> SyncReport {
    let row = scene.service.integration().await;
    let job = scene.service.app.builder.build(&row, Tenure::sole());
    scene.sync_job(&Arc::new(job.unwrap()), gate).await
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("never: {what}"));
}

#[test]
fn a_slow_database_holds_the_sync_at_a_bounded_number_of_batches_and_pages() {
    in_system(async {
        let scene = Scene::of(300, ACME, &TENS).await;
        let gate = Gate::closed();
        // Three batches are held, one is full, and two pages wait behind it.
        let most_pages = OUTSTANDING as u64 + 1 + 2;
        let watching = async {
            until("three batches and all pages ahead", || {
                gate.held() == OUTSTANDING && scene.calls_of(Endpoint::Devices) >= most_pages
            })
            .await;
            // Time enough for a fetcher without bounds to read the other 24 pages.
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(scene.calls_of(Endpoint::Devices), most_pages);
            assert_eq!(gate.held(), OUTSTANDING);
            gate.open.add_permits(1_000);
        };
        let (report, ()) = tokio::join!(sync_into(&scene, &gate), watching);
        assert_eq!((report.outcome, report.synced), (Outcome::Success, 300));
        assert_eq!(gate.most_held.load(Ordering::SeqCst), OUTSTANDING);
    });
}

#[test]
fn batches_may_come_back_in_any_order() {
    in_system(async {
        let scene = Scene::of(100, ACME, &TENS).await;
        let gate = Gate {
            slow: BTreeSet::from([0, 4]),
            ..Gate::open()
        };
        let report = sync_into(&scene, &gate).await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_eq!(report.synced, 100);
    });
}

#[test]
fn a_batch_that_fails_ends_the_sync_and_the_others_count() {
    in_system(async {
        let scene = Scene::of(300, ACME, &TENS).await;
        let gate = Gate {
            failing: BTreeSet::from([1]),
            ..Gate::open()
        };
        let report = sync_into(&scene, &gate).await;
        assert!(
            matches!(&report.halt, Some(Halt::Store { reason }) if reason == "the disk is full"),
            "{:?}",
            report.halt
        );
        // What was outstanding when it failed is waited for and counted, and nothing follows.
        let batches = gate.begun.load(Ordering::SeqCst);
        assert_eq!((gate.held(), report.synced), (0, (batches - 1) * 10));
        assert!(batches <= 2 + OUTSTANDING, "{batches} batches");
        assert_eq!(report.outcome, Outcome::Partial);
    });
}

#[test]
fn the_last_batch_to_come_back_is_waited_for_and_believed() {
    in_system(async {
        let scene = Scene::of(30, ACME, &TENS).await;
        let gate = Gate {
            failing: BTreeSet::from([2]),
            slow: BTreeSet::from([2]),
            ..Gate::open()
        };
        let report = sync_into(&scene, &gate).await;
        assert!(matches!(report.halt, Some(Halt::Store { .. })));
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 20));
    });
}

#[test]
fn a_page_is_not_read_ahead_unless_it_can_show_a_linked_device() {
    in_system(async {
        // Of these, newest first, so many stay linked; some are linked to two rows each.
        for (linked, twins, pages) in [(10, 0, 1), (11, 0, 2), (25, 0, 3), (30, 15, 3), (10, 10, 1)]
        {
            let scene = Scene::of(100, ACME, &TENS).await;
            let mut ids: Vec<u64> = scene
                .truth()
                .iter()
                .map(|truth| truth.carrier_device_id.parse().unwrap())
                .collect();
            ids.sort_unstable_by(|a, b| b.cmp(a));
            let unlink = format!(
                "UPDATE device_connections SET carrier_integration_id = NULL \
                 WHERE CAST(carrier_device_id AS INTEGER) < {}",
                ids[linked - 1]
            );
            scene.service.execute(&unlink).await;
            let id = scene.service.integration().await.id;
            for (twin, of) in ids.iter().take(twins).enumerate() {
                let (name, other) = (format!("twin-{twin}"), format!("9{twin}"));
                let links = [fleet::link(&name, &other)];
                let store = &scene.service.app.store;
                store.link_devices(&id, &links).await.unwrap();
                let share = format!(
                    "UPDATE device_connections SET carrier_device_id = '{of}' \
                     WHERE device_id = '{name}'"
                );
                scene.service.execute(&share).await;
            }
            let report = scene.sync().await;
            assert_eq!(
                (report.outcome, report.synced),
                (Outcome::Success, linked + twins)
            );
            assert_eq!(scene.calls_of(Endpoint::Devices), pages, "{linked} {twins}");
            assert_eq!(scene.calls(), pages + 1);
        }
    });
}

const REPORT: &str = "/api/1/usage/data/billing";
const ONE_DEVICE: &str = r#"{"success":true,"continues":false,"data":[{"id":1,"links":{"cellular":
    [{"id":11,"state":"LIVE","whenexpires":"2030-01-31 00:00:00","cur_billing_data_used":9}]}}]}"#;

fn later(milliseconds: u64, reply: Reply) -> Reply {
    Reply::Later(Duration::from_millis(milliseconds), Box::new(reply))
}

#[test]
fn report_and_listing_are_asked_for_at_the_same_time() {
    in_system(async {
        let carrier = ScriptedCarrier::start(|_, seen| match seen.path() {
            REPORT => later(1_500, empty_listing()),
            _ => later(1_500, json(ONE_DEVICE)),
        })
        .await;
        let service = Service::new(&[]).await;
        link(&service, &carrier, &["1"]).await;
        let report = service.sync().await;
        assert_eq!((report.outcome, report.api_calls), (Outcome::Success, 2));
        let seen = carrier.seen();
        let apart = seen[1].at - seen[0].at;
        assert!(apart < Duration::from_millis(1_400), "{apart:?} apart");
    });
}

/// What a sync says, and how many calls arrived, where report and listing are answered so.
async fn told(report: Reply, listing: Reply) -> (Option<Halt>, usize) {
    let carrier = ScriptedCarrier::start(move |_, seen| match seen.path() {
        REPORT => report.clone(),
        _ => listing.clone(),
    })
    .await;
    let service = Service::new(&[("carriers.hologram.max_attempts", "1")]).await;
    link(&service, &carrier, &["1", "2", "3"]).await;
    let report = service.sync().await;
    let calls = carrier.seen().len();
    // A call that was given up may not have arrived.
    assert!(calls as u64 <= report.api_calls && report.api_calls <= 2);
    (report.halt, calls)
}

#[test]
fn the_report_s_refusal_is_judged_before_the_listing_s_whichever_comes_first() {
    in_system(async {
        let refused = || answer(401, &[], "");
        let down = || answer(500, &[], "");
        for (report_ms, listing_ms) in [(0, 400), (400, 0)] {
            let (halt, calls) = told(later(report_ms, refused()), later(listing_ms, down())).await;
            assert!(matches!(halt, Some(Halt::Credentials { .. })), "{halt:?}");
            assert!(calls <= 2, "{calls} calls");
            // A report that cannot be had is a gap; a listing that cannot is an outage.
            let (halt, calls) = told(later(report_ms, down()), later(listing_ms, down())).await;
            assert!(matches!(halt, Some(Halt::Outage { .. })), "{halt:?}");
            assert_eq!(calls, 2);
        }
    });
}

#[test]
fn a_listing_that_is_refused_ends_the_report_after_its_first_page() {
    in_system(async {
        let endless = |seen: &crate::scripted::Seen| {
            let at: u64 = seen.query("startat").map_or(0, |at| at.parse().unwrap()) + 1;
            json(&format!(
                r#"{{"success":true,"continues":true,"lastid":"{at}","data":[{{"record_id":"{at}"}}]}}"#
            ))
        };
        let carrier = ScriptedCarrier::start(move |_, seen| match seen.path() {
            REPORT => endless(seen),
            _ => later(400, answer(403, &[], "")),
        })
        .await;
        let service = Service::new(&[]).await;
        link(&service, &carrier, &["1"]).await;
        let report = service.sync().await;
        assert!(matches!(report.halt, Some(Halt::Credentials { .. })));
        assert_eq!((carrier.count("billing"), carrier.count("devices")), (1, 1));
    });
}

#[test]
fn the_listing_takes_nothing_of_the_report_s_budget() {
    in_system(async {
        let tens = [TENS[0], ("carriers.hologram.usage_page_size", "10")];
        let scene = Scene::of(60, ACME, &tens).await;
        scene.sync().await;
        let budget = scene.calls_of(Endpoint::Billing) + 2;
        let text = budget.to_string();
        let tight = [
            tens[0],
            tens[1],
            ("carriers.hologram.max_calls_per_sync", &*text),
        ];
        let scene = Scene::of(60, ACME, &tight).await;
        let report = scene.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 20));
        assert_eq!(report.api_calls, budget);
    });
}

#[test]
fn a_sync_that_waits_for_the_database_holds_no_permit_of_its_account_against_another() {
    in_system(async {
        // Slow enough that a call of each sync is always waiting for its turn.
        let slowly = [
            TENS[1],
            TENS[2],
            ("carriers.hologram.requests_per_second", "200"),
            ("carriers.hologram.burst", "1"),
        ];
        let scene = Scene::of(60, ALONE, &slowly).await;
        let (closed, open) = (Gate::closed(), Gate::open());
        let other = async {
            until("a sync that waits", || closed.held() == OUTSTANDING).await;
            tokio::time::timeout(Duration::from_secs(20), sync_into(&scene, &open)).await
        };
        tokio::select! {
            _ = sync_into(&scene, &closed) => panic!("its batches are held"),
            report = other => assert_eq!(report.expect("it gets on").synced, 60),
        }
    });
}
