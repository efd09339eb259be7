//! The simulator over real HTTP: what a caller reads page by page is what the simulator says is true.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::TcpListener,
    time::Duration,
};

use carrier_sync::simulator::{
    Billing, Endpoint, Fault, FaultKind, Latency, SimulatedAccount, Simulator, SimulatorConfig,
    Truth,
};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

const ORG: u64 = 1_001;
const KEY: &str = "simulated-key-1001";

fn config(devices: u64) -> SimulatorConfig {
    SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, devices)],
        now: Some("2026-11-23T12:00:00Z".parse().unwrap()),
        multi_link_percent: 20.0,
        ..SimulatorConfig::default()
    }
}

fn start(config: SimulatorConfig) -> Simulator {
    Simulator::start(config, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap()
}

fn http() -> reqwest::Client {
    // The client wants a provider even for plain http; another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

struct Caller {
    http: reqwest::Client,
    base_url: String,
    key: String,
}

impl Caller {
    fn of(simulator: &Simulator) -> Self {
        Self {
            http: http(),
            base_url: simulator.base_url(),
            key: KEY.to_owned(),
        }
    }

    fn with_key(self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self
        }
    }

    async fn send(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.base_url));
        request
            .basic_auth("apikey", Some(&self.key))
            .send()
            .await
            .unwrap()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.send(path).await;
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
        )
    }

    /// Every row of a listing, by its own rule: until `continues` is not true.
    async fn walk(&self, path: &str, cursor: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut page = self.get(path).await.1;
        loop {
            assert_eq!(page["success"], true, "{page}");
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["continues"] != true {
                assert!(page["links"].get("next").is_none(), "{}", page["links"]);
                return rows;
            }
            let next = format!("{path}&{cursor}={}", page["lastid"]);
            assert_eq!(page["links"]["next"], format!("/api/1{next}"));
            page = self.get(&next).await.1;
        }
    }
}

fn utc(text: &Value) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text.as_str().unwrap(), "%Y-%m-%d %H:%M:%S")
        .unwrap()
        .and_utc()
}

fn quoted(value: &Value) -> u64 {
    value
        .as_str()
        .expect("a number in a string")
        .parse()
        .unwrap()
}

/// What the billing report says of each link.
#[derive(Debug, Default)]
struct LinkBilling {
    ends: BTreeMap<u64, DateTime<Utc>>,
    bytes: u64,
}

fn billing_by_link(rows: &[Value]) -> HashMap<u64, LinkBilling> {
    let mut links: HashMap<u64, LinkBilling> = HashMap::new();
    for row in rows {
        let link = links.entry(row["linkid"].as_u64().unwrap()).or_default();
        let back = quoted(&row["periods_back"]);
        assert!(
            link.ends
                .insert(back, utc(&row["cur_period_end"]))
                .is_none(),
            "row twice: {row}"
        );
        if back == 0 {
            link.bytes = row["bytes"].as_u64().unwrap();
        }
    }
    links
}

fn word(state: &str) -> &'static str {
    match state {
        "LIVE" => "active",
        "LIVE-PENDING" | "INACTIVE" => "ready",
        "PAUSED" | "PAUSED-USER" | "PAUSED-PENDING-USER" | "PAUSED-SYS" => "suspended",
        "DEAD" => "deactivated",
        _ => "unknown",
    }
}

