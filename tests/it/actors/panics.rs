//! A panic in the work of an actor is a failed piece of work: told, and nobody else's.

use std::sync::Arc;

use carrier_sync::app::App;
use carrier_sync::integration::Outcome;
use carrier_sync::status::{ActorName, ActorState};

use super::killer_clock::{self, KillerClock};
use super::spy::{Asked, Spy};
use super::{Service, World, account};
use crate::fleet::{self, in_system};

/// The world's service with a clock that may kill.
pub async fn app_with_clock(world: &World, clock: Arc<KillerClock>) -> App {
    let mut app = world.app(&[]).await;
    app.clock = clock;
    app
}

#[test]
fn a_panic_in_a_sync_is_an_error_of_this_sync_alone() {
    in_system(async {
        let world = World::of(&[5, 5]);
        let clock = Arc::new(KillerClock::default());
        let app = app_with_clock(&world, Arc::clone(&clock)).await;
        clock.kill(killer_clock::SYNC, 1);
        let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
        let service = Service::start(app);
        let status = service.has_synced(&id, 1).await;
        assert_eq!(status.last_outcome, Some(Outcome::Error));
        assert_eq!(
            (status.state, status.restarts),
            (ActorState::BackingOff, 0),
            "the actor lives"
        );
        let reason = status.reason.unwrap();
        assert!(
            reason.contains("the sync panicked: the clock struck"),
            "{reason}"
        );
        let row = service.row(&id).await;
        assert_eq!(
            (row.last_sync_status.as_str(), row.last_sync_error),
            ("error", Some(reason))
        );
        let other = fleet::link_fleet(&service.app, &world.simulator, account("zeta", 1002)).await;
        assert_eq!(
            service.has_synced(&other, 1).await.last_outcome,
            Some(Outcome::Success)
        );
    });
}

#[test]
fn a_panic_while_devices_are_read_is_an_error_of_this_sync_alone() {
    in_system(async {
        let world = World::of(&[5, 5]);
        let mut app = world.app(&[]).await;
        let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
        let other = fleet::link_fleet(&app, &world.simulator, account("zeta", 1002)).await;
        let spy = Spy::on(Arc::clone(&app.store));
        let bad = id.clone();
        spy.break_when(move |asked| *asked == Asked::Devices(bad.clone()));
        app.store = spy;
        let service = Service::start(app);
        let status = service.has_synced(&id, 1).await;
        assert_eq!(status.last_outcome, Some(Outcome::Error));
        assert_eq!((status.state, status.restarts), (ActorState::BackingOff, 0));
        let row = service.row(&id).await;
        assert_eq!(row.last_sync_status, "error");
        assert!(
            row.last_sync_error
                .unwrap()
                .contains("the store broke, as told")
        );
        assert_eq!(
            service.has_synced(&other, 1).await.last_outcome,
            Some(Outcome::Success)
        );
    });
}

#[test]
fn a_panic_in_a_flush_fails_its_batches_and_the_writer_lives() {
    in_system(async {
        let world = World::of(&[5, 5]);
        let mut app = world.app(&[("writer.max_batch_rows", "5")]).await;
        let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
        let other = fleet::link_fleet(&app, &world.simulator, account("zeta", 1002)).await;
        let spy = Spy::on(Arc::clone(&app.store));
        spy.break_when(|asked| match asked {
            Asked::Write(batches) => batches.iter().any(|(tenant, _)| tenant.as_str() == "acme"),
            _ => false,
        });
        app.store = spy;
        let service = Service::start(app);
        let status = service.has_synced(&id, 1).await;
        assert_eq!(
            (status.last_outcome, status.synced),
            (Some(Outcome::Error), 0)
        );
        let reason = status.reason.unwrap();
        assert!(
            reason.contains("the flush panicked: the store broke"),
            "{reason}"
        );
        assert_eq!(service.row(&id).await.last_sync_status, "error");
        assert_eq!(
            service.has_synced(&other, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        assert_eq!(service.actor(&ActorName::Writer).unwrap().restarts, 0);
    });
}

#[test]
fn a_panic_while_an_outcome_is_recorded_costs_the_record_only() {
    in_system(async {
        let world = World::of(&[5]);
        let mut app = world.app(&[]).await;
        let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
        let spy = Spy::on(Arc::clone(&app.store));
        spy.break_when(|asked| matches!(asked, Asked::Record(_)));
        app.store = spy;
        let service = Service::start(app);
        assert_eq!(
            service.has_synced(&id, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        fleet::assert_true(
            &fleet::devices(&service.app, &id).await,
            &world.simulator.truth(1001),
        );
        assert_eq!(service.actor(&ActorName::Writer).unwrap().restarts, 0);
    });
}
