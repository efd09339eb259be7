//! Being told to stop, politely or not.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use carrier_sync::simulator::{
    Endpoint, Fault, FaultKind, Latency, SimulatedAccount, SimulatorConfig,
};

use super::{Place, Running, until};

const DEVICES: u64 = 300;

/// 30 pages of 25 ms.
fn slow_carrier() -> SimulatorConfig {
    SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, DEVICES)],
        latency: Latency {
            fixed: Duration::from_millis(25),
            ..Latency::default()
        },
        ..SimulatorConfig::default()
    }
}

/// The service in the middle of its first sync.
fn mid_sync(place: &Place) -> (Running, String) {
    let id = place.link();
    let service = place.start(&["run"]);
    until("some pages are read", || {
        (place.simulator.calls().of(Endpoint::Devices) >= 4).then_some(())
    });
    (service, id)
}

#[test]
fn an_idle_service_ends_promptly_with_success_on_either_signal() {
    let place = Place::new(slow_carrier()).with("HEALTH__INTERVAL", "100ms");
    for signal in ["TERM", "INT"] {
        let mut service = place.start(&["run"]);
        service.says("carrier-sync is running");
        service.says("\"supervisor\"");
        service.signal(signal);
        let took = service.exits(0);
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
        service.says("everything that was read is written");
    }
}

#[test]
fn a_sync_in_flight_is_cut_short_its_rows_are_written_and_the_next_one_completes_it() {
    for signal in ["TERM", "INT"] {
        let place = Place::new(slow_carrier());
        let (mut service, id) = mid_sync(&place);
        service.signal(signal);
        let took = service.exits(0);
        assert!(
            took < Duration::from_secs(15),
            "{signal}: {took:?}, beyond the drain's deadline"
        );
        let written = place.used(&id);
        assert!(
            (30..DEVICES as usize).contains(&written),
            "{signal}: {written} rows"
        );
        place.user.runs(&["once"]).succeeds();
        place.assert_true(&id);
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_says_so() {
    // A database that somebody else has locked: the drain cannot end.
    let place = Place::new(slow_carrier()).with("SHUTDOWN__DRAIN_TIMEOUT", "1h");
    let (mut service, _) = mid_sync(&place);
    let lock = Lock::on(&place);
    service.signal("TERM");
    service.says("stopping: finishing what is begun");
    service.signal("TERM");
    let took = service.exits(1);
    assert!(took < Duration::from_secs(10), "{took:?}");
    service.says("second signal");
    drop(lock);
}

#[test]
fn a_drain_beyond_its_deadline_is_no_success() {
    let place = Place::new(slow_carrier()).with("SHUTDOWN__DRAIN_TIMEOUT", "300ms");
    let (mut service, id) = mid_sync(&place);
    let lock = Lock::on(&place);
    service.signal("TERM");
    service.exits(1);
    service.says("not everything was finished in time");
    drop(lock);
    place.user.runs(&["once"]).succeeds();
    place.assert_true(&id);
}

/// The database's write lock, held.
struct Lock {
    release: Option<std::sync::mpsc::Sender<()>>,
    holder: Option<std::thread::JoinHandle<()>>,
}

impl Lock {
    fn on(place: &Place) -> Self {
        use sqlx::{Connection, SqliteConnection, raw_sql};
        let url = format!("sqlite://{}", place.user.home().join("fleet.db").display());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (told, held) = std::sync::mpsc::channel();
        let holder = std::thread::spawn(move || {
            crate::fleet::in_system(async {
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                raw_sql("BEGIN IMMEDIATE")
                    .execute(&mut connection)
                    .await
                    .unwrap();
                told.send(()).unwrap();
                let _ = tokio::task::spawn_blocking(move || released.recv()).await;
                connection.close().await.unwrap();
            });
        });
        held.recv().unwrap();
        Self {
            release: Some(release),
            holder: Some(holder),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.release.take());
        self.holder
            .take()
            .into_iter()
            .for_each(|holder| holder.join().unwrap());
    }
}

#[test]
fn after_a_kill_at_any_point_the_next_sync_repairs() {
    for calls in [1, 3, 9] {
        let place = Place::new(slow_carrier());
        let id = place.link();
        let mut service = place.start(&["run"]);
        until("so many calls", || {
            (place.simulator.calls().total >= calls).then_some(())
        });
        service.signal("KILL");
        assert_eq!(service.ends().0.signal(), Some(9));
        place.user.runs(&["once"]).succeeds();
        place.assert_true(&id);
    }
}

#[test]
fn a_carrier_that_hangs_does_not_hold_up_the_end() {
    let place = Place::new(slow_carrier());
    let id = place.link();
    place.simulator.inject(Fault::new(FaultKind::Hang));
    let mut service = place.start(&["run"]);
    until("it hangs", || {
        (place.simulator.calls().total >= 1).then_some(())
    });
    service.signal("TERM");
    let took = service.exits(0);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(place.used(&id), 0);
}

#[test]
fn once_hears_signals_too() {
    let place = Place::new(slow_carrier());
    let id = place.link();
    let mut once = place.start(&["once", "--json"]);
    until("some pages are read", || {
        (place.simulator.calls().of(Endpoint::Devices) >= 4).then_some(())
    });
    once.signal("INT");
    once.exits(2);
    let line: serde_json::Value = serde_json::from_str(&once.stdout.now()[0]).unwrap();
    assert_eq!(line["status"], "partial");
    assert_eq!(
        line["synced"],
        place.used(&id),
        "what it tells is what it wrote"
    );
}