/// A device's truth as a careful reader would work it out from documented answers alone.
fn observed(device: &Value, billing: &HashMap<u64, LinkBilling>) -> (String, u64, Vec<String>) {
    let links = device["links"]["cellular"].as_array().unwrap();
    let last = &device["lastsession"];
    let rank = ["deactivated", "unknown", "suspended", "ready", "active"];
    let primary = links
        .iter()
        .max_by_key(|link| {
            let status = word(link["state"].as_str().unwrap());
            let place = rank.iter().position(|word| *word == status);
            (
                place,
                last.get("linkid") == Some(&link["id"]),
                link["id"].as_u64(),
            )
        })
        .unwrap();
    let report = &billing[&primary["id"].as_u64().unwrap()];
    let end = report.ends[&0];
    assert_eq!(
        utc(&primary["whenexpires"]),
        end,
        "the examples agree with each other"
    );
    let derived = (end - TimeDelta::days(30)).max(utc(&primary["whenclaimed"]));
    let start = report.ends.get(&1).copied().unwrap_or(derived);
    let source = if report.ends.contains_key(&1) {
        "reported"
    } else {
        "derived"
    };
    let used = links
        .iter()
        .map(|link| billing[&link["id"].as_u64().unwrap()].bytes)
        .sum();
    let shown: u64 = links
        .iter()
        .map(|link| link["cur_billing_data_used"].as_u64().unwrap())
        .sum();
    assert_eq!(used, shown, "report and listing agree");
    let paused = primary["state"].as_str().unwrap().starts_with("PAUSED");
    let network = match last.get("active") {
        Some(Value::Bool(true)) => "connected",
        _ if paused => "suspended",
        Some(_) => "disconnected",
        None => "unknown",
    };
    let words = vec![
        word(primary["state"].as_str().unwrap()).to_owned(),
        network.to_owned(),
        start.to_rfc3339(),
        end.to_rfc3339(),
        source.to_owned(),
        primary["sim"].as_str().unwrap().to_owned(),
    ];
    (device["id"].to_string(), used, words)
}

fn expected(truth: &Truth) -> (String, u64, Vec<String>) {
    let words = vec![
        truth.sim_status.to_owned(),
        truth.network_status.to_owned(),
        truth.cycle_start.to_rfc3339(),
        truth.cycle_end.to_rfc3339(),
        truth.cycle_source.to_owned(),
        truth.iccid.clone(),
    ];
    (truth.carrier_device_id.clone(), truth.used_bytes, words)
}

#[tokio::test]
async fn walking_every_page_gives_exactly_the_truth() {
    for billing in [Billing::Prepaid, Billing::Invoiced] {
        for (devices, page) in [
            (0, 100),
            (1, 100),
            (99, 100),
            (100, 100),
            (101, 100),
            (257, 13),
        ] {
            let mut config = config(devices);
            config.accounts[0].billing = billing;
            let simulator = start(config);
            let caller = Caller::of(&simulator);
            let listed = caller
                .walk(&format!("/devices?orgid={ORG}&limit={page}"), "startafter")
                .await;
            let rows = caller
                .walk(
                    &format!("/usage/data/billing?orgid={ORG}&limit={page}"),
                    "startat",
                )
                .await;
            let by_link = billing_by_link(&rows);
            let seen: Vec<_> = listed
                .iter()
                .map(|device| observed(device, &by_link))
                .collect();
            let truth: Vec<_> = simulator.truth(ORG).iter().map(expected).collect();
            assert_eq!(truth.len() as u64, devices);
            assert_eq!(seen, truth, "{devices} devices in pages of {page}");
            let pages = devices.div_ceil(page).max(1);
            assert_eq!(simulator.calls().of(Endpoint::Devices), pages);
        }
    }
}

#[tokio::test]
async fn ten_thousand_devices_fit_the_documented_pages_and_the_call_budget() {
    for page in [1_000, 5_000] {
        let simulator = start(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, 10_000)],
            max_device_page: 5_000,
            ..SimulatorConfig::default()
        });
        let caller = Caller::of(&simulator);
        let path = format!("/devices?orgid={ORG}&limit={page}");
        assert_eq!(caller.walk(&path, "startafter").await.len(), 10_000);
        let path = format!("/usage/data/billing?orgid={ORG}&limit=5000&maxperiodsback=1");
        let rows = caller.walk(&path, "startat").await;
        assert!(rows.len() > 15_000, "two rows for most links");
        let budget = 2 * 10_000_u64.div_ceil(page) + 2;
        let calls = simulator.calls().total;
        assert!(
            calls <= budget,
            "{calls} calls of {budget} in pages of {page}"
        );
    }
}

