//! Another configuration while the actors run: no actor begins anew for it, and the next sync is made by it.

use carrier_sync::app::App;
use carrier_sync::simulator::{Endpoint, SimulatedAccount, SimulatorConfig};
use carrier_sync::status::ActorName;

use super::{Service, World, account, until};
use crate::fleet::{self, in_system};
use crate::postgres::TestDatabase;

const BEFORE: &[(&str, &str)] = &[
    ("supervisor.start_spread", "0s"),
    ("supervisor.discover_interval", "1h"),
    ("carriers.hologram.device_page_size", "10"),
];

#[test]
fn an_integration_has_the_other_settings_from_its_next_sync_on_and_its_actor_stays() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, 50)],
            ..SimulatorConfig::default()
        });
        let owner: App = fleet::app(&database.owner_url(), BEFORE);
        let service = Service::start(fleet::app(&database.service_url(), BEFORE));
        let id = fleet::link_fleet(&owner, &simulator, account("acme", 1001)).await;
        service.has_synced(&id, 1).await;
        let pages = || simulator.calls().of(Endpoint::Devices);
        assert_eq!(pages(), 5);
        let larger = [("carriers.hologram.device_page_size", "25")];
        let after = [&BEFORE[..2], &larger].concat();
        let changes = service
            .app
            .reload(&fleet::config(&database.service_url(), &after));
        assert_eq!(changes.len(), 1, "{changes:?}");
        // The actor adopts it in its own time; the sync that is asked for after that has larger pages.
        until("a sync of two pages", async || {
            let (before, runs) = (pages(), service.status(&id)?.runs);
            service.app.store.ask_to_sync(&id).await.unwrap();
            service.has_synced(&id, runs + 1).await;
            (pages() - before == 2).then_some(())
        })
        .await;
        assert_eq!(service.status(&id).unwrap().restarts, 0);
    });
}

#[test]
fn a_shorter_time_between_looks_does_not_wait_for_the_end_of_the_longer_one() {
    in_system(async {
        let world = World::of(&[5]);
        let service = Service::start(world.app(&BEFORE[..2]).await);
        until("the first look", async || {
            (service.actor(&ActorName::Supervisor)?.runs == 1).then_some(())
        })
        .await;
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        let soon = [BEFORE[0], ("supervisor.discover_interval", "50ms")];
        service.app.reload(&fleet::config(&world.url(), &soon));
        service.has_synced(&id, 1).await;
    });
}
