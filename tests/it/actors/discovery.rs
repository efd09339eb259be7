//! Rows that appear, change and go, noticed at the next look.

use std::sync::Arc;
use std::time::Duration;

use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Latency, SimulatorConfig};
use carrier_sync::status::{ActorName, ActorState};
use carrier_sync::store::IntegrationChange;

use super::spy::{Asked, Spy};
use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

async fn gone(service: &Service, id: &IntegrationId) {
    until("the integration is off the board", async || {
        service.status(id).is_none().then_some(())
    })
    .await;
}

#[test]
fn rows_that_appear_are_synced_and_rows_that_go_are_forgotten() {
    in_system(async {
        let world = World::of(&[5, 7]);
        let service = Service::start(world.app(&[]).await);
        service
            .comes_to(&ActorName::Supervisor, ActorState::Idle)
            .await;
        let first = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        assert_eq!(
            service.has_synced(&first, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        let second = fleet::link_fleet(&service.app, &world.simulator, account("zeta", 1002)).await;
        assert_eq!(
            service.has_synced(&second, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        service.app.store.remove_integration(&first).await.unwrap();
        gone(&service, &first).await;
        assert!(service.status(&second).is_some(), "the other stays");
        fleet::assert_true(
            &fleet::devices(&service.app, &second).await,
            &world.simulator.truth(1002),
        );
    });
}

#[test]
fn a_row_that_is_switched_off_stops_and_on_again_goes_on() {
    in_system(async {
        let world = World::of(&[3]);
        let service = Service::start(world.app(&[]).await);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        service.has_synced(&id, 1).await;
        let switches: [fn(bool) -> IntegrationChange; 2] = [
            |on| IntegrationChange {
                enabled: Some(on),
                ..IntegrationChange::default()
            },
            |on| IntegrationChange {
                sync_enabled: Some(on),
                ..IntegrationChange::default()
            },
        ];
        for switch in switches {
            service
                .app
                .store
                .set_integration(&id, &switch(false))
                .await
                .unwrap();
            gone(&service, &id).await;
            let calls = world.simulator.calls().total;
            world
                .execute("UPDATE carrier_integrations SET last_sync_at = NULL")
                .await;
            assert_eq!(world.simulator.calls().total, calls, "off is off");
            service
                .app
                .store
                .set_integration(&id, &switch(true))
                .await
                .unwrap();
            service.has_synced(&id, 1).await;
        }
    });
}

#[test]
fn a_changed_row_restarts_its_actor_and_never_has_two_syncs_at_once() {
    in_system(async {
        let latency = Latency {
            fixed: Duration::from_millis(15),
            ..Latency::default()
        };
        let world = World::with(
            &[200],
            SimulatorConfig {
                latency,
                ..SimulatorConfig::default()
            },
        );
        let mut app = world
            .app(&[("carriers.hologram.device_page_size", "10")])
            .await;
        let spy = Spy::on(Arc::clone(&app.store));
        app.store = spy.clone();
        let service = Service::start(app);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        for interval in 61..66 {
            let before = world.simulator.calls().total;
            until("a sync is under way", async || {
                (world.simulator.calls().total > before + 3).then_some(())
            })
            .await;
            let change = IntegrationChange {
                sync_interval_minutes: Some(interval),
                ..IntegrationChange::default()
            };
            service
                .app
                .store
                .set_integration(&id, &change)
                .await
                .unwrap();
        }
        let status = service
            .sees(&id, "succeeds in the end", |status| {
                status.last_outcome == Some(Outcome::Success)
            })
            .await;
        assert_eq!(
            (status.synced, status.restarts),
            (200, 0),
            "a change is not a crash"
        );
        let asked = spy.asked();
        let begun = asked
            .iter()
            .filter(|asked| matches!(asked, Asked::Devices(_)))
            .count();
        assert!(begun >= 5, "each change began another sync: {begun}");
        // A sync begins with two calls at once and then makes one after the other, so the beginning of
        // another beside it would make three.
        assert_eq!(world.simulator.calls().accounts[&1001].peak_concurrency, 2);
    });
}

#[test]
fn an_outcome_that_is_recorded_is_not_a_change_of_the_row() {
    in_system(async {
        let world = World::of(&[3]);
        let mut app = world.app(&[]).await;
        let spy = Spy::on(Arc::clone(&app.store));
        app.store = spy.clone();
        let service = Service::start(app);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        service.has_synced(&id, 1).await;
        let looks = service.actor(&ActorName::Supervisor).unwrap().runs;
        until("five more looks", async || {
            (service.actor(&ActorName::Supervisor)?.runs >= looks + 5).then_some(())
        })
        .await;
        let begun = spy
            .asked()
            .into_iter()
            .filter(|asked| matches!(asked, Asked::Devices(_)));
        assert_eq!(begun.count(), 1);
    });
}
