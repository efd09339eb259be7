//! The simulator's faults over real sockets: each does what its name says, so that what the service
//! makes of it can be believed.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use carrier_sync::simulator::{
    Endpoint, Fault, FaultKind, RetryAfter, SimulatedAccount, Simulator, SimulatorConfig,
};
use serde_json::{Value, json};

const ORG: u64 = 1_001;

fn simulator(faults: Vec<Fault>) -> Simulator {
    let config = SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 30)],
        now: Some("2026-11-23T12:00:00Z".parse().unwrap()),
        faults,
        ..SimulatorConfig::default()
    };
    Simulator::start(config, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap()
}

/// Asks in plain HTTP and reads until the end, an error or a silence of half a second.
fn raw(simulator: &Simulator, path: &str) -> (String, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let request = format!(
        "GET /api/1{path} HTTP/1.1\r\nHost: carrier\r\n\
         Authorization: Basic YXBpa2V5OnNpbXVsYXRlZC1rZXktMTAwMQ==\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4_096]);
    let error = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break None,
            Ok(count) => bytes.extend(&chunk[..count]),
            Err(error) => break Some(error.kind()),
        }
    };
    (String::from_utf8_lossy(&bytes).into_owned(), error)
}

fn http() -> reqwest::Client {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.build().unwrap()
}

async fn ask(simulator: &Simulator, path: &str) -> reqwest::Response {
    let request = http().get(format!("{}{path}", simulator.base_url()));
    let request = request.basic_auth("apikey", Some("simulated-key-1001"));
    request.send().await.unwrap()
}

async fn rows(simulator: &Simulator, path: &str) -> Vec<Value> {
    let body = ask(simulator, path).await.bytes().await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    body["data"].as_array().unwrap().clone()
}

fn ids(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

#[test]
fn connections_are_cut_where_they_should_be() {
    let honest = raw(&simulator(vec![]), "/devices");
    assert_eq!(honest.1, None);
    let of = |kind| raw(&simulator(vec![Fault::new(kind)]), "/devices");
    assert_eq!(
        of(FaultKind::Reset),
        (String::new(), Some(ErrorKind::ConnectionReset))
    );
    let (text, error) = of(FaultKind::ResetMidBody);
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    assert!(text.contains("HTTP/1.1 200") && text.len() < honest.0.len());
    assert_eq!(
        of(FaultKind::Hang),
        (String::new(), Some(ErrorKind::WouldBlock))
    );
    let (text, error) = of(FaultKind::HangMidBody);
    assert_eq!(error, Some(ErrorKind::WouldBlock));
    assert!(text.contains("HTTP/1.1 200") && text.len() < honest.0.len());
}

#[test]
fn a_drip_is_never_silent_for_long() {
    let drip = FaultKind::Drip {
        millis_per_byte: 10,
    };
    let simulator = simulator(vec![Fault::new(drip)]);
    let started = Instant::now();
    let (text, error) = raw(&simulator, "/devices/1");
    assert_eq!(error, None, "it comes to its end");
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(body, r#"{"success":false,"error":"Device not found"}"#);
    assert!(started.elapsed() >= Duration::from_millis(10) * body.len() as u32);
}

#[tokio::test]
async fn oversized_and_compressed_answers_are_the_truth_to_whoever_reads_them_all() {
    let honest = rows(&simulator(vec![]), "/devices").await;
    for kind in [
        FaultKind::Oversized { bytes: 300_000 },
        FaultKind::GzipBomb { bytes: 300_001 },
    ] {
        let simulator = simulator(vec![Fault::new(kind)]);
        let body = ask(&simulator, "/devices").await.bytes().await.unwrap();
        assert!(body.len() > 300_000);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["data"], json!(honest));
    }
}

#[tokio::test]
async fn wrong_types_are_wrong_everywhere_or_in_the_field_that_is_named() {
    let honest = rows(&simulator(vec![]), "/devices").await;
    let all = FaultKind::WrongTypes { only: None };
    let row = &rows(&simulator(vec![Fault::new(all)]), "/devices").await[0];
    assert_eq!((&row["id"], &row["name"]), (&json!(true), &json!([])));
    let one = FaultKind::WrongTypes {
        only: Some("state".to_owned()),
    };
    let row = &rows(&simulator(vec![Fault::new(one)]), "/devices").await[0];
    assert_eq!(row["id"], honest[0]["id"]);
    assert_eq!(row["links"]["cellular"][0]["state"], json!([]));
}

#[tokio::test]
async fn headers_are_as_told() {
    let there = "http://169.254.169.254/".to_owned();
    let redirect = FaultKind::Redirect { location: there };
    let answer = ask(&simulator(vec![Fault::new(redirect)]), "/devices").await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "http://169.254.169.254/");
    let in_a_while = FaultKind::Status {
        status: 429,
        retry_after: Some(RetryAfter::DateIn {
            date_in_seconds: 90,
        }),
        body: None,
    };
    let answer = ask(&simulator(vec![Fault::new(in_a_while)]), "/devices").await;
    let date = answer.headers()["retry-after"].to_str().unwrap();
    let wait = httpdate::parse_http_date(date).unwrap();
    let wait = wait.duration_since(std::time::SystemTime::now()).unwrap();
    assert!((85..=90).contains(&wait.as_secs()), "{date}");
}

