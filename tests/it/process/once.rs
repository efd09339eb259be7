//! `once`: exit codes and lines that scripts rely on.

use carrier_sync::simulator::{Endpoint, Fault, SimulatedAccount, SimulatorConfig};

use super::Place;

const KEYS: [&str; 10] = [
    "api_calls",
    "carrier",
    "devices",
    "elapsed_ms",
    "error",
    "failed",
    "integration_id",
    "status",
    "synced",
    "tenant_id",
];

fn place() -> Place {
    Place::new(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 30)],
        ..SimulatorConfig::default()
    })
}

#[test]
fn success_is_0_and_a_line_has_exactly_these_keys() {
    let place = place();
    let id = place.link();
    let said = place.user.runs(&["once", "--json"]).succeeds();
    let lines = said.json_lines();
    assert_eq!(lines.len(), 1);
    let line = lines[0].as_object().unwrap();
    let mut keys: Vec<_> = line.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, KEYS);
    assert_eq!(line["integration_id"], id);
    assert_eq!(
        (&line["tenant_id"], &line["carrier"]),
        (&"acme".into(), &"hologram".into())
    );
    assert_eq!(
        (&line["devices"], &line["synced"], &line["failed"]),
        (&30.into(), &30.into(), &0.into())
    );
    assert_eq!(line["status"], "success");
    assert_eq!(line["api_calls"], place.simulator.calls().total);
    assert!(line["elapsed_ms"].is_u64() && line["error"].is_null());
    place.assert_true(&id);
}

#[test]
fn some_written_is_2_and_nothing_written_is_1_with_the_reason() {
    let place = place();
    place.link();
    // The listing breaks for good after its first page.
    place
        .simulator
        .inject(Fault::status(500).at(Endpoint::Devices).after(1));
    let said = place.user.runs(&["once", "--json"]).fails(2, &[]);
    let line = &said.json_lines()[0];
    assert_eq!(
        (&line["status"], &line["synced"]),
        (&"partial".into(), &10.into())
    );
    assert!(line["error"].as_str().unwrap().contains("500"), "{line}");

    place.simulator.clear_faults();
    place.simulator.inject(Fault::status(401));
    let said = place.user.runs(&["once", "--json"]).fails(1, &[]);
    let line = &said.json_lines()[0];
    assert_eq!(
        (&line["status"], &line["synced"]),
        (&"error".into(), &0.into())
    );
    assert!(line["error"].as_str().unwrap().contains("401"), "{line}");
}

#[test]
fn an_integration_that_is_not_there_is_named_with_what_to_do() {
    let place = place();
    place.link();
    let said = place.user.runs(&["once", "--integration", "nosuch"]);
    said.fails(
        1,
        &["no integration has the id nosuch", "integrations list"],
    );
    assert_eq!(place.simulator.calls().total, 0, "nothing was begun");
}

#[test]
fn no_integration_at_all_is_a_success_that_says_what_to_do() {
    let place = place();
    let said = place.user.runs(&["once"]).succeeds();
    assert!(said.stderr.contains("integrations add"), "{}", said.stderr);
}

#[test]
fn a_setting_that_cannot_be_is_named_with_key_value_and_file() {
    let place = place();
    let file = place
        .user
        .file("bad.toml", "[carriers.hologram]\nrequests_per_second = 0\n");
    let bare = crate::cli::User::new();
    let said = bare.runs(&["run", "--config", file.to_str().unwrap()]);
    said.fails(
        1,
        &["carriers.hologram.requests_per_second", "0", "bad.toml"],
    );
}
