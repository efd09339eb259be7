//! SIGHUP: a file that is read anew while a sync is under way, as the carrier and the log see it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use carrier_sync::simulator::{Endpoint, SimulatedAccount, SimulatorConfig};

use super::{Place, Running, until};

const DEVICES: u64 = 3_000;
/// Of ten devices each.
const PAGES: u64 = DEVICES / 10;

/// A place whose settings of the carrier and the log are in a file.
struct Desk {
    place: Place,
    file: PathBuf,
}

impl Desk {
    fn with(text: &str) -> Self {
        Self::of(1, text)
    }

    /// With so many accounts.
    fn of(accounts: u64, text: &str) -> Self {
        let accounts = (1..=accounts).map(|number| SimulatedAccount::numbered(number, DEVICES));
        let place = Place::new(SimulatorConfig {
            accounts: accounts.collect(),
            ..SimulatorConfig::default()
        });
        let desk = Self {
            file: place.user.home().join("config.toml"),
            place,
        };
        desk.write(text);
        desk
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    fn run(&self) -> Running {
        let file = self.file.to_str().unwrap();
        let mut command = self.place.user.command(&["run", "--config", file]);
        // The environment would be above the file.
        for name in [
            "CARRIERS__HOLOGRAM__REQUESTS_PER_SECOND",
            "CARRIERS__HOLOGRAM__BURST",
            "LOG__LEVEL",
        ] {
            command.env_remove(format!("CARRIER_SYNC__{name}"));
        }
        Running::start(command)
    }

    /// Writes the file, tells the service, and waits until it has told the change of the rate.
    fn reload(&self, service: &Running, text: &str, told: &str) {
        self.write(text);
        service.signal("HUP");
        service.says(told);
    }

    fn calls(&self) -> u64 {
        self.place.simulator.calls().total
    }

    /// Accounts that were called for.
    fn called(&self) -> BTreeSet<Option<u64>> {
        let arrivals = self.place.simulator.calls().arrivals.into_iter();
        arrivals.map(|arrival| arrival.orgid).collect()
    }

    /// How long the carrier waits for so many more calls.
    fn takes(&self, more: u64) -> Duration {
        let (before, began) = (self.calls(), Instant::now());
        until("more calls", || {
            (self.calls() >= before + more).then_some(())
        });
        began.elapsed()
    }
}

fn rate(requests_per_second: f64, burst: u32) -> String {
    format!("[carriers.hologram]\nrequests_per_second = {requests_per_second:?}\nburst = {burst}\n")
}

#[test]
fn a_rate_that_is_changed_holds_for_the_sync_under_way_which_goes_on_and_ends_well() {
    let desk = Desk::with(&rate(50.0, 1));
    let id = desk.place.link();
    let mut service = desk.run();
    until("the sync is under way", || {
        (desk.calls() >= 10).then_some(())
    });
    desk.reload(
        &service,
        &rate(4.0, 1),
        "reloaded: carriers.hologram.requests_per_second 50 → 4",
    );
    let slow = desk.takes(8);
    assert!(
        slow > Duration::from_millis(1_500),
        "8 calls at 4/s: {slow:?}"
    );
    // A burst that may be large from now on, and is not there yet.
    desk.reload(
        &service,
        &rate(20.0, 1_000),
        "reloaded: carriers.hologram.burst 1 → 1000",
    );
    let grown = desk.takes(20);
    assert!(
        grown > Duration::from_millis(850),
        "20 calls at 20/s: {grown:?}"
    );
    desk.reload(
        &service,
        &rate(100_000.0, 1_000),
        "requests_per_second 20 → 100000",
    );
    let ended = service.says("sync ended");
    assert!(ended.contains("success"), "{ended}");
    desk.place.assert_true(&id);
    let pages = desk.place.simulator.calls().of(Endpoint::Devices);
    assert_eq!(pages, PAGES, "no page was asked for twice");
    service.signal("TERM");
    service.signal("HUP");
    service.exits(0);
}

#[test]
fn more_syncs_at_once_do_not_wait_for_the_end_of_those_under_way() {
    let with = |most: u32| {
        format!(
            "{}[supervisor]\nmax_concurrent_syncs = {most}\n",
            rate(5.0, 1)
        )
    };
    let desk = Desk::of(2, &with(1));
    for org in [1001, 1002] {
        desk.place.link_account(org);
    }
    let mut service = desk.run();
    until("a sync is under way", || (desk.calls() >= 8).then_some(()));
    assert_eq!(desk.called().len(), 1, "{:?}", desk.called());
    let told = "reloaded: supervisor.max_concurrent_syncs 1 → 4";
    desk.reload(&service, &with(4), told);
    until("the other one is under way too", || {
        (desk.called().len() == 2).then_some(())
    });
    let said = service.stderr.now().join("\n");
    assert!(!said.contains("sync ended"), "{said}");
    service.signal("TERM");
    service.exits(0);
}

#[test]
fn a_file_that_is_wrong_is_refused_with_every_reason_and_the_old_settings_stay() {
    let desk = Desk::with(&rate(5.0, 1));
    desk.place.link();
    let mut service = desk.run();
    until("the sync is under way", || {
        (desk.calls() >= 3).then_some(())
    });
    let wrong = rate(0.0, 1).replace("burst = 1", "burts = 1");
    desk.reload(&service, &wrong, "the configuration was refused");
    for part in [
        "requests_per_second = 0",
        "calls per second above zero",
        "burts",
        "line 2",
    ] {
        service.says(part);
    }
    let slow = desk.takes(6);
    assert!(
        slow > Duration::from_millis(900),
        "6 calls at 5/s: {slow:?}"
    );
    desk.reload(&service, "not TOML", "line 1, column");
    std::fs::remove_file(&desk.file).unwrap();
    service.signal("HUP");
    service.says("cannot read the configuration file");
    let told = service.stderr.now().join("\n");
    assert!(!told.contains("reloaded:"), "{told}");
    service.signal("TERM");
    service.exits(0);
}

#[test]
fn the_level_of_the_log_changes_and_what_needs_a_restart_is_named_and_stays() {
    let desk = Desk::with("log.level = \"warn\"\n");
    let mut service = desk.run();
    // It says nothing yet; that it serves is seen at the carrier.
    desk.place.link();
    until("it syncs", || (desk.calls() >= 1).then_some(()));
    let more =
        "log.level = \"info\"\nwriter.queue_rows = 60000\ndatabase.acquire_timeout = \"9s\"\n";
    desk.reload(
        &service,
        more,
        "reloaded: log.level \\\"warn\\\" → \\\"info\\\"",
    );
    service.says("changed but needs a restart: writer.queue_rows");
    service.says("changed but needs a restart: database.acquire_timeout");
    service.says("the configuration was read anew");
    service.signal("TERM");
    service.exits(0);
    let first = service.stderr.now();
    assert!(
        !first
            .iter()
            .any(|line| line.contains("carrier-sync is running"))
    );
}

/// A file that cannot be read to its end: a disk that hangs is the same.
#[test]
fn a_file_that_blocks_stops_neither_later_reloads_nor_the_end() {
    let desk = Desk::with("[log]\nlevel = \"info\"\n");
    let mut service = desk.run();
    service.says("carrier-sync is running");
    std::fs::remove_file(&desk.file).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(&desk.file)
        .status();
    assert!(made.unwrap().success());
    service.signal("HUP");
    service.says("the configuration could not be read within");
    std::fs::remove_file(&desk.file).unwrap();
    desk.reload(&service, "[log]\nlevel = \"debug\"\n", "log.level");
    service.signal("TERM");
    service.exits(0);
}
