//! The status server of the real program, asked over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use carrier_sync::simulator::{Latency, SimulatedAccount, SimulatorConfig};

use sqlx::Connection;

use super::served::{Answer, Served, bearer, request};
use super::{Place, until};
use crate::promtool::assert_scrapable;

fn fleet() -> SimulatorConfig {
    SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 30)],
        ..SimulatorConfig::default()
    }
}

fn of(config: SimulatorConfig) -> Place {
    Place::new(config).with("STATUS__LISTEN", "127.0.0.1:0")
}

fn place() -> Place {
    of(fleet())
}

#[test]
fn a_service_at_work_lives_is_ready_and_tells_its_figures() {
    let place = place();
    let id = place.link();
    let served = Served::by(&place);
    assert_eq!(served.get("/livez").json()["alive"], true);
    until("the service is ready", || {
        (served.get("/readyz").status == 200).then_some(())
    });
    let ready = served.get("/readyz");
    assert_eq!(ready.json()["reasons"], serde_json::json!([]), "{ready:?}");
    let counted = "carrier_sync_syncs_total{carrier=\"hologram\",outcome=\"success\"} 1";
    let metrics = until("a sync is counted", || {
        let metrics = served.get("/metrics");
        metrics.body.contains(counted).then_some(metrics)
    });
    assert!(
        metrics
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{metrics:?}"
    );
    for line in [
        "carrier_sync_rows_written_total 30",
        "carrier_sync_devices{what=\"synced\"} 30",
        &format!(
            "carrier_sync_carrier_calls_total{{carrier=\"hologram\",result=\"ok\"}} {}",
            place.simulator.calls().total
        ),
        "carrier_sync_carrier_calls_total{carrier=\"hologram\",result=\"unauthorized\"} 0",
        "carrier_sync_actor_state{actor=\"writer\",state=\"parked\"} 0",
        "carrier_sync_actor_state{actor=\"supervisor\",state=\"parked\"} 0",
        &format!(
            "carrier_sync_integration_devices{{carrier=\"hologram\",integration=\"{id}\",tenant=\"acme\"}} 30"
        ),
    ] {
        assert!(
            metrics.body.contains(line),
            "{line} is not in {}",
            metrics.body
        );
    }
    assert_scrapable(&metrics.body);
    for answer in [served.get("/livez"), metrics] {
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "content-security-policy: ",
        ] {
            assert!(answer.head.contains(header), "{header}: {answer:?}");
        }
    }
}

#[test]
fn whatever_else_is_asked_is_told_what_is_allowed() {
    let place = place();
    let served = Served::by(&place);
    let posted = served.ask("POST", "/readyz", "Content-Length: 0\r\n");
    assert_eq!(posted.status, 405);
    assert!(posted.head.contains("allow: get, head"), "{posted:?}");
    assert!(posted.json()["error"].as_str().unwrap().contains("POST"));
    let head = served.ask("HEAD", "/metrics", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let unknown = served.get("/metric");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.json()["error"]
            .as_str()
            .unwrap()
            .contains("/metric")
    );
    let endless = format!("X-Endless: {}\r\n", "x".repeat(1 << 20));
    let refused = served.ask("GET", "/livez", &endless).status;
    assert!(!(200..300).contains(&refused), "{refused}");
    assert_eq!(served.get("/livez").status, 200, "and it goes on");
}

#[test]
fn a_client_that_does_not_come_to_the_point_is_let_go() {
    let place = place();
    let served = Served::by(&place);
    let mut slow = served.connect();
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: lo").unwrap();
    let started = Instant::now();
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    let rest = String::from_utf8_lossy(&rest);
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );
}

#[test]
fn a_service_that_cannot_do_its_work_says_why_it_is_not_ready() {
    let place = place().with("DATABASE__MIGRATE_ON_START", "never");
    let other = format!("sqlite://{}", place.user.home().join("other.db").display());
    let place = Place {
        user: place.user.with("DATABASE_URL", &other),
        ..place
    };
    let served = Served::by(&place);
    assert_eq!(served.get("/livez").status, 200);
    let answer = served.get("/readyz");
    assert_eq!(answer.status, 503);
    let reasons = answer.json()["reasons"].to_string();
    assert!(reasons.contains("schema not migrated"), "{reasons}");
    assert!(reasons.contains("carrier-sync migrate"), "{reasons}");
}

/// Nobody else writes the database meanwhile: a drain waits with what was read.
struct HeldFile {
    connection: sqlx::SqliteConnection,
    runtime: tokio::runtime::Runtime,
}

