//! `carrier-sync health` beside a running service, over real ports and sockets.

use std::io::{Read, Write};
use std::net::TcpListener;

use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};

use super::{Place, Running, until};

fn place() -> Place {
    Place::new(SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 30)],
        ..SimulatorConfig::default()
    })
}

/// A port that nobody has; another may take it before we do, which the caller's test would say.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn start(place: &Place) -> Running {
    let service = place.start(&["run"]);
    service.says("the status is served");
    service
}

#[test]
fn a_service_that_is_well_is_said_to_be_and_one_that_is_gone_is_an_error() {
    let place = place().with("STATUS__LISTEN", &format!("127.0.0.1:{}", free_port()));
    let mut service = start(&place);
    let alive = place.user.runs(&["health", "--live"]).succeeds();
    assert_eq!(alive.stdout, "alive\n");
    let ready = until("it is ready", || {
        let said = place.user.runs(&["health"]);
        (said.code == 0).then_some(said)
    });
    assert_eq!((&*ready.stdout, &*ready.stderr), ("ready\n", ""));
    service.signal("TERM");
    service.exits(0);
    for arguments in [&["health"][..], &["health", "--live"]] {
        let said = place.user.runs(arguments);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.stderr.contains("no answer from http://127.0.0.1:"),
            "{said:?}"
        );
        assert!(said.stderr.contains("status.listen"), "{said:?}");
    }
}

#[test]
fn a_socket_is_asked_and_so_is_the_address_that_is_given() {
    let place = place();
    let socket = place.user.home().join("status.sock");
    let address = format!("unix:{}", socket.display());
    let place = place.with("STATUS__LISTEN", &address);
    let _service = start(&place);
    place.user.runs(&["health", "--live"]).succeeds();
    let other = super::super::cli::User::new();
    let said = other.runs(&["health", "--live"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("status.listen is off"), "{said:?}");
    let said = other.runs(&["health", "--live", "--url", &address]);
    assert_eq!(said.succeeds().stdout, "alive\n");
}

#[test]
fn a_service_that_cannot_work_lives_and_says_why_it_is_not_ready() {
    let place = place()
        .with("DATABASE__MIGRATE_ON_START", "never")
        .with("STATUS__LISTEN", &format!("127.0.0.1:{}", free_port()));
    let empty = format!("sqlite://{}", place.user.home().join("other.db").display());
    let place = Place {
        user: place.user.with("DATABASE_URL", &empty),
        ..place
    };
    let _service = start(&place);
    place.user.runs(&["health", "--live"]).succeeds();
    let said = place.user.runs(&["health"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.starts_with("not ready: "), "{said:?}");
    assert!(said.stdout.contains("carrier-sync migrate"), "{said:?}");
}

#[test]
fn the_token_is_taken_from_the_configuration_and_never_told() {
    const TOKEN: &str = "canary-token-77d1e0";
    let place = place()
        .with("STATUS__LISTEN", &format!("0.0.0.0:{}", free_port()))
        .with("STATUS__TOKEN", TOKEN);
    let _service = start(&place);
    until("it is ready", || {
        (place.user.runs(&["health"]).code == 0).then_some(())
    });
    let place = place.with("STATUS__TOKEN", "canary-token-77d1e1");
    let said = place.user.runs(&["health"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stdout.contains("status 401: a token is wanted"),
        "{said:?}"
    );
    assert!(!format!("{said:?}").contains("canary-token"), "{said:?}");
}

/// Whoever else has the port is not taken for a service that is well, and does not hold up the check.
#[test]
fn another_server_at_the_address_and_one_that_says_nothing_are_not_well() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let other = std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        let _ = first.read(&mut [0; 4096]);
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        first.write_all(answer.as_bytes()).unwrap();
        drop(first);
        listener.accept().unwrap()
    });
    let user = super::super::cli::User::new();
    let said = user.runs(&["health", "--url", &url]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stdout.contains("not how carrier-sync answers"),
        "{said:?}"
    );
    let silent = ["health", "--url", &url, "--timeout", "300ms"];
    let said = user.runs(&silent);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("no complete answer in time"),
        "{said:?}"
    );
    drop(other.join());
    let said = user.runs(&["health", "--url", "localhost:8080"]);
    assert_eq!(said.code, 64, "{said:?}");
    assert!(said.stderr.contains("http://HOST:PORT"), "{said:?}");
}
