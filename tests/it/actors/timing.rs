//! When syncs begin: spread after a start, the same way every time, and one at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carrier_sync::actors::integration::IntegrationParts;
use carrier_sync::actors::messages::SyncNow;
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::actors::writer::WriterPolicy;
use carrier_sync::actors::{DbWriterActor, IntegrationActor, WriterHandle};
use carrier_sync::device::IntegrationId;
use carrier_sync::simulator::{Latency, SimulatorConfig};
use carrier_sync::status::ActorName;
use carrier_sync::store::queue::BatchPolicy;
use carrier_sync::store::retry::RetryPolicy;
use carrier_sync::sync::schedule;
use carrier_sync::tenure::Tenure;
use tokio::time::Instant;

use super::memory_store::{MemoryStore, row};
use super::spy::{Asked, Spy};
use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

const HOUR: Duration = Duration::from_secs(3600);

/// The time from the start to each integration's first sync, on a start like any other.
fn first_syncs() -> BTreeMap<IntegrationId, Duration> {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let mut app = fleet::app(
            "sqlite:///nonexistent/unused.db",
            &[
                ("supervisor.start_spread", "1h"),
                ("supervisor.discover_interval", "5m"),
            ],
        );
        let store = Arc::new(MemoryStore::of(
            (0..50).map(|n| row(&format!("account-{n}"))),
        ));
        app.store = store.clone();
        let start = Instant::now();
        let _service = Service::start(app);
        tokio::time::sleep(HOUR).await;
        let began = store.began.lock().unwrap();
        began
            .iter()
            .rev()
            .map(|(id, at)| (id.clone(), *at - start))
            .collect()
    })
}

#[test]
fn first_syncs_are_spread_over_the_start_and_every_start_is_the_same() {
    let waits = first_syncs();
    assert_eq!(waits.len(), 50, "each began once within the spread");
    for (id, wait) in &waits {
        let phase = schedule::phase(id, HOUR);
        let late = wait.saturating_sub(phase);
        assert!(
            *wait >= phase && late < Duration::from_secs(1),
            "{id}: {wait:?}, not {phase:?}"
        );
    }
    let early = waits.values().filter(|wait| **wait < HOUR / 2).count();
    assert!((10..40).contains(&early), "{early} of 50 in the first half");
    let again = first_syncs();
    let differs = |(id, wait): (&IntegrationId, &Duration)| {
        again[id].abs_diff(*wait) > Duration::from_secs(1)
    };
    assert!(!waits.iter().any(differs));
}

pub fn writer_policy(max_rows: usize, max_in_flight: usize) -> WriterPolicy {
    WriterPolicy {
        batch: BatchPolicy {
            max_rows,
            max_bytes: usize::MAX,
            max_age: Duration::from_millis(20),
            max_in_flight,
        },
        retry: RetryPolicy {
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(10),
            give_up_after: Duration::from_secs(5),
        },
    }
}

#[test]
fn told_to_sync_now_while_it_syncs_an_integration_does_not_begin_another() {
    in_system(async {
        let latency = Latency {
            fixed: Duration::from_millis(50),
            ..Latency::default()
        };
        let world = World::with(
            &[5],
            SimulatorConfig {
                latency,
                ..SimulatorConfig::default()
            },
        );
        let app = world.app(&[]).await;
        let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
        let row = app.store.integrations().await.unwrap().remove(0);
        let spy = Spy::on(Arc::clone(&app.store));
        let writer = DbWriterActor::new(
            spy.clone(),
            writer_policy(100, 1),
            Arc::clone(&app.board),
            Arc::clone(&app.clock),
        );
        let (writer, _) = spawn_watched(writer, 4, |_| {});
        let actor = IntegrationActor::new(IntegrationParts {
            job: Arc::new(app.builder.build(&row, Tenure::sole()).unwrap()),
            interval: HOUR,
            first_delay: HOUR,
            first_interval: HOUR,
            parked_retry: HOUR,
            slots: fleet::slots(),
            store: spy.clone(),
            writer: WriterHandle::new(writer, 100),
            board: Arc::clone(&app.board),
            clock: Arc::clone(&app.clock),
        });
        let (actor, _) = spawn_watched(actor, 4, |_| {});
        let name = ActorName::Integration(id);
        let begun = || {
            spy.asked()
                .into_iter()
                .filter(|asked| matches!(asked, Asked::Devices(_)))
                .count()
        };
        for _ in 0..3 {
            actor.send(SyncNow).await.unwrap();
        }
        until("it calls", async || {
            (world.simulator.calls().total > 0).then_some(())
        })
        .await;
        actor.send(SyncNow).await.unwrap();
        until("it rests", async || {
            (app.board.get(&name)?.runs == 1).then_some(())
        })
        .await;
        assert_eq!(begun(), 1);
        actor.send(SyncNow).await.unwrap();
        until("it has synced again", async || {
            (app.board.get(&name)?.runs == 2).then_some(())
        })
        .await;
        assert_eq!(begun(), 2, "told between syncs it does");
    });
}