impl HeldFile {
    fn of(place: &Place) -> Self {
        let url = format!("sqlite://{}", place.user.home().join("fleet.db").display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection);
            begun.await.unwrap();
            connection
        });
        Self {
            connection,
            runtime,
        }
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        let given_back = sqlx::query("ROLLBACK").execute(&mut self.connection);
        self.runtime.block_on(given_back).unwrap();
    }
}

#[test]
fn a_service_that_drains_lives_and_is_not_ready() {
    let place = of(SimulatorConfig {
        latency: Latency {
            fixed: Duration::from_millis(500),
            ..Latency::default()
        },
        ..fleet()
    });
    place.link();
    let mut served = Served::by(&place);
    served.service.says("\"syncing\"");
    let held = HeldFile::of(&place);
    until("the writer waits with what was read", || {
        let metrics = served.get("/metrics").body;
        metrics
            .contains("carrier_sync_writer{what=\"transactions\"} 1")
            .then_some(())
    });
    served.service.signal("TERM");
    let answer = until("it is not ready", || {
        let answer = served.get("/readyz");
        (answer.status == 503).then_some(answer)
    });
    assert!(
        answer.body.contains("the service is stopping"),
        "{answer:?}"
    );
    assert_eq!(served.get("/livez").status, 200);
    drop(held);
    served.service.exits(0);
    assert!(
        TcpStream::connect(&served.address).is_err(),
        "and then it is gone"
    );
}

#[test]
fn a_port_that_is_taken_is_told_and_nothing_is_begun() {
    let place = place();
    place.link();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = place.with("STATUS__LISTEN", &address);
    let mut service = place.start(&["run", "--log-format", "json"]);
    service.exits(1);
    let said = service.stderr.now().join("\n");
    for part in [&*address, "status.listen", "another program has it"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(service.events("health").is_empty(), "{said}");
    assert_eq!(place.simulator.calls().total, 0);
}

#[test]
fn on_an_address_that_others_reach_everything_but_livez_wants_the_token() {
    const TOKEN: &str = "canary-token-5f2c1a";
    let place = place().with("STATUS__LISTEN", "0.0.0.0:0");
    let mut refused = place.start(&["run"]);
    refused.exits(1);
    assert!(refused.stderr.now().join("\n").contains("status.token"));
    let place = place.with("STATUS__TOKEN", TOKEN);
    let mut served = Served::by(&place);
    assert_eq!(served.get("/livez").status, 200);
    assert_eq!(served.ask("GET", "/metrics", &bearer(TOKEN)).status, 200);
    for wrong in [
        "",
        &bearer("canary-token-5f2c1b"),
        "Authorization: Basic x\r\n",
    ] {
        let answer = served.ask("GET", "/metrics", wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/nowhere"),
            ("POST", "/nowhere"),
            ("POST", "/metrics"),
        ] {
            assert_eq!(
                served.ask(method, path, wrong).status,
                401,
                "{method} {path} {wrong}"
            );
        }
        assert!(
            answer.head.contains("www-authenticate: bearer"),
            "{answer:?}"
        );
    }
    for _ in 0..10 {
        served.ask("GET", "/readyz", &bearer("wrong"));
    }
    assert_eq!(served.ask("GET", "/readyz", &bearer(TOKEN)).status, 429);
    assert_eq!(served.get("/livez").status, 200);
    served.service.signal("TERM");
    served.service.exits(0);
    let said = served.service.stderr.now().join("\n");
    assert!(!said.contains(TOKEN), "{said}");
}

#[test]
fn a_socket_is_served_and_one_that_was_left_over_is_replaced() {
    let place = place();
    let socket = place.user.home().join("status.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let place = place.with("STATUS__LISTEN", &format!("unix:{}", socket.display()));
    let mut service = place.start(&["run"]);
    service.says("the status is served");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "its owner and its group");
    let ask = || {
        Answer::of(
            UnixStream::connect(&socket).unwrap(),
            &request("GET", "/livez", ""),
        )
    };
    assert_eq!(ask().status, 200);
    let metrics = "GET /metrics HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\n\r\n";
    let connection = UnixStream::connect(&socket).unwrap();
    assert_eq!(Answer::of(connection, metrics).status, 200, "by any name");
    // Another process takes it away from nobody.
    let mut second = place.start(&["run"]);
    second.exits(1);
    assert_eq!(ask().status, 200);
    service.signal("TERM");
    service.exits(0);
    assert!(!socket.exists(), "nothing is left behind");
}
