//! The health log: every actor as one structured event, on a beat and at each change of state.

use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};

use super::{Place, until};

/// Fields that every event has.
const FIELDS: [&str; 12] = [
    "actor",
    "state",
    "devices",
    "synced",
    "runs",
    "restarts",
    "in_flight",
    "queue_depth",
    "permits_waited_ms",
    "calls_made",
    "timestamp",
    "level",
];

#[test]
fn every_actor_tells_its_state_on_a_beat_and_at_each_change() {
    let place = Place::new(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 30)],
        ..SimulatorConfig::default()
    })
    .with("HEALTH__INTERVAL", "200ms");
    let id = place.link();
    let mut service = place.start(&["run", "--log-format", "json"]);
    let actors = [
        "supervisor".to_owned(),
        "writer".to_owned(),
        format!("integration/{id}"),
    ];
    let of = |actor: &str| {
        let mut events = service.events("health");
        events.retain(|event| event["actor"] == actor);
        events
    };
    let beats = |actor: &str| {
        let after_sync = |event: &&serde_json::Value| event["was"].is_null() && event["runs"] != 0;
        of(actor).iter().filter(after_sync).count()
    };
    for actor in &actors {
        until(&format!("two beats of {actor}"), || {
            (beats(actor) >= 2).then_some(())
        });
    }
    for event in service.events("health") {
        for field in FIELDS {
            assert!(!event[field].is_null(), "{field} is missing: {event}");
        }
    }

    let integration = of(&actors[2]);
    let changes: Vec<_> = integration
        .iter()
        .filter(|event| !event["was"].is_null())
        .map(|event| format!("{}-{}", event["was"], event["state"]).replace('"', ""))
        .collect();
    assert_eq!(changes, ["idle-syncing", "syncing-idle"]);
    let last = integration.last().unwrap();
    assert_eq!(
        (&last["tenant.id"], &last["carrier"]),
        (&"acme".into(), &"hologram".into())
    );
    assert_eq!(
        (&last["last_outcome"], &last["devices"]),
        (&"success".into(), &30.into())
    );
    assert!(last["last_success_age_s"].is_number(), "{last}");
    assert_eq!(last["calls_made"], place.simulator.calls().total);
    let flaps = of("writer")
        .iter()
        .filter(|event| !event["was"].is_null())
        .count();
    assert_eq!(flaps, 0, "a flush is no change of state");

    service.signal("TERM");
    service.exits(0);
    let drained = service.events("health");
    for actor in &actors {
        let draining =
            |event: &&serde_json::Value| event["actor"] == **actor && event["state"] == "draining";
        assert!(
            drained.iter().any(|event| draining(&event)),
            "{actor} drains"
        );
    }
    let syncs = service.events("sync");
    assert_eq!(
        syncs
            .iter()
            .filter(|event| event["message"] == "sync ended")
            .count(),
        1
    );
}
