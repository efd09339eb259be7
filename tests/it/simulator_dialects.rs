//! The simulated 1NCE and emnify over real HTTP, without the service: what a caller reads by the
//! carriers' documentation is what the simulator says is true, and what they refuse is refused in their words.
//! Cisco is in `simulator_dialect_cisco.rs`, everyone's limits are in `simulator_dialect_limits.rs`.

use std::time::Duration;

use carrier_sync::simulator::dialects::{
    Dialect, DialectConfig, DialectFault, DialectTruth, Limit,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::dialect_caller::{Caller, config, read, text, two_accounts};

async fn rows(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Page, rows per page, pages and rows in all, as the headers count them.
fn counts(response: &Response) -> [usize; 4] {
    [
        "X-Current-Page",
        "X-Count-Per-Page",
        "X-Total-Pages",
        "X-Total-Count",
    ]
    .map(|name| response.headers()[name].to_str().unwrap().parse().unwrap())
}

/// Megabytes of 1,024 KB in bytes, from the digits that were sent.
fn bytes(megabytes: &Value) -> i64 {
    let exact = megabytes.as_f64().unwrap() * 1_048_576.0;
    assert_eq!(exact.fract(), 0.0, "{megabytes}");
    exact as i64
}

/// By the word that 1NCE and emnify share.
fn network(word: &str) -> &'static str {
    match word {
        "ONLINE" => "connected",
        "ATTACHED" | "OFFLINE" => "disconnected",
        "BLOCKED" => "suspended",
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn onence_sells_a_token_for_right_credentials_and_refuses_wrong_ones_with_400() {
    let caller = Caller::of(config(Dialect::OneNce, 3));
    for (key, secret) in [("simulated-client-1", "x"), ("x", "simulated-secret-1")] {
        let (status, answer) = read(caller.purchase(key, Some(secret))).await;
        let refusal = json!({
            "statusCode": 400, "errorCode": "BadCredentials", "message": "User does not exist.",
        });
        assert_eq!((status, answer), (400, refusal));
    }
    let without_grant = caller.purchase("simulated-client-1", Some("simulated-secret-1"));
    let (status, answer) = read(without_grant.body("{}")).await;
    assert_eq!(
        (status, text(&answer, "/errorCode")),
        (400, Some("BodyValidationError"))
    );
    let refused = read(caller.get("v2/sims", "no-token")).await;
    assert_eq!(refused, (401, Value::Null));
    let token = caller.token(0).await;
    assert_eq!(read(caller.get("v2/sims", &token)).await.0, 200);
    caller.simulator.revoke_tokens();
    assert_eq!(read(caller.get("v2/sims", &token)).await.0, 401);
}

#[tokio::test]
async fn onence_pages_by_ten_unless_asked_and_by_a_hundred_at_most() {
    let caller = Caller::of(config(Dialect::OneNce, 123));
    let token = caller.token(0).await;
    let ask = async |query: &str| {
        let request = caller.get(&format!("v2/sims{query}"), &token);
        request.send().await.unwrap()
    };
    let usual = ask("").await;
    assert_eq!(counts(&usual), [1, 10, 13, 123]);
    assert_eq!(rows(usual).await.len(), 10);
    let last = ask("?page=2&pageSize=100").await;
    assert_eq!(counts(&last), [2, 100, 2, 123]);
    assert_eq!(rows(last).await.len(), 23);
    let beyond = [
        "?page=3&pageSize=100".to_owned(),
        format!("?page={}&pageSize=100", usize::MAX),
    ];
    for query in beyond {
        assert!(rows(ask(&query).await).await.is_empty(), "{query}");
    }
    for query in ["?pageSize=101", "?pageSize=0", "?page=0"] {
        assert_eq!(ask(query).await.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn onence_answers_of_every_sim_are_its_truth() {
    let caller = Caller::of(config(Dialect::OneNce, 60));
    let token = caller.token(0).await;
    let listed = rows(
        caller
            .get("v2/sims?pageSize=100", &token)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(listed.len(), 60);
    let mut statuses = std::collections::BTreeSet::new();
    for row in listed {
        let name = text(&row, "/iccid").unwrap();
        assert!(text(&row, "/iccid_with_luhn").unwrap().starts_with(name));
        let ask = async |path: &str| {
            read(caller.get(&format!("v2/sims/{name}{path}"), &token))
                .await
                .1
        };
        assert_eq!(ask("").await, row);
        let (quota, status) = (ask("/quota/data").await, ask("/status").await);
        let total = 1_048_576 * quota["accumulated_total_volume"].as_i64().unwrap();
        let utc = |key: &str| quota[key].as_str().unwrap().parse().unwrap();
        let has_expired = text(&quota, "/status/description") == Some("EXPIRED");
        let sim_status = match (text(&row, "/status"), row.get("activation_date")) {
            _ if has_expired => "deactivated",
            (Some("Disabled"), _) => "suspended",
            (Some("Enabled"), None) => "ready",
            (Some("Enabled"), Some(_)) => "active",
            other => panic!("{other:?}"),
        };
        statuses.insert(sim_status);
        let read = DialectTruth {
            carrier_device_id: name.to_owned(),
            iccid: name.to_owned(),
            used_bytes: (total - bytes(&quota["volume"])).try_into().unwrap(),
            cycle_start: utc("created_at"),
            cycle_end: utc("expiry_date"),
            sim_status,
            network_status: network(text(&status, "/status/description").unwrap()),
        };
        assert_eq!(read, caller.truth(name));
    }
    assert_eq!(statuses.len(), 4, "every status occurs: {statuses:?}");
}

#[tokio::test]
async fn onence_rows_that_change_places_repeat_and_are_missed_while_the_count_stays() {
    let caller = Caller::of(DialectConfig {
        shuffles: true,
        ..config(Dialect::OneNce, 350)
    });
    let token = caller.token(0).await;
    let mut names = Vec::new();
    for page in 1..=4 {
        let request = caller.get(&format!("v2/sims?pageSize=100&page={page}"), &token);
        let page = rows(request.send().await.unwrap()).await;
        names.extend(
            page.iter()
                .map(|row| text(row, "/iccid").unwrap().to_owned()),
        );
    }
    assert_eq!(names.len(), 350);
    let different: std::collections::HashSet<_> = names.into_iter().collect();
    assert_eq!(different.len(), 347, "one at each turn of a page");
}

#[tokio::test]
async fn emnify_sells_a_token_that_tells_its_own_end() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let lifetime = Duration::from_secs(600);
    let caller = Caller::of(DialectConfig {
        token_lifetime: lifetime,
        ..config(Dialect::Emnify, 3)
    });
    let refused = read(caller.purchase("nobody", None)).await;
    assert_eq!(refused, (401, Value::Null));
    let token = caller.token(0).await;
    let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}");
    };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let left_s = claims["exp"].as_i64().unwrap() - chrono::Utc::now().timestamp();
    assert!((540..=600).contains(&left_s), "{left_s} s");
    assert_eq!(read(caller.get("api/v1/endpoint", &token)).await.0, 200);
    assert_eq!(read(caller.get("api/v1/endpoint", "old")).await.0, 401);
}

#[tokio::test]
async fn emnify_cuts_large_pages_and_repeats_the_last_for_ever() {
    let caller = Caller::of(config(Dialect::Emnify, 1_010));
    let token = caller.token(0).await;
    let ask = async |query: &str| {
        let request = caller.get(&format!("api/v1/{query}"), &token);
        request.send().await.unwrap()
    };
    let cut = ask("endpoint?per_page=5000").await;
    assert_eq!(counts(&cut), [1, 1_000, 2, 1_010]);
    assert_eq!(rows(cut).await.len(), 1_000);
    let last = rows(ask("endpoint?page=2").await).await;
    assert_eq!(last.len(), 10);
    let beyond = ask("endpoint?page=99").await;
    assert_eq!(counts(&beyond), [2, 1_000, 2, 1_010]);
    assert_eq!(rows(beyond).await, last);
    assert_eq!(rows(ask("sim").await).await.len(), 1_010);
}

#[tokio::test]
async fn emnify_s_answers_of_every_endpoint_are_its_truth() {
    let caller = Caller::of(config(Dialect::Emnify, 60));
    let token = caller.token(0).await;
    let listed = rows(caller.get("api/v1/endpoint", &token).send().await.unwrap()).await;
    assert_eq!(listed.len(), 60);
    let mut silent = 0;
    for row in listed {
        let name = row["id"].to_string();
        let ask = async |path: &str| {
            let path = format!("api/v1/endpoint/{name}{path}");
            read(caller.get(&path, &token)).await.1
        };
        let mut alone = ask("").await;
        alone["sim"]["iccid_with_luhn"] = row["sim"]["iccid_with_luhn"].clone();
        assert_eq!(alone, row);
        let (stats, status) = (ask("/stats").await, ask("/connectivity").await);
        let used = stats.pointer("/current_month/data/volume").map_or(0, bytes);
        silent += usize::from(stats.get("current_month").is_none());
        let states = [&row["sim"]["status"]["id"], &row["status"]["id"]];
        let sim_status = match states.map(|id| id.as_u64().unwrap()) {
            [3, _] | [_, 2] => "deactivated",
            [2, _] | [1, 1] => "suspended",
            [1, _] => "active",
            [0 | 4, _] => "ready",
            other => panic!("{other:?}"),
        };
        let read = DialectTruth {
            carrier_device_id: name.clone(),
            iccid: text(&row, "/sim/iccid").unwrap().to_owned(),
            used_bytes: used.try_into().unwrap(),
            cycle_start: "2026-11-01T00:00:00Z".parse().unwrap(),
            cycle_end: "2026-12-01T00:00:00Z".parse().unwrap(),
            sim_status,
            network_status: network(text(&status, "/status/description").unwrap()),
        };
        assert_eq!(read, caller.truth(&name));
    }
    assert!(
        silent > 0,
        "a month without traffic is a key that is missing"
    );
}

#[tokio::test]
async fn a_token_opens_its_own_account_until_it_ends() {
    for (dialect, path) in [
        (Dialect::OneNce, "v2/sims/"),
        (Dialect::Emnify, "api/v1/endpoint/"),
    ] {
        let usual = Limit::of(1_000, Duration::from_secs(1));
        let caller = Caller::of(two_accounts(dialect, usual));
        let name = |account| caller.simulator.truth(account)[0].carrier_device_id.clone();
        let (own, other) = (format!("{path}{}", name(0)), format!("{path}{}", name(1)));
        let token = caller.token(0).await;
        assert_eq!(read(caller.get(&own, &token)).await.0, 200, "{dialect:?}");
        assert_eq!(read(caller.get(&other, &token)).await.0, 404, "{dialect:?}");
        let ended = Caller::of(DialectConfig {
            token_lifetime: Duration::ZERO,
            ..two_accounts(dialect, usual)
        });
        let token = ended.token(0).await;
        assert_eq!(read(ended.get(&own, &token)).await.0, 401, "{dialect:?}");
    }
}

#[tokio::test]
async fn a_fault_strikes_as_many_calls_of_its_endpoint_as_it_says() {
    let caller = Caller::of(config(Dialect::OneNce, 5));
    let token = caller.token(0).await;
    caller.simulator.inject(DialectFault {
        endpoint: "v2/sims".to_owned(),
        status: 503,
        calls: 2,
    });
    let name = caller.simulator.truth(0)[0].carrier_device_id.clone();
    let single = format!("v2/sims/{name}");
    assert_eq!(read(caller.get(&single, &token)).await.0, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(read(caller.get("v2/sims", &token)).await.0);
    }
    assert_eq!(statuses, [503, 503, 200]);
    caller.simulator.reset_calls();
    assert_eq!(caller.simulator.calls(), Default::default());
}

#[tokio::test]
async fn the_list_to_import_names_every_sim_of_an_account() {
    let usual = Limit::of(1_000, Duration::from_secs(1));
    let caller = Caller::of(two_accounts(Dialect::Emnify, usual));
    let address = caller.simulator.address();
    let list = format!("http://{address}/sim/devices.csv?account=2");
    let response = caller.http.get(list).send().await.unwrap();
    let csv = String::from_utf8(response.bytes().await.unwrap().to_vec()).unwrap();
    let named = csv
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap().1);
    let truth = caller.simulator.truth(1);
    let names = truth.iter().map(|truth| truth.carrier_device_id.as_str());
    assert!(named.eq(names), "{csv}");
    let unknown = format!("http://{address}/sim/devices.csv?account=3");
    let response = caller.http.get(unknown).send().await.unwrap();
    assert_eq!(response.status(), 404);
}