#[tokio::test]
async fn sessions_inside_the_cycle_add_up_to_the_truth_and_all_sessions_do_not() {
    for billing in [Billing::Prepaid, Billing::Invoiced] {
        let mut config = SimulatorConfig {
            long_session_list_percent: 20.0,
            ..config(60)
        };
        config.accounts[0].billing = billing;
        let simulator = start(config);
        let caller = Caller::of(&simulator);
        let sum = |rows: &[Value]| {
            rows.iter()
                .map(|row| row["bytes"].as_u64().unwrap())
                .sum::<u64>()
        };
        let (mut beyond_a_page, mut beyond_the_cycle) = (0, 0);
        for truth in simulator.truth(ORG) {
            let path = format!(
                "/usage/data?orgid={ORG}&deviceid={}",
                truth.carrier_device_id
            );
            let (from, to) = (truth.cycle_start.timestamp(), truth.cycle_end.timestamp());
            let window = format!("{path}&timestart={from}&timeend={to}");
            let rows = caller.walk(&window, "startafter").await;
            assert_eq!(sum(&rows), truth.used_bytes, "{truth:?}");
            let ids: HashSet<u64> = rows.iter().map(|row| quoted(&row["record_id"])).collect();
            assert_eq!(ids.len(), rows.len(), "no session is listed twice");
            beyond_a_page += usize::from(rows.len() > 100);
            let all = caller.walk(&path, "startafter").await;
            beyond_the_cycle += usize::from(sum(&all) != truth.used_bytes);
        }
        assert!(
            beyond_a_page > 3,
            "{beyond_a_page} devices need a second page"
        );
        assert!(
            beyond_the_cycle > 30,
            "{beyond_the_cycle} devices would be summed wrongly"
        );
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_fleet_and_another_seed_another() {
    let path = format!("/devices?orgid={ORG}&limit=200");
    let fleet = async |seed| {
        let simulator = start(SimulatorConfig {
            seed,
            ..config(200)
        });
        (
            Caller::of(&simulator).get(&path).await.1["data"].clone(),
            simulator.truth(ORG),
        )
    };
    assert_eq!(fleet(7).await, fleet(7).await);
    assert_ne!(fleet(7).await, fleet(8).await);
}

#[tokio::test]
async fn without_a_limit_a_page_holds_a_hundred_rows_and_a_greater_limit_is_cut() {
    let simulator = start(SimulatorConfig {
        max_device_page: 150,
        ..config(400)
    });
    let caller = Caller::of(&simulator);
    let rows = async |path: String| caller.get(&path).await.1["data"].as_array().unwrap().len();
    assert_eq!(rows(format!("/devices?orgid={ORG}")).await, 100);
    assert_eq!(rows(format!("/devices?orgid={ORG}&limit=9000")).await, 150);
    assert_eq!(rows(format!("/usage/data/billing?orgid={ORG}")).await, 100);
    assert_eq!(
        rows(format!("/usage/data?orgid={ORG}&limit=9000")).await,
        5_000
    );
    for bad in ["limit=0", "limit=x", "startafter=x"] {
        let (status, body) = caller.get(&format!("/devices?orgid={ORG}&{bad}")).await;
        assert_eq!(
            (status, &body["success"]),
            (422, &Value::Bool(false)),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_caller_reaches_its_own_organisations_only() {
    let accounts =
        [(1, 3), (2, 3), (3, 3)].map(|(n, devices)| SimulatedAccount::numbered(n, devices));
    let mut config = SimulatorConfig {
        accounts: accounts.to_vec(),
        ..config(0)
    };
    config.accounts[2].api_key = KEY.to_owned(); // one user, two organisations
    let simulator = start(config);
    let caller = Caller::of(&simulator);
    let status = async |path: &str| caller.get(path).await.0;
    let own = &simulator.truth(1_001)[0].carrier_device_id;
    let foreign = &simulator.truth(1_002)[0].carrier_device_id;
    assert_eq!(status(&format!("/devices/{own}")).await, 200);
    assert_eq!(status(&format!("/devices/{foreign}")).await, 404);
    assert_eq!(status("/devices/1").await, 404);
    assert_eq!(status("/devices/x").await, 404);
    assert_eq!(status("/devices?orgid=1002").await, 403);
    assert_eq!(status("/devices?orgid=9").await, 403);
    assert_eq!(
        status(&format!("/usage/data?deviceid={foreign}")).await,
        404
    );
    assert_eq!(
        status(&format!("/usage/data?orgid=1003&deviceid={own}")).await,
        404
    );
    assert_eq!(status("/nothing").await, 404);
    let all = caller.get("/devices").await.1;
    assert_eq!(
        all["data"].as_array().unwrap().len(),
        6,
        "no orgid: all that the key reaches"
    );
    let (status, body) = Caller::of(&simulator)
        .with_key("wrong")
        .get("/devices")
        .await;
    assert_eq!((status, &body["success"]), (401, &Value::Bool(false)));
    assert!(body["error"].is_string());
    let bare = http()
        .get(format!("{}/devices", simulator.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
    assert_eq!(simulator.calls().answered(401), 2);
}

#[tokio::test]
async fn a_caller_faster_than_the_limit_is_refused_and_the_calls_prove_it() {
    let simulator = start(SimulatorConfig {
        requests_per_second: Some(0.001),
        burst: 3,
        retry_after_seconds: Some(7),
        ..config(5)
    });
    let caller = Caller::of(&simulator);
    for _ in 0..3 {
        assert_eq!(caller.send("/devices").await.status(), 200);
    }
    let refused = caller.send("/devices").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "7");
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"success": false, "error": "API rate limit exceeded"})
    );
    let calls = simulator.calls();
    assert_eq!(
        (calls.total, calls.answered(200), calls.answered(429)),
        (4, 3, 1)
    );
    assert!(
        (1..=4).contains(&calls.peak_per_second),
        "{}",
        calls.peak_per_second
    );
    assert_eq!(calls.accounts[&ORG].total, 4);
    assert_eq!(calls.arrivals.last().unwrap().status, Some(429));
    assert!(
        calls
            .arrivals
            .windows(2)
            .all(|pair| pair[0].at_micros <= pair[1].at_micros)
    );
}

/// Makes calls that are never answered and waits until the simulator has seen them all.
async fn hang(simulator: &Simulator, count: u64) -> Vec<tokio::task::JoinHandle<bool>> {
    simulator.inject(Fault::new(FaultKind::Hang).at(Endpoint::Billing));
    let url = format!("{}/usage/data/billing", simulator.base_url());
    let before = simulator.calls().of(Endpoint::Billing);
    let calls = (0..count).map(|_| {
        let call = http().get(&url).basic_auth("apikey", Some(KEY)).send();
        tokio::spawn(async { call.await.is_ok() })
    });
    let calls = calls.collect();
    until(|| simulator.calls().of(Endpoint::Billing) == before + count).await;
    calls
}

/// Waits for a state of the simulator.
async fn until(is_reached: impl Fn() -> bool) {
    let reached = async {
        while !is_reached() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached)
        .await
        .expect("the state is reached");
}

#[tokio::test]
async fn calls_under_way_at_the_same_time_are_counted_and_given_up_ones_are_not() {
    let simulator = start(config(5));
    let caller = Caller::of(&simulator);
    for _ in 0..3 {
        caller.get("/devices").await;
    }
    assert_eq!(simulator.calls().peak_concurrency, 1, "one after the other");
    let hanging = hang(&simulator, 4).await;
    let calls = simulator.calls();
    assert_eq!(
        (
            calls.peak_concurrency,
            calls.accounts[&ORG].peak_concurrency
        ),
        (4, 4)
    );
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    until(|| simulator.calls().endpoints[&Endpoint::Billing].abandoned == 4).await;
    simulator.reset_calls();
    caller.get("/devices").await;
    assert_eq!(
        (simulator.calls().total, simulator.calls().peak_concurrency),
        (1, 1)
    );
}

#[tokio::test]
async fn an_answer_takes_at_least_the_latency() {
    let fixed = Duration::from_millis(40);
    let latency = Latency {
        fixed,
        jitter: Duration::from_millis(5),
    };
    let simulator = start(SimulatorConfig {
        latency,
        ..config(5)
    });
    let caller = Caller::of(&simulator);
    let asked = std::time::Instant::now();
    caller.get("/devices").await;
    assert!(asked.elapsed() >= fixed);
}

#[tokio::test]
async fn growth_moves_the_truth_and_the_answers_together() {
    let simulator = start(SimulatorConfig {
        growth_bytes_per_second: 1 << 20,
        ..config(50)
    });
    let caller = Caller::of(&simulator);
    let sum = || {
        simulator
            .truth(ORG)
            .iter()
            .map(|truth| truth.used_bytes)
            .sum::<u64>()
    };
    let still = start(config(50))
        .truth(ORG)
        .iter()
        .map(|truth| truth.used_bytes)
        .sum::<u64>();
    until(|| sum() > still).await;
    let before = sum();
    let listed = caller
        .walk(&format!("/devices?orgid={ORG}&limit=100"), "startafter")
        .await;
    let after = sum();
    let links = listed
        .iter()
        .flat_map(|device| device["links"]["cellular"].as_array().unwrap());
    let seen: u64 = links
        .map(|link| link["cur_billing_data_used"].as_u64().unwrap())
        .sum();
    assert!(
        (before..=after).contains(&seen),
        "{before} <= {seen} <= {after}"
    );
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The keys of the documentation's examples, sorted as a JSON map sorts them.
fn sorted(keys: &str) -> Vec<&str> {
    let mut keys: Vec<_> = keys.split_whitespace().collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn answers_have_the_keys_of_the_documented_examples() {
    let simulator = start(config(300));
    let caller = Caller::of(&simulator);
    let page = caller.get("/devices?limit=299").await.1;
    assert_eq!(
        keys(&page),
        sorted("success limit size continues lastid links data")
    );
    assert_eq!(keys(&page["links"]), sorted("path base next"));
    let devices = page["data"].as_array().unwrap();
    let open = |device: &&Value| device["lastsession"]["active"] == true;
    let device = devices.iter().find(open).unwrap();
    let device_keys =
        "id orgid name type whencreated imei imei_sv simcardid tags links lastsession";
    assert_eq!(keys(device), sorted(device_keys));
    assert_eq!(
        keys(&device["links"]["cellular"][0]),
        sorted(
            "id deviceid sim imsi msisdn carrierid state whenclaimed whenexpires overagelimit \
             data_threshold smslimit apn plan last_network_used last_connect_time \
             cur_billing_data_used last_billing_data_used"
        )
    );
    assert_eq!(
        keys(&device["lastsession"]),
        sorted(
            "linkid session_begin session_end bytes imei cellid lac radio_access_technology \
             network_name tadig is_reporting_window_with_usage active"
        )
    );
    assert_eq!(device["lastsession"]["session_end"], "0000-00-00 00:00:00");
    let forms = |form: fn(&Value) -> bool| devices.iter().any(form);
    assert!(
        forms(|device| device.get("lastsession").is_none()),
        "missing"
    );
    assert!(
        forms(|device| device.get("lastsession") == Some(&Value::Null)),
        "null"
    );
    assert!(
        forms(|device| device["lastsession"] == serde_json::json!([])),
        "empty"
    );
    assert!(
        forms(|device| device["lastsession"]["active"] == false),
        "closed"
    );

    let alone = caller.get(&format!("/devices/{}", device["id"])).await.1;
    assert_eq!(
        (keys(&alone), &alone["data"]),
        (sorted("success data"), device)
    );
    let link = &device["links"]["cellular"][0];
    let alone = caller
        .get(&format!("/links/cellular/{}", link["id"]))
        .await
        .1;
    assert_eq!(&alone["data"], link);
    let billing = caller
        .get(&format!("/usage/data/billing?linkid={}", link["id"]))
        .await
        .1;
    let row_keys = "linkid cur_period_end periods_back record_id bytes";
    assert_eq!(keys(&billing["data"][0]), sorted(row_keys));
    let sessions = caller.get("/usage/data?limit=1").await.1;
    assert_eq!(
        keys(&sessions["data"][0]),
        sorted(
            "record_id linkid session_begin timestamp bytes imei cellid lac network_name \
             radio_access_technology"
        )
    );
}

#[tokio::test]
async fn injected_faults_strike_as_named_and_end() {
    let simulator = start(config(30));
    let caller = Caller::of(&simulator);
    let retry_after = Some("garbage".into());
    let status = FaultKind::Status {
        status: 503,
        retry_after,
        body: Some("sorry".to_owned()),
    };
    simulator.inject(Fault::new(status).at(Endpoint::Devices).times(1));
    let failed = caller.send("/devices").await;
    assert_eq!(
        (
            failed.status().as_u16(),
            &failed.headers()["retry-after"] == "garbage"
        ),
        (503, true)
    );
    assert_eq!(failed.text().await.unwrap(), "sorry");
    assert_eq!(caller.send("/devices").await.status(), 200);

    simulator.inject(Fault::new(FaultKind::Html).times(1));
    assert!(
        caller
            .send("/devices")
            .await
            .text()
            .await
            .unwrap()
            .starts_with("<!doctype html>")
    );
    simulator.inject(Fault::new(FaultKind::Truncate).times(1));
    let cut = caller.send("/devices").await.bytes().await.unwrap();
    assert!(serde_json::from_slice::<Value>(&cut).unwrap_err().is_eof());

    simulator.inject(Fault::new(FaultKind::RevokeKey).for_org(ORG));
    assert_eq!(caller.send("/devices").await.status(), 401);
    simulator.clear_faults();
    assert_eq!(caller.send("/devices").await.status(), 200);
}

#[tokio::test]
async fn a_broken_cursor_never_ends() {
    let simulator = start(config(30));
    let caller = Caller::of(&simulator);
    let walk = async |pages: usize| {
        let (mut cursors, mut after) = (Vec::new(), String::new());
        for _ in 0..pages {
            let page = caller.get(&format!("/devices?limit=20{after}")).await.1;
            assert_eq!(page["continues"], true);
            after = format!("&startafter={}", page["lastid"]);
            cursors.push(page["lastid"].as_u64().unwrap());
        }
        cursors
    };
    simulator.inject(Fault::new(FaultKind::RepeatCursor).at(Endpoint::Devices));
    assert_eq!(walk(5).await.into_iter().collect::<HashSet<_>>().len(), 1);
    simulator.clear_faults();
    simulator.inject(Fault::new(FaultKind::NeverEndingCursor).at(Endpoint::Devices));
    assert_eq!(walk(50).await.into_iter().collect::<HashSet<_>>().len(), 50);
}

#[tokio::test]
async fn a_hanging_call_hinders_neither_other_calls_nor_the_end() {
    let simulator = start(config(5));
    let caller = Caller::of(&simulator);
    let hanging = hang(&simulator, 1).await;
    assert_eq!(caller.send("/devices").await.status(), 200);
    let address = simulator.address();
    simulator.stop().unwrap();
    for call in hanging {
        assert!(!call.await.unwrap(), "its connection was closed");
    }
    TcpListener::bind(address).expect("the port is free again");
}

#[tokio::test]
async fn the_admin_endpoints_say_what_the_handle_says() {
    let simulator = start(SimulatorConfig {
        growth_bytes_per_second: 0,
        ..config(2_345)
    });
    let http = http();
    let admin = simulator.admin_url();
    let text = async |path: &str| {
        http.get(format!("{admin}{path}"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    let truth = text(&format!("/truth?orgid={ORG}")).await;
    let lines: Vec<Value> = truth
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected: Vec<Value> = simulator
        .truth(ORG)
        .iter()
        .map(|truth| serde_json::to_value(truth).unwrap())
        .collect();
    assert_eq!(lines, expected);
    let csv = text(&format!("/devices.csv?orgid={ORG}")).await;
    assert_eq!(csv.lines().next(), Some("device_id,carrier_device_id"));
    assert_eq!(csv.lines().count(), 2_346);
    let fault = r#"{"endpoint":"devices","times":1,"what":{"kind":"status","status":500}}"#;
    let injected = http
        .post(format!("{admin}/faults"))
        .header("content-type", "application/json");
    assert_eq!(injected.body(fault).send().await.unwrap().status(), 204);
    assert_eq!(Caller::of(&simulator).send("/devices").await.status(), 500);
    let calls: Value = serde_json::from_str(&text("/calls").await).unwrap();
    assert_eq!(calls["endpoints"]["devices"]["answered"]["500"], 1);
    assert_eq!(
        http.delete(format!("{admin}/calls"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(simulator.calls().total, 0);
}

#[tokio::test]
async fn the_simulator_imports_nothing_of_the_project_it_judges() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/simulator");
    let mut files = 0;
    let in_folder = |folder: &std::path::Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let (folders, mut paths): (Vec<_>, Vec<_>) =
        in_folder(&root).into_iter().partition(|path| path.is_dir());
    paths.extend(folders.iter().flat_map(|folder| in_folder(folder)));
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let foreign = line.contains("carrier_sync") || line.contains("super::super");
            let foreign = foreign || line.replace("crate::simulator::", "").contains("crate::");
            assert!(!foreign, "{}:{}: {line}", path.display(), number + 1);
        }
        files += 1;
    }
    assert!(files > 30, "the folders were read");
}
