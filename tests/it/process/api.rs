//! `/api/v1` of the real program: what it tells, how it refuses, and what it does when it is asked to.

use carrier_sync::device::{IntegrationId, TenantId};
use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};
use carrier_sync::store::{IntegrationChange, NewIntegration};
use serde_json::{Value, json};

use super::served::Served;
use super::{Place, until};

pub(super) const TOKEN: &str = "canary-token-77e1c0";
/// A tenant whose name is a trap for whoever does not escape it.
const TENANT: &str = "<script>alert('x')</script>";
/// An integration whose name is a trap in addresses.
const ID: &str = "a/b c?d=é&<i>";

pub(super) fn place() -> Place {
    let config = SimulatorConfig {
        accounts: vec![
            SimulatedAccount::numbered(1, 30),
            SimulatedAccount::numbered(2, 5),
        ],
        ..SimulatorConfig::default()
    };
    Place::new(config)
        .with("STATUS__LISTEN", "127.0.0.1:0")
        .with("STATUS__TOKEN", TOKEN)
}

/// An integration with the key that is given, and no device.
fn add(place: &Place, (tenant, id): (&str, &str), fields: IntegrationChange) {
    let new = NewIntegration {
        id: Some(IntegrationId::parse(id).unwrap()),
        tenant_id: TenantId::parse(tenant).unwrap(),
        carrier_name: "hologram".to_owned(),
        fields: IntegrationChange {
            api_base_url: Some(place.simulator.base_url()),
            account_id: Some("1002".to_owned()),
            ..fields
        },
    };
    place.ask(async |app| app.store.add_integration(&new).await.unwrap());
}

fn with_key(key: &str) -> IntegrationChange {
    IntegrationChange {
        api_key: Some(key.to_owned().into()),
        display_name: Some(format!("Name of {}", &key[..3])),
        ..IntegrationChange::default()
    }
}

