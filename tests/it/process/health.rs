//! The health log: every actor as one structured event, on a beat and at each change of state.

use carrier_sync::simulator::{Fault, SimulatedAccount, SimulatorConfig};

use super::{Place, until};

/// Fields that every event has.
const FIELDS: [&str; 13] = [
    "actor",
    "state",
    "devices",
    "synced",
    "runs",
    "restarts",
    "in_flight",
    "queue_depth",
    "start_late_ms",
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
    let mut syncs = service.events("sync");
    syncs.retain(|event| event["message"] == "sync ended");
    assert_eq!(syncs.len(), 1);
    assert!(syncs[0]["start_late_ms"].is_u64(), "{}", syncs[0]);
}

#[test]
fn many_integrations_are_told_in_one_event_and_trouble_one_by_one() {
    let accounts = (1..=4).map(|n| SimulatedAccount::numbered(n, 3));
    let place = Place::new(SimulatorConfig {
        accounts: accounts.collect(),
        ..SimulatorConfig::default()
    })
    .with("HEALTH__INTERVAL", "200ms")
    .with("HEALTH__MAX_INTEGRATIONS", "3");
    let ids: Vec<_> = (1001..=1004).map(|org| place.link_account(org)).collect();
    place.simulator.inject(Fault::status(401).for_org(1004));
    let mut service = place.start(&["run", "--log-format", "json"]);
    let sums = || {
        let mut events = service.events("health");
        events.retain(|event| event["actor"] == "integrations");
        events
    };
    let sum = until("all have synced", || {
        sums().into_iter().find(|sum| sum["never_ended"] == 0)
    });
    let counted = [
        ("integrations", 4),
        ("idle", 3),
        ("needs_credentials", 1),
        ("syncing", 0),
        ("ended_success", 3),
        ("ended_error", 1),
        ("never_succeeded", 1),
        ("runs", 4),
    ];
    for (field, count) in counted {
        assert_eq!(sum[field], count, "{field}: {sum}");
    }
    assert!(sum["last_success_age_s"].is_u64() && sum["start_late_ms"].is_u64());
    let sick = format!("integration/{}", ids[3]);
    until("trouble is told on the beat", || {
        let mut events = service.events("health");
        events.retain(|event| event["actor"] == sick && event["was"].is_null());
        (!events.is_empty()).then_some(())
    });
    service.signal("TERM");
    service.exits(0);
    let told: std::collections::BTreeSet<_> = service
        .events("health")
        .iter()
        .filter_map(|event| event["actor"].as_str().map(str::to_owned))
        .collect();
    let expected = ["integrations", &sick, "supervisor", "writer"].map(str::to_owned);
    assert_eq!(told, expected.into(), "the well are not told one by one");
}
