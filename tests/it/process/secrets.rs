//! A key never leaves: not in any output, at the most talkative level, whatever goes wrong.

use std::io::{Read, Write};
use std::net::TcpListener;

use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};
use carrier_sync::store::IntegrationChange;

use super::{Place, until};

const CANARY: &str = "canary-7f3a9d-key";
/// `apikey:canary-7f3a9d-key` as HTTP Basic sends it, without the end that depends on what follows.
const CANARY_IN_BASIC: &str = "YXBpa2V5OmNhbmFyeS03ZjNhOWQta2V5";

/// A carrier that answers every call the same way and repeats what it was sent.
fn answers_with(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let echo = String::from_utf8_lossy(&request[..read]).into_owned();
            let body = format!("{{\"success\":false,\"error\":{echo:?},\"key\":\"{CANARY}\"}}");
            let answer = format!(
                "{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/api/1")
}

fn assert_silent<'a>(lines: impl Iterator<Item = &'a str>, case: &str, command: &[&str]) {
    let tells = |line: &&str| [CANARY, CANARY_IN_BASIC].iter().any(|s| line.contains(s));
    assert_eq!(lines.into_iter().find(tells), None, "{case}: {command:?}");
}

/// Runs the service until its health log gives the integration's trouble as a reason; answers all that
/// it said.
fn run_until_it_tells(place: &Place, id: &str) -> Vec<String> {
    let mut service = place.start(&["run", "--log-format", "json"]);
    let actor = format!("integration/{id}");
    until("the trouble is in the health log", || {
        let events = service.events("health");
        let told = |e: &&serde_json::Value| e["actor"] == actor.as_str() && !e["reason"].is_null();
        events.iter().find(told).map(drop)
    });
    service.signal("TERM");
    service.exits(0);
    [service.stdout.now(), service.stderr.now()].concat()
}

#[test]
fn a_key_is_in_no_output_and_no_record_whatever_goes_wrong() {
    let place = Place::new(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 3)],
        ..SimulatorConfig::default()
    })
    .with("LOG__LEVEL", "trace")
    .with("CARRIERS__HOLOGRAM__MAX_ATTEMPTS", "1")
    .with("SUPERVISOR__START_SPREAD", "1ms")
    .with("HEALTH__INTERVAL", "100ms");
    let id = place.link();
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/api/1", listener.local_addr().unwrap())
    };
    let addresses = [
        ("a wrong key", place.simulator.base_url()),
        (
            "a redirect",
            answers_with(
                "HTTP/1.1 302 Found\r\nLocation: http://localhost:1/?apikey=canary-7f3a9d-key",
            ),
        ),
        (
            "a refusal that repeats it",
            answers_with("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json"),
        ),
        (
            "an answer that repeats it",
            answers_with("HTTP/1.1 200 OK\r\nContent-Type: application/json"),
        ),
        (
            "headers that repeat it",
            answers_with(
                "HTTP/1.1 503 canary-7f3a9d-key\r\nRetry-After: canary-7f3a9d-key\r\nX-Key: canary-7f3a9d-key",
            ),
        ),
        (
            "a redirect on its own host that repeats it",
            answers_with(
                "HTTP/1.1 301 Moved\r\nLocation: /api/1/canary-7f3a9d-key?k=canary-7f3a9d-key",
            ),
        ),
        (
            "a TLS failure",
            answers_with("HTTP/1.1 200 OK").replace("http://", "https://"),
        ),
        ("a refused connection", refused),
        (
            "a bad address",
            format!("http://user:{CANARY}@127.0.0.1:1/"),
        ),
        ("another bad address", format!("ftp://x/?apikey={CANARY}")),
    ];
    let row_id = carrier_sync::device::IntegrationId::parse(&id).unwrap();
    for (case, address) in addresses {
        let change = IntegrationChange {
            api_key: Some(CANARY.into()),
            api_base_url: Some(address),
            ..IntegrationChange::default()
        };
        place
            .ask(async |app| app.store.set_integration(&row_id, &change).await)
            .unwrap();
        for command in [
            vec!["once"],
            vec!["once", "--json"],
            vec!["check"],
            vec!["integrations", "test", &id],
            vec!["integrations", "list"],
        ] {
            let said = place.user.runs(&command);
            for output in [&said.stdout, &said.stderr] {
                assert_silent(output.lines(), case, &command);
            }
        }
        let said = run_until_it_tells(&place, &id);
        assert_silent(said.iter().map(String::as_str), case, &["run"]);
        let row = place
            .ask(async |app| app.store.integrations().await)
            .unwrap()
            .remove(0);
        assert_eq!(row.last_sync_status, "error", "{case}");
        let reason = row.last_sync_error.unwrap();
        assert!(!reason.contains("canary"), "{case}: {reason}");
    }
}
