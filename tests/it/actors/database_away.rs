//! A database that is not there, or not ready: a state with a reason, and the service goes on when it
//! comes.

use std::time::Duration;

use carrier_sync::app::Ending;
use carrier_sync::integration::Outcome;
use carrier_sync::status::{ActorName, ActorState};
use tokio::net::{TcpListener, TcpStream};

use super::{SOON, Service, World, account};
use crate::fleet::{self, in_system};
use crate::postgres::TestDatabase;

const SUPERVISOR: ActorName = ActorName::Supervisor;

/// Waits for the state and answers its reason.
async fn backs_off(service: &Service) -> String {
    let status = service.comes_to(&SUPERVISOR, ActorState::BackingOff).await;
    status.reason.expect("a reason")
}

#[test]
fn a_file_that_cannot_be_made_yet_is_waited_for() {
    in_system(async {
        let world = World::of(&[5]);
        let folder = world.folder.path().join("mounted-later");
        std::fs::write(&folder, "in the way").unwrap();
        let url = format!("sqlite://{}", folder.join("fleet.db").display());
        let service = Service::start(fleet::app(&url, SOON));
        let reason = backs_off(&service).await;
        assert!(
            reason.contains("database unavailable") && reason.contains("mounted-later"),
            "{reason}"
        );

        std::fs::remove_file(&folder).unwrap();
        let status = service.comes_to(&SUPERVISOR, ActorState::Idle).await;
        assert_eq!(status.reason, None);
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        assert_eq!(
            service.has_synced(&id, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        assert_eq!(service.ends().await, Ending::Clean);
    });
}

#[test]
fn a_database_without_our_tables_is_waited_for() {
    in_system(async {
        let world = World::of(&[5]);
        let app = fleet::app(
            &world.url(),
            &[SOON, &[("database.migrate_on_start", "never")]].concat(),
        );
        let service = Service::start(app);
        let reason = backs_off(&service).await;
        assert!(reason.contains("schema not migrated"), "{reason}");

        service.app.store.migrate(None).await.unwrap();
        service.comes_to(&SUPERVISOR, ActorState::Idle).await;
        let id = fleet::link_fleet(&service.app, &world.simulator, account("acme", 1001)).await;
        assert_eq!(
            service.has_synced(&id, 1).await.last_outcome,
            Some(Outcome::Success)
        );
    });
}

#[test]
fn a_service_that_waits_for_its_database_stops_when_it_is_told() {
    in_system(async {
        let service = Service::start(fleet::app("postgres://nobody@127.0.0.1:1/none", SOON));
        backs_off(&service).await;
        assert_eq!(service.ends().await, Ending::Clean);
    });
}

/// Passes connections on to the server that `TEST_DATABASE_URL` names.
async fn pass_on(listener: TcpListener, server: String) {
    loop {
        let (mut here, _) = listener.accept().await.unwrap();
        let server = server.clone();
        tokio::spawn(async move {
            let mut there = TcpStream::connect(&server).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
        });
    }
}

/// A URL of the same database through another port.
fn through(url: &str, port: u16) -> (String, String) {
    let mut url = url::Url::parse(url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port)).unwrap();
    (url.into(), server)
}

#[test]
fn a_server_that_starts_after_the_service_is_found() {
    in_system(async {
        let world = World::of(&[5]);
        let database = TestDatabase::migrated().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let (url, server) = through(&database.service_url(), port);
        // Sooner than the notice that there is no answer yet.
        let settings = [SOON, &[("database.acquire_timeout", "500ms")]].concat();
        let service = Service::start(fleet::app(&url, &settings));
        let reason = backs_off(&service).await;
        assert!(reason.contains("refused"), "{reason}");

        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let proxy = tokio::spawn(pass_on(listener, server));
        service.comes_to(&SUPERVISOR, ActorState::Idle).await;
        let owner = fleet::app(&database.owner_url(), &[]);
        let id = fleet::link_fleet(&owner, &world.simulator, account("acme", 1001)).await;
        assert_eq!(
            service.has_synced(&id, 1).await.last_outcome,
            Some(Outcome::Success)
        );
        proxy.abort();
        assert_eq!(service.ends().await, Ending::Clean);
        owner.store.close().await;
    });
}

#[test]
fn a_role_that_row_level_security_does_not_bind_ends_the_service() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let service = Service::start(fleet::app(&database.superuser_url(), SOON));
        match service.ended().await {
            Ending::Escalated(reason) => assert!(reason.contains("is a superuser"), "{reason}"),
            other => panic!("runs with rights that it must not have: {other:?}"),
        }
    });
}

#[test]
fn rows_wait_for_a_database_that_is_locked_and_are_written_when_it_is_free() {
    use sqlx::{Connection, SqliteConnection, raw_sql};
    in_system(async {
        let world = World::of(&[5]);
        let admin = world.app(&[]).await;
        let id = fleet::link_fleet(&admin, &world.simulator, account("acme", 1001)).await;
        let settings = [
            ("database.lock_timeout", "20ms"),
            ("database.migrate_on_start", "never"),
        ];
        let app = fleet::app(&world.url(), &[SOON, &settings].concat());
        let mut other = SqliteConnection::connect(&world.url()).await.unwrap();
        raw_sql("BEGIN IMMEDIATE")
            .execute(&mut other)
            .await
            .unwrap();
        let service = Service::start(app);
        super::until("the writer meets the lock", async || {
            (service.actor(&ActorName::Writer)?.in_flight > 0).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(service.status(&id).unwrap().synced, 0);
        raw_sql("COMMIT").execute(&mut other).await.unwrap();
        assert_eq!(
            service.has_synced(&id, 1).await.last_outcome,
            Some(Outcome::Success)
        );
    });
}
