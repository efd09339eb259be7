//! Actors that die: back after a wait, parked or escalated when they die too often. Time is paused
//! where waits are long, so minutes of backoff pass in no time.

use std::sync::Arc;
use std::time::Duration;

use carrier_sync::app::{App, Ending};
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::status::{ActorName, ActorState};
use carrier_sync::supervision::RestartPolicy;
use tokio::time::Instant;

use super::killer_clock::{self, KillerClock};
use super::memory_store::{MemoryStore, row};
use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

/// Time passes only when nothing is left to do at the moment.
pub fn with_paused_time<T>(test: impl Future<Output = T>) -> T {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    actix::System::with_tokio_rt(runtime).block_on(test)
}

/// The service on a store in memory, with a clock that may kill.
fn in_memory(rows: &[&str]) -> (App, Arc<KillerClock>, Vec<IntegrationId>) {
    let clock = Arc::new(KillerClock::default());
    let mut app = fleet::app("sqlite:///nonexistent/unused.db", super::SOON);
    let rows: Vec<_> = rows.iter().map(|id| row(id)).collect();
    let ids = rows.iter().map(|row| row.id.clone()).collect();
    app.store = Arc::new(MemoryStore::of(rows));
    app.clock = clock.clone();
    (app, clock, ids)
}

#[test]
fn a_dead_integration_comes_back_after_a_wait_and_harms_no_other() {
    with_paused_time(async {
        let (app, clock, ids) = in_memory(&["dying"]);
        clock.kill(killer_clock::INTEGRATION, 1);
        let service = Service::start(app);
        let status = service.has_synced(&ids[0], 1).await;
        assert_eq!(
            (status.last_outcome, status.restarts),
            (Some(Outcome::Success), 1)
        );
        assert_eq!(service.actor(&ActorName::Writer).unwrap().restarts, 0);
        assert_eq!(service.ends().await, Ending::Clean);
    });
}

#[test]
fn an_integration_that_dies_too_often_is_parked_and_tried_again_much_later() {
    with_paused_time(async {
        let (app, clock, ids) = in_memory(&["dying"]);
        let deaths = RestartPolicy::DEFAULT.max_restarts + 1;
        clock.kill(killer_clock::INTEGRATION, deaths);
        let service = Service::start(app);
        let status = service.reaches(&ids[0], ActorState::Parked).await;
        assert_eq!(status.restarts, RestartPolicy::DEFAULT.max_restarts as u64);
        assert_eq!(
            status.reason.unwrap(),
            "its actor panicked: the clock struck"
        );
        assert_eq!((clock.left(), status.in_flight), (0, 0));
        let parked = Instant::now();
        service.has_synced(&ids[0], 1).await;
        let waited = parked.elapsed();
        assert!(
            waited > Duration::from_secs(14 * 60),
            "parked_retry is 15 min, tried after {waited:?}"
        );
        assert_eq!(service.ends().await, Ending::Clean);
    });
}

#[test]
fn a_dead_writer_comes_back_and_then_the_integrations() {
    in_system(async {
        let world = World::of(&[5, 5]);
        let clock = Arc::new(KillerClock::default());
        let app = super::panics::app_with_clock(&world, Arc::clone(&clock)).await;
        let service = Service::start(app);
        let first = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        service.has_synced(&first, 1).await;
        clock.kill(killer_clock::WRITER, 1);
        let second = fleet::link_fleet(&service.app, &world.simulator, account("zeta", 1002)).await;
        until("the writer has died", async || {
            (service.actor(&ActorName::Writer)?.restarts == 1).then_some(())
        })
        .await;
        // Whoever was at work when it died has its rows written after all.
        world
            .execute("UPDATE carrier_integrations SET last_sync_at = NULL")
            .await;
        let status = service.comes_to(&ActorName::Writer, ActorState::Idle).await;
        assert_eq!(
            (status.reason, status.restarts),
            (None, 1),
            "a living writer says so"
        );
        let store = &service.app.store;
        let change = carrier_sync::store::IntegrationChange {
            sync_interval_minutes: Some(30),
            ..carrier_sync::store::IntegrationChange::default()
        };
        for id in [&first, &second] {
            store.set_integration(id, &change).await.unwrap();
            service
                .sees(id, "succeeds", |status| {
                    status.last_outcome == Some(Outcome::Success)
                })
                .await;
        }
        fleet::assert_true(
            &fleet::devices(&service.app, &second).await,
            &world.simulator.truth(1002),
        );
        assert_eq!(service.ends().await, Ending::Clean);
    });
}

#[test]
fn a_writer_that_lives_again_says_so_before_it_has_anything_to_write() {
    with_paused_time(async {
        let (app, clock, _) = in_memory(&[]);
        clock.kill(killer_clock::WRITER, 1);
        let service = Service::start(app);
        until("the writer has died", async || {
            (service.actor(&ActorName::Writer)?.restarts == 1).then_some(())
        })
        .await;
        let status = service.comes_to(&ActorName::Writer, ActorState::Idle).await;
        assert_eq!(status.reason, None);
    });
}

#[test]
fn a_writer_that_dies_too_often_ends_the_service() {
    with_paused_time(async {
        let (app, clock, _) = in_memory(&["innocent"]);
        clock.kill(
            killer_clock::WRITER,
            RestartPolicy::DEFAULT.max_restarts + 1,
        );
        let service = Service::start(app);
        match service.ended().await {
            Ending::Escalated(reason) => {
                assert_eq!(
                    reason,
                    "the writer died too often: panicked: the clock struck"
                );
            }
            other => panic!("went on without a writer: {other:?}"),
        }
    });
}

#[test]
fn a_dead_supervisor_ends_the_service() {
    with_paused_time(async {
        let (app, clock, _) = in_memory(&["innocent"]);
        clock.kill(killer_clock::SUPERVISOR, 1);
        let service = Service::start(app);
        match service.ended().await {
            Ending::Escalated(reason) => assert!(reason.contains("the clock struck"), "{reason}"),
            other => panic!("went on without a supervisor: {other:?}"),
        }
    });
}
