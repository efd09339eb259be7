//! The simulated Cisco over real HTTP, without the service: what a caller reads by the carrier's documentation is
//! what the simulator says is true.

use carrier_sync::simulator::dialects::{Dialect, DialectConfig, DialectTruth};
use serde_json::{Value, json};

use crate::dialect_caller::{Caller, DEVICES, config, read, text};

#[tokio::test]
async fn cisco_wants_credentials_and_a_time_that_it_can_read() {
    let caller = Caller::of(config(Dialect::Cisco, 3));
    let stranger = caller.http.get(caller.url(DEVICES));
    let (status, answer) = read(stranger.basic_auth("user", Some("key"))).await;
    assert_eq!((status, &answer["errorCode"]), (401, &json!("10000001")));
    assert!(answer["errorMessage"].is_string());
    // The `+` that is not encoded is a blank when it arrives.
    for path in [
        "devices",
        "devices?modifiedSince=2016",
        "devices?modifiedSince=2016-04-18T17:31:34+00:00",
        "usages",
        "usages?ratePlanName=Fleet+++1",
    ] {
        let (status, answer) = read(caller.ask_cisco(path)).await;
        assert_eq!(status, 400, "{path}: {answer}");
    }
    let encoded = "devices?modifiedSince=2016-04-18T17:31:34%2B00:00";
    assert_eq!(read(caller.ask_cisco(encoded)).await.0, 200);
    let later = "devices?modifiedSince=2026-11-23T12:00:01Z";
    let (_, answer) = read(caller.ask_cisco(later)).await;
    assert_eq!(
        (&answer["devices"], &answer["lastPage"]),
        (&json!([]), &json!(true))
    );
}

/// Every row of a listing: pages of 50 at most, whatever is asked for, until the last.
async fn walk(caller: &Caller, path: &str, key: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 1.. {
        let path = format!("{path}&pageSize=1000&pageNumber={number}");
        let (status, page) = read(caller.ask_cisco(&path)).await;
        assert_eq!(
            (status, &page["pageNumber"]),
            (200, &json!(number)),
            "{page}"
        );
        let rows = page[key].as_array().unwrap();
        assert!(rows.len() <= 50);
        all.extend(rows.iter().cloned());
        if page["lastPage"] == true {
            break;
        }
        assert_eq!(rows.len(), 50);
    }
    all
}

#[tokio::test]
async fn cisco_s_answers_of_every_device_are_its_truth() {
    let caller = Caller::of(config(Dialect::Cisco, 150));
    let listed = walk(&caller, DEVICES, "devices").await;
    assert_eq!(listed.len(), 150);
    let mut usages = Vec::new();
    for plan in ["Fleet%20%2B%201", "Spare"] {
        let path = format!("usages?ratePlanName={plan}&usageType=DATA");
        usages.extend(walk(&caller, &path, "usages").await);
        for other in ["usageType=SMS", "cycleStartDate=2026-10-10Z"] {
            let path = format!("usages?ratePlanName={plan}&{other}");
            assert!(walk(&caller, &path, "usages").await.is_empty(), "{path}");
        }
    }
    assert_eq!(usages.len(), 150);
    for row in listed {
        let name = text(&row, "/iccid").unwrap();
        let ask = async |path: &str| {
            let path = format!("devices/{name}{path}");
            read(caller.ask_cisco(&path)).await.1
        };
        let usage = usages.iter().find(|usage| usage["iccid"] == name).unwrap();
        let (details, to_date) = (ask("").await, ask("/ctdUsages").await);
        assert_eq!(details["status"], row["status"]);
        assert_eq!(details["ratePlan"], row["ratePlan"]);
        assert_eq!(to_date["ctdDataUsage"], usage["dataUsage"]);
        assert_eq!(usage["cycleStartDate"], "2026-11-10Z");
        let session = ask("/sessionInfo").await;
        let dates = ["dateSessionStarted", "dateSessionEnded"].map(|key| session[key].is_string());
        let read = DialectTruth {
            carrier_device_id: name.to_owned(),
            iccid: name.to_owned(),
            used_bytes: usage["dataUsage"].as_u64().unwrap(),
            cycle_start: "2026-11-10T00:00:00Z".parse().unwrap(),
            cycle_end: "2026-12-10T00:00:00Z".parse().unwrap(),
            sim_status: match text(&row, "/status").unwrap() {
                "ACTIVATED" => "active",
                "ACTIVATION_READY" | "TEST_READY" | "INVENTORY" => "ready",
                "DEACTIVATED" => "suspended",
                "RETIRED" | "PURGED" | "REPLACED" => "deactivated",
                other => panic!("{other}"),
            },
            network_status: match dates {
                _ if row["status"] == "DEACTIVATED" => "suspended",
                [_, true] => "disconnected",
                [true, false] => "connected",
                [false, false] => "unknown",
            },
        };
        assert_eq!(read, caller.truth(name));
    }
}

#[tokio::test]
async fn cisco_tells_no_usage_of_a_shared_plan_and_parts_of_a_device_that_has_changed_its_plan() {
    let caller = Caller::of(DialectConfig {
        has_odd_plans: true,
        ..config(Dialect::Cisco, 150)
    });
    let listed = walk(&caller, DEVICES, "devices").await;
    let shared = listed.iter().filter(|row| row["ratePlan"] == "Shared");
    assert_eq!(shared.count(), 3);
    let refused = read(caller.ask_cisco("usages?ratePlanName=Shared")).await;
    assert_eq!(refused.0, 400, "{refused:?}");
    let [before, now] = [
        "usages?ratePlanName=Fleet%20%2B%201",
        "usages?ratePlanName=Spare",
    ];
    let before = walk(&caller, before, "usages").await;
    let (mut moved, now) = (0, walk(&caller, now, "usages").await);
    for row in now {
        let Some(former) = before.iter().find(|former| former["iccid"] == row["iccid"]) else {
            continue;
        };
        moved += 1;
        let bytes = [former, &row].map(|row| row["dataUsage"].as_u64().unwrap());
        let truth = caller.truth(text(&row, "/iccid").unwrap());
        assert_eq!(bytes[0] + bytes[1], truth.used_bytes);
    }
    assert_eq!(moved, 3);
}