/// As a step of a path.
fn step(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Three accounts: one that works, one with a wrong key, one that is paused.
pub(super) fn fleet(place: &Place) -> String {
    let id = place.link();
    let canary = with_key("canary-key-91d");
    add(place, (TENANT, ID), canary);
    let link = carrier_sync::store::DeviceLink {
        device_id: carrier_sync::device::DeviceId::parse("pump <7>").unwrap(),
        carrier_device_id: carrier_sync::device::CarrierDeviceId::parse("x").unwrap(),
        sim_iccid: None,
    };
    let owner = IntegrationId::parse(ID).unwrap();
    place.ask(async |app| app.store.link_devices(&owner, &[link]).await.unwrap());
    let paused = IntegrationChange {
        sync_enabled: Some(false),
        ..with_key("off-key")
    };
    add(place, ("acme", "off"), paused);
    id
}

/// Waits until the integrations are as `is`.
#[track_caller]
pub(super) fn wait_for(served: &Served, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(path, || {
        let answer = served.get(path).json();
        is(&answer).then_some(answer)
    })
}

#[test]
fn the_fleet_is_told_in_pages_filtered_and_in_sum() {
    let place = place();
    let id = fleet(&place);
    let served = Served::by(&place);
    wait_for(&served, "/api/v1/totals", |totals| {
        totals["by_attention"]["broken"] == 1
            && totals["by_outcome"]["success"] == 1
            && totals["devices"]["fresh"] == 30
    });
    let totals = served.get("/api/v1/totals").json();
    assert_eq!(totals["integrations"], 3);
    assert_eq!(
        totals["devices"],
        json!({ "linked": 31, "fresh": 30, "stale": 0, "never": 1 })
    );
    let ids = |query: &str| -> Vec<String> {
        let list = served.get(&format!("/api/v1/integrations{query}")).json();
        let ids = list["integrations"].as_array().unwrap().iter();
        ids.map(|it| it["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let escaped = step(TENANT);
    for (query, found) in [
        (&*format!("?tenant={escaped}"), vec![ID]),
        ("?state=paused", vec!["off"]),
        ("?state=needs_credentials&outcome=error", vec![ID]),
        ("?attention=well", vec![&*id]),
        ("?carrier=1nce", vec![]),
        ("?q=name+of", vec![ID, "off"]),
    ] {
        assert_eq!(ids(query), found, "{query}");
    }
    assert_eq!(ids("?sort=attention"), [ID, &id, "off"]);
    // One by one, by what each page says of the next.
    let (mut path, mut seen) = ("/api/v1/integrations?limit=1".to_owned(), Vec::new());
    loop {
        let page = served.get(&path).json();
        assert_eq!(page["found"], 3);
        seen.push(page["integrations"][0]["id"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/integrations?limit=1&cursor={next}");
    }
    let mut all = vec![ID.to_owned(), id, "off".to_owned()];
    all.sort();
    assert_eq!(seen, all);
}

#[test]
fn one_integration_is_told_with_its_runs_and_devices_and_no_secret() {
    let place = place();
    let id = fleet(&place);
    let served = Served::by(&place);
    let broken = format!("/api/v1/integrations/{}", step(ID));
    let told = wait_for(&served, &broken, |told| {
        told["runs"][0]["failed"] == 1 && told["integration"]["state"] == "needs_credentials"
    });
    assert_eq!(told["integration"]["tenant_id"], TENANT);
    let failure = &told["runs"][0]["failures"][0];
    assert_eq!(failure["device_id"], "pump <7>");
    let reason = failure["reason"].as_str().unwrap();
    assert!(reason.contains("401"), "{reason}");
    let advice = told["integration"]["advice"].as_str().unwrap();
    assert!(
        advice.contains(&format!("set '{ID}' --new-api-key")),
        "{advice}"
    );
    let path = format!("/api/v1/integrations/{id}");
    let told = wait_for(&served, &path, |told| {
        told["runs"][0]["synced"] == 30 && told["integration"]["state"] == "idle"
    });
    assert_eq!(told["integration"]["last_outcome"], "success");
    assert_eq!(told["integration"]["calls"]["permits_per_call"], 1);
    let next_sync = told["integration"]["next_sync_at"].as_str().unwrap();
    assert!(next_sync > told["taken_at"].as_str().unwrap(), "{told}");

    let devices = |query: &str| served.get(&format!("{path}/devices{query}")).json();
    let first = devices("?limit=20");
    assert_eq!(first["devices"].as_array().unwrap().len(), 20);
    let cursor = first["next"].as_str().unwrap();
    let second = devices(&format!("?limit=20&cursor={cursor}"));
    assert_eq!(second["devices"].as_array().unwrap().len(), 10);
    assert_eq!(second["next"], Value::Null);
    let device = &second["devices"][9];
    assert_eq!(device["freshness"], "fresh");
    let name = device["device_id"].as_str().unwrap();
    let iccid = device["sim_iccid"].as_str().unwrap();
    for search in [&name[name.len() - 4..], &iccid[4..]] {
        let found = devices(&format!("?q={search}"));
        assert_eq!(found["devices"][0]["device_id"], name, "{search}");
        assert_eq!(found["devices"].as_array().unwrap().len(), 1, "{search}");
    }
    assert_eq!(devices("?freshness=never")["devices"], json!([]));
    let runs = served.get(&format!("{path}/runs?limit=1")).json();
    assert_eq!(runs["runs"][0]["devices"], 30);
    assert_eq!(served.get("/api/v1/integrations/nobody").status, 404);

    for path in ["/api/v1/integrations", &path, &broken, "/", "/metrics"] {
        let body = served.get(path).body;
        for secret in ["canary-key-91d", "simulated-key-1001", TOKEN] {
            assert!(!body.contains(secret), "{path} tells {secret}");
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_with_what_is() {
    let place = place();
    let id = place.link();
    let served = Served::by(&place);
    wait_for(&served, "/api/v1/totals", |totals| {
        totals["integrations"] == 1
    });
    for (path, parts) in [
        (
            "?staet=idle",
            &["no parameter staet", "tenant, carrier, state"][..],
        ),
        ("?state=ill", &["state=ill", "idle, syncing"]),
        ("?outcome=good", &["outcome=good", "success, partial"]),
        ("?attention=1", &["attention=1", "broken, failing"]),
        ("?sort=name", &["sort=name", "id, attention"]),
        ("?limit=1001", &["limit=1001", "from 1 to 1000"]),
        ("?limit=-1", &["limit=-1", "from 1 to 1000"]),
        ("?cursor=%00", &["cursor=\\0", "control characters"]),
        ("?q=a%00b", &["q=a\\0b", "control characters"]),
        ("?cursor=bm9uZQ", &["cursor=bm9uZQ", "next"]),
        ("?q=a&q=b", &["q=b", "once"]),
        (&*format!("/{id}?q=a"), &["no parameter q", "none"]),
        (
            &*format!("/{id}/devices?freshness=old"),
            &["freshness=old", "fresh, stale, never"],
        ),
        (&*format!("/{id}/devices?cursor=_"), &["cursor=_", "next"]),
        (
            &*format!("/{id}/runs?cursor=MTIz_"),
            &["cursor=MTIz_", "next"],
        ),
    ] {
        let answer = served.get(&format!("/api/v1/integrations{path}"));
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let told = answer.json();
        for part in parts {
            assert!(
                told["error"].as_str().unwrap().contains(part),
                "{path}: {told}"
            );
        }
        assert!(
            told["parameter"].is_string() && told["allowed"].is_string(),
            "{told}"
        );
    }
    let page = served.ask("GET", "/?state=ill", "Accept: text/html\r\n");
    assert_eq!(page.status, 400);
    assert!(
        page.body.contains("state=ill is not understood"),
        "{page:?}"
    );
}

#[test]
fn only_the_token_syncs_pauses_and_resumes() {
    let place = place();
    let id = place.link();
    let served = Served::by(&place);
    let path = format!("/api/v1/integrations/{id}");
    let runs = |number: usize| {
        wait_for(&served, &path, |told| {
            told["runs"]
                .as_array()
                .is_some_and(|runs| runs.len() == number)
                && told["integration"]["state"] != "syncing"
        })
    };
    runs(1);
    for action in ["sync", "pause", "resume"] {
        let action = format!("{path}/{action}");
        assert_eq!(served.post(&action, None).status, 401);
        assert_eq!(
            served.post(&action, Some("canary-token-77e1c1")).status,
            401
        );
        let read = served.get(&action);
        assert_eq!(read.status, 405, "{read:?}");
        assert!(read.head.contains("allow: post"), "{read:?}");
    }
    let post = |action: &str| served.post(&format!("{path}/{action}"), Some(TOKEN));
    let asked = post("sync");
    assert_eq!(
        (asked.status, &asked.json()["answer"]),
        (202, &json!("begun"))
    );
    runs(2);
    assert_eq!(post("pause").json(), json!({ "sync_enabled": false }));
    wait_for(&served, &path, |told| {
        told["integration"]["state"] == "paused"
    });
    let refused = post("sync");
    assert_eq!(refused.status, 409);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("resume it first")
    );
    assert_eq!(post("resume").json(), json!({ "sync_enabled": true }));
    wait_for(&served, &path, |told| {
        told["integration"]["state"] == "idle"
    });
    assert_eq!(post("sync").status, 202);
    runs(3);
    add(&place, ("acme", "mute"), IntegrationChange::default());
    let mute = "/api/v1/integrations/mute";
    wait_for(&served, mute, |told| {
        told["integration"]["state"] == "parked"
    });
    let refused = served.post(&format!("{mute}/sync"), Some(TOKEN));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("api_key"), "{refused:?}");
    let unknown = "/api/v1/integrations/nobody";
    for action in ["sync", "pause", "resume"] {
        let answer = served.post(&format!("{unknown}/{action}"), Some(TOKEN));
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

#[test]
fn however_its_path_is_written_an_action_wants_the_token() {
    for set in [TOKEN, ""] {
        let place = place().with("STATUS__TOKEN", set);
        let id = place.link();
        let served = Served::by(&place);
        let path = format!("/api/v1/integrations/{id}");
        wait_for(&served, &path, |told| {
            told["integration"]["state"] == "idle"
        });
        for action in [
            format!("{path}/%70ause"),
            format!("{path}/paus%65"),
            format!("/integrations/{id}/%70ause"),
            format!("/integrations/{id}/pause?x=/y"),
            format!("/api/v1/integrations/{}/pause", step(&id)),
            format!("/%69ntegrations/{id}/%70ause"),
        ] {
            let answer = served.post(&action, None);
            assert!([401, 403].contains(&answer.status), "{action}: {answer:?}");
        }
        let rows = place.ask(async |app| app.store.integrations().await.unwrap());
        assert!(rows[0].sync_enabled, "nothing was done");
        let guess = served.ask(
            "POST",
            "/%6Cogin",
            "Origin: https://evil.example\r\nContent-Length: 0\r\n",
        );
        assert_eq!(guess.status, 403, "{guess:?}");
    }
}

#[test]
fn without_a_token_nothing_can_be_changed() {
    let place = place().with("STATUS__TOKEN", "");
    let id = place.link();
    let served = Served::by(&place);
    for token in [None, Some(""), Some("guess")] {
        let answer = served.post(&format!("/api/v1/integrations/{id}/pause"), token);
        assert!([401, 403].contains(&answer.status), "{answer:?}");
    }
    let answer = served.post(&format!("/api/v1/integrations/{id}/pause"), None);
    assert!(answer.body.contains("set status.token"), "{answer:?}");
}
