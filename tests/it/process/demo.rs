//! `demo`: soon something to see, and a clean end.

use std::time::{Duration, Instant};

use super::{Running, until};
use crate::cli::User;

/// A line that tells of synced devices.
fn first_synced(demo: &Running) -> String {
    until("synced devices are shown", || {
        demo.stdout
            .now()
            .into_iter()
            .find(|line| line.contains(" of ") && line.contains("tenant-"))
    })
}

#[test]
fn the_first_synced_devices_are_shown_within_five_seconds_and_it_ends_with_success() {
    let user = User::new();
    let started = Instant::now();
    let mut demo =
        Running::start(user.command(&["demo", "--for", "5s", "--devices", "60", "--port", "0"]));
    let line = first_synced(&demo);
    let waited = started.elapsed();
    assert!(waited < Duration::from_secs(5), "{waited:?}: {line}");
    demo.exits(0);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn ctrl_c_ends_it_with_success() {
    let user = User::new();
    let mut demo =
        Running::start(user.command(&["demo", "--for", "10m", "--devices", "60", "--port", "0"]));
    first_synced(&demo);
    demo.signal("INT");
    let took = demo.exits(0);
    assert!(took < Duration::from_secs(15), "{took:?}");
}
