//! Stopping: nothing new begins, what was read is written, and the ending says how it went.

use std::sync::Arc;
use std::time::Duration;

use carrier_sync::app::Ending;
use carrier_sync::device::IntegrationId;
use carrier_sync::shutdown::Drained;
use carrier_sync::simulator::{Endpoint, Latency, SimulatorConfig};

use super::spy::Spy;
use super::{Service, World, account, until};
use crate::fleet::{self, in_system};

const DEVICES: u64 = 400;

/// A carrier slow enough to be interrupted: 40 pages of ten devices.
fn slow_world() -> World {
    let latency = Latency {
        fixed: Duration::from_millis(25),
        ..Latency::default()
    };
    World::with(
        &[DEVICES],
        SimulatorConfig {
            latency,
            ..SimulatorConfig::default()
        },
    )
}

/// A service in the middle of reading the device listing.
async fn mid_sync(world: &World, drain_timeout: &str) -> (Service, IntegrationId, Arc<Spy>) {
    let settings = [
        ("carriers.hologram.device_page_size", "10"),
        ("shutdown.drain_timeout", drain_timeout),
    ];
    let mut app = world.app(&settings).await;
    let id = fleet::link_fleet(&app, &world.simulator, account("acme", 1001)).await;
    let spy = Spy::on(Arc::clone(&app.store));
    app.store = spy.clone();
    let service = Service::start(app);
    until("some pages are read", async || {
        (world.simulator.calls().of(Endpoint::Devices) >= 4).then_some(())
    })
    .await;
    (service, id, spy)
}

#[test]
fn a_sync_in_flight_is_abandoned_and_what_it_has_read_is_written() {
    in_system(async {
        let world = slow_world();
        let (service, id, _) = mid_sync(&world, "15s").await;
        assert_eq!(service.ends().await, Ending::Clean);
        let calls = world.simulator.calls().of(Endpoint::Devices);
        assert!(calls < 20, "the rest is not read: {calls} of 40 pages");

        let app = world.app(&[]).await;
        let truth = world.simulator.truth(1001);
        let rows = fleet::devices(&app, &id).await;
        let written: Vec<_> = rows
            .iter()
            .filter(|row| row.data_used_bytes.is_some())
            .collect();
        assert!(
            written.len() >= 30 && written.len() < DEVICES as usize,
            "{}",
            written.len()
        );
        for row in written {
            let name = row.carrier_device_id.as_deref().unwrap();
            let truth = truth
                .iter()
                .find(|truth| truth.carrier_device_id == name)
                .unwrap();
            fleet::assert_row_true(row, truth);
        }
        let row = app.store.integrations().await.unwrap().remove(0);
        assert_eq!(
            (row.last_sync_at, row.last_success_at),
            (None, None),
            "it is due again at once"
        );
        assert_eq!(
            (row.last_sync_status.as_str(), row.last_sync_error),
            ("never", None),
            "a stop is no failure"
        );

        let report = fleet::sync_one(&app).await;
        assert_eq!(
            (report.error, report.synced as u64),
            (None, DEVICES),
            "the next sync repairs"
        );
    });
}

#[test]
fn a_drain_that_takes_too_long_is_told() {
    in_system(async {
        let world = slow_world();
        let (service, _, spy) = mid_sync(&world, "300ms").await;
        spy.hold_writes().await;
        assert_eq!(service.ends().await, Ending::Unfinished(Drained::TooLate));
        spy.release_writes();
    });
}

#[test]
fn a_second_request_ends_the_drain_at_once() {
    in_system(async {
        let world = slow_world();
        let (service, _, spy) = mid_sync(&world, "1h").await;
        spy.hold_writes().await;
        service.stop.asked.cancel();
        service.stop.forced.cancel();
        assert_eq!(service.ended().await, Ending::Unfinished(Drained::Forced));
        spy.release_writes();
    });
}

#[test]
fn an_idle_service_stops_at_once() {
    in_system(async {
        let world = World::of(&[3]);
        let service = Service::start(world.app(&[]).await);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        service.has_synced(&id, 1).await;
        let ended = tokio::time::timeout(Duration::from_secs(5), service.ends()).await;
        assert_eq!(ended.expect("promptly"), Ending::Clean);
    });
}