#[tokio::test]
async fn listings_skip_repeat_and_lose_rows() {
    let honest = ids(&rows(&simulator(vec![]), "/devices?limit=20").await);
    let second = |simulator: &Simulator| {
        let path = format!("/devices?limit=20&startafter={}", honest[19]);
        let address = simulator.base_url();
        async move {
            let request = http().get(format!("{address}{path}"));
            let answer = request.basic_auth("apikey", Some("simulated-key-1001"));
            let body = answer.send().await.unwrap().bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            ids(body["data"].as_array().unwrap())
        }
    };
    let skipping = simulator(vec![Fault::new(FaultKind::SkippingCursor)]);
    assert_eq!(
        ids(&rows(&skipping, "/devices?limit=20").await),
        honest[..17]
    );
    assert_eq!(second(&skipping).await[0], honest[19] - 1);
    let twice = simulator(vec![Fault::new(FaultKind::RowTwice)]);
    assert_eq!(ids(&rows(&twice, "/devices?limit=20").await), honest);
    assert_eq!(second(&twice).await[0], honest[19]);
    let vanished = FaultKind::VanishingDevice { device: None };
    let vanished = simulator(vec![Fault::new(vanished)]);
    assert_eq!(
        ids(&rows(&vanished, "/devices?limit=19").await),
        honest[1..]
    );
    let gone = ask(&vanished, &format!("/devices/{}", honest[0])).await;
    assert_eq!(gone.status(), 404);
    assert_eq!(vanished.truth(ORG).len(), 29);
}

#[test]
fn a_new_cycle_follows_the_old_one_and_a_correction_stays_within_it() {
    let simulator = simulator(vec![]);
    let before = simulator.truth(ORG);
    simulator.inject(Fault::new(FaultKind::NewCycle));
    let after = simulator.truth(ORG);
    let mut turned = 0;
    for (before, after) in before.iter().zip(&after) {
        let rest = |truth: &carrier_sync::simulator::Truth| (truth.sim_status, truth.iccid.clone());
        assert_eq!(rest(before), rest(after));
        if after.cycle_end == before.cycle_end {
            assert_eq!(after.used_bytes, before.used_bytes, "a cancelled plan");
        } else {
            assert!(after.cycle_start >= before.cycle_end);
            turned += 1;
        }
    }
    assert!(turned > 20, "{turned}");
    simulator.clear_faults();
    assert_eq!(simulator.truth(ORG), before);
    simulator.inject(Fault::new(FaultKind::Correction));
    for (before, after) in before.iter().zip(simulator.truth(ORG)) {
        assert!(after.used_bytes <= before.used_bytes);
        assert_eq!(after.used_bytes == 0, before.used_bytes == 0);
        assert_eq!(after.cycle_end, before.cycle_end);
    }
}

#[tokio::test]
async fn the_same_seed_spoils_the_same_calls_and_the_admin_endpoint_refuses_nonsense() {
    let posted = async |simulator: &Simulator, fault: &str| {
        let request = http().post(format!("{}/faults", simulator.admin_url()));
        let request = request.header("content-type", "application/json");
        request
            .body(fault.to_owned())
            .send()
            .await
            .unwrap()
            .status()
    };
    let story = async || {
        let simulator = simulator(vec![]);
        let fault = r#"{"probability":0.4,"endpoint":"devices","what":{"kind":"any_of",
            "kinds":[{"kind":"status","status":500},{"kind":"status","status":503}]}}"#;
        assert_eq!(posted(&simulator, fault).await, 204);
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(ask(&simulator, "/devices").await.status().as_u16());
        }
        statuses
    };
    let statuses = story().await;
    assert_eq!(statuses, story().await);
    for status in [200, 500, 503] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    let simulator = simulator(vec![]);
    for nonsense in [
        r#"{"probability":2,"what":{"kind":"reset"}}"#,
        r#"{"what":{"kind":"any_of","kinds":[]}}"#,
    ] {
        assert_eq!(posted(&simulator, nonsense).await, 422);
    }
    assert_eq!(
        posted(&simulator, r#"{"what":{"kind":"resett"}}"#).await,
        400
    );
    simulator.inject(Fault::status(500).at(Endpoint::Billing));
    assert_eq!(ask(&simulator, "/devices").await.status(), 200);
}
