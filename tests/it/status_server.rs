//! The status server while the service's own runtime is stuck: it lives, and says what does not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use carrier_sync::app::App;
use carrier_sync::device::{IntegrationId, TenantId};
use carrier_sync::status::control::{Control, NotDone, SyncAsked};
use carrier_sync::status::fleet::view::IntegrationView;
use carrier_sync::status::server::{Readiness, ServerParts};
use carrier_sync::status::{ActorName, ActorState, Board, Fleet, StatusServer};
use carrier_sync::store::{IntegrationChange, NewIntegration};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::fleet;

/// A service that cannot be asked.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Control for Nobody {
    async fn sync_now(&self, _: &IntegrationId) -> Result<SyncAsked, NotDone> {
        Ok(SyncAsked::Nobody)
    }

    async fn set_sync_enabled(&self, _: &IntegrationId, _: bool) -> Result<(), NotDone> {
        Ok(())
    }
}

/// Lets go of what is stuck, also where the test fails: its runtime would wait for ever.
#[derive(Default)]
struct Stuck(Arc<AtomicBool>);

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// The status of `app`, whose actors post to `board` and whose runtime is `service`.
fn serve(app: &App, board: &Arc<Board>, service: &Runtime) -> StatusServer {
    let parts = ServerParts {
        readiness: Readiness::new(
            (Arc::clone(&app.store), true),
            Arc::clone(board),
            CancellationToken::new(),
            service.handle().clone(),
        ),
        fleet: Fleet::new(
            Arc::clone(&app.store),
            Arc::clone(board),
            Arc::clone(&app.clock),
            service.handle().clone(),
        ),
        control: Arc::new(Nobody),
        max_integrations: 10,
        token: None,
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    StatusServer::start(&listen, parts).unwrap().unwrap()
}

#[test]
fn a_service_that_is_stuck_lives_and_is_told_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet::app(&fleet::sqlite_url(&folder), &[]);
    let service = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = serve(&app, &Arc::new(Board::new(10)), &service);
    let address = server.address().to_string();
    let address = address.trim_start_matches("http://");
    // The only thread of the service does not come back.
    let stuck = Stuck::default();
    let until = Arc::clone(&stuck.0);
    service.spawn(async move {
        while !until.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    });
    assert!(get(address, "/livez").starts_with("HTTP/1.1 200"));
    assert!(get(address, "/metrics").contains("carrier_sync_build_info"));
    let answer = get(address, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains("the database has not answered within 2s"),
        "{answer}"
    );
    assert!(answer.contains("the writer has not started"), "{answer}");
    drop(stuck);
    drop(server);
    assert!(
        TcpStream::connect(address).is_err(),
        "it is gone with its value"
    );
}

/// What the actors say is told while the database is away, and that it is.
#[test]
fn while_the_database_is_away_the_page_tells_what_the_actors_say() {
    let service = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _in = service.enter();
    let app = fleet::app(
        "postgres://nobody@127.0.0.1:1/none",
        &[("database.acquire_timeout", "100ms")],
    );
    let board = Arc::new(Board::new(10));
    let id = IntegrationId::parse("acme-1").unwrap();
    board.update(&ActorName::Integration(id), app.clock.now(), |status| {
        status.state = ActorState::BackingOff;
        status.reason = Some("cannot reach <its> database".to_owned());
        status.carrier = Some("hologram".to_owned());
    });
    let server = serve(&app, &board, &service);
    let address = server.address().to_string();
    let address = address.trim_start_matches("http://");
    let page = get(address, "/");
    for part in [
        "The database does not answer",
        "database unavailable: ",
        "acme-1",
        "backing off",
        "cannot reach &lt;its&gt; database",
        "The devices have not been counted yet",
        "Counting fails: ",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let totals = get(address, "/api/v1/totals");
    assert!(
        totals.contains("\"devices\":null"),
        "not counted is not zero: {totals}"
    );
    assert!(
        totals.contains("\"database\":\"database unavailable"),
        "{totals}"
    );
    let unknown = get(address, "/api/v1/integrations/acme-2");
    assert!(
        unknown.starts_with("HTTP/1.1 503"),
        "it may be there: {unknown}"
    );
    let metrics = get(address, "/metrics");
    assert!(metrics.contains("carrier_sync_integrations{state=\"backing_off\"} 1"));
    assert!(!metrics.contains("by_freshness{"), "{metrics}");
}

/// Rows and actors are matched by id: none of either is told twice, or with another's words.
#[test]
fn rows_without_actors_and_actors_without_rows_are_told_beside_those_that_have_both() {
    let folder = tempfile::tempdir().unwrap();
    let url = fleet::sqlite_url(&folder);
    let service = Runtime::new().unwrap();
    let _in = service.enter();
    let app = fleet::app(&url, &[]);
    service.block_on(app.store.migrate(None)).unwrap();
    for (id, carrier) in [("B", "1nce"), ("a", "emnify"), ("d", "hologram")] {
        let new = NewIntegration {
            id: Some(IntegrationId::parse(id).unwrap()),
            tenant_id: TenantId::parse("acme").unwrap(),
            carrier_name: carrier.to_owned(),
            fields: IntegrationChange::default(),
        };
        service.block_on(app.store.add_integration(&new)).unwrap();
    }
    let board = Arc::new(Board::new(10));
    for (id, carrier) in [("a", "emnify"), ("c", "telnyx"), ("e", "soracom")] {
        let name = ActorName::Integration(IntegrationId::parse(id).unwrap());
        board.update(&name, app.clock.now(), |status| {
            status.carrier = Some(carrier.to_owned());
            status.calls_made = 7;
        });
    }
    let fleet = Fleet::new(
        Arc::clone(&app.store),
        board,
        Arc::clone(&app.clock),
        service.handle().clone(),
    );
    let snapshot = service.block_on(fleet.snapshot());
    let told = |view: &IntegrationView| {
        let tenant = view.tenant_id.as_ref().map(TenantId::as_str);
        let tenant = tenant.unwrap_or("-");
        let calls = view.calls.map_or(0, |calls| calls.made);
        format!("{} {} {tenant} {calls}", view.id, view.carrier)
    };
    assert_eq!(
        snapshot.integrations.iter().map(told).collect::<Vec<_>>(),
        [
            "B 1nce acme 0",
            "a emnify acme 7",
            "c telnyx - 7",
            "d hologram acme 0",
            "e soracom - 7"
        ]
    );
    for view in &snapshot.integrations {
        let found = snapshot.integration(view.id.as_str()).unwrap();
        assert_eq!(found.id, view.id);
    }
}
