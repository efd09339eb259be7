//! What Postgres tells by itself: changes are noticed at once while the next look is an hour away, by any
//! program and role that writes the table, and a listener that was cut off listens again.

use std::time::Duration;

use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::status::{ActorName, ActorState};
use carrier_sync::store::{IntegrationChange, connect};
use sqlx::postgres::PgListener;
use sqlx::query_scalar;

use super::{Service, account, until};
use crate::fleet::{self, in_system};
use crate::postgres::{TestDatabase, store_options};

/// The service on a Postgres database, whose next look is an hour away.
struct Scene {
    database: TestDatabase,
    simulator: Simulator,
    /// An operator's commands.
    owner: carrier_sync::app::App,
    service: Service,
}

const SELDOM: &[(&str, &str)] = &[
    ("supervisor.discover_interval", "1h"),
    ("supervisor.start_spread", "0s"),
    // Nor is anything claimed by the beat.
    ("leases.duration", "3h"),
    ("leases.heartbeat", "1h"),
];

impl Scene {
    async fn set() -> Self {
        let database = TestDatabase::migrated().await;
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, 5)],
            ..SimulatorConfig::default()
        });
        let owner = fleet::app(&database.owner_url(), SELDOM);
        let service = Service::start(fleet::app(&database.service_url(), SELDOM));
        let scene = Self {
            database,
            simulator,
            owner,
            service,
        };
        scene.listens().await;
        scene
    }

    /// Waits until the service listens and has looked after that.
    async fn listens(&self) {
        let mut look = self.database.superuser().await;
        until("someone listens", async || {
            let listening: Option<i32> = query_scalar(LISTENER)
                .fetch_optional(&mut look)
                .await
                .ok()?;
            listening
        })
        .await;
        self.has_settled().await;
    }

    /// Waits until no look has come for longer than the least time between two.
    async fn has_settled(&self) -> u64 {
        let mut seen = (self.looks(), std::time::Instant::now());
        until("no look any more", async || {
            if self.looks() != seen.0 {
                seen = (self.looks(), std::time::Instant::now());
            }
            (seen.0 > 0 && seen.1.elapsed() > Duration::from_millis(700)).then_some(())
        })
        .await;
        seen.0
    }

    fn looks(&self) -> u64 {
        let status = self.service.actor(&ActorName::Supervisor);
        status.map_or(0, |status| status.runs)
    }

    async fn link(&self) -> IntegrationId {
        fleet::link_fleet(&self.owner, &self.simulator, account("acme", 1001)).await
    }
}

const LISTENER: &str = "SELECT pid FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name = 'carrier-sync notices' \
      AND query LIKE 'LISTEN%' AND state = 'idle'";

#[test]
fn a_row_is_synced_when_it_appears_and_again_when_its_key_is_put_right_and_ends_when_it_goes() {
    in_system(async {
        let scene = Scene::set().await;
        let id = scene.link().await;
        let status = scene.service.has_synced(&id, 1).await;
        assert_eq!(status.last_outcome, Some(Outcome::Success));
        let sql = |key: &str| {
            format!("UPDATE carrier_integrations SET api_key = '{key}' WHERE id = '{id}'")
        };
        // As a platform of the same database does it: no command of ours, another role.
        let looks = scene.has_settled().await;
        scene.database.execute(&sql("wrong")).await;
        until("it has looked", async || {
            (scene.looks() > looks).then_some(())
        })
        .await;
        // A key is not tried before its time; another process may ask for that.
        scene.service.app.store.ask_to_sync(&id).await.unwrap();
        let needs = ActorState::NeedsCredentials;
        scene.service.reaches(&id, needs).await;
        scene.database.execute(&sql("simulated-key-1001")).await;
        let right = |status: &carrier_sync::status::ActorStatus| {
            status.last_outcome == Some(Outcome::Success) && status.in_flight == 0
        };
        scene.service.sees(&id, "is well again", right).await;
        scene
            .database
            .execute("DELETE FROM carrier_integrations")
            .await;
        until("it is off the board", async || {
            scene.service.status(&id).is_none().then_some(())
        })
        .await;
    });
}

#[test]
fn an_outcome_that_is_recorded_causes_no_look() {
    in_system(async {
        let scene = Scene::set().await;
        let id = scene.link().await;
        scene.service.has_synced(&id, 1).await;
        scene
            .service
            .stored(&id, "is recorded", |row| row.last_sync_status == "success")
            .await;
        let looks = scene.has_settled().await;
        scene.service.app.store.ask_to_sync(&id).await.unwrap();
        scene.service.has_synced(&id, 2).await;
        assert_eq!(scene.has_settled().await, looks);
    });
}

#[test]
fn whoever_has_it_syncs_an_integration_that_another_process_asks_for() {
    in_system(async {
        let scene = Scene::set().await;
        let id = scene.link().await;
        scene.service.has_synced(&id, 1).await;
        let another = connect(&store_options(&scene.database.service_url())).unwrap();
        assert!(another.ask_to_sync(&id).await.unwrap());
        scene.service.has_synced(&id, 2).await;
        // One that nobody has harms nobody.
        let nobodys = IntegrationId::parse("nobody's").unwrap();
        assert!(another.ask_to_sync(&nobodys).await.unwrap());
        assert!(another.ask_to_sync(&id).await.unwrap());
        scene.service.has_synced(&id, 3).await;
    });
}

#[test]
fn a_listener_that_was_cut_off_listens_again_and_misses_nothing() {
    in_system(async {
        let scene = Scene::set().await;
        let mut look = scene.database.superuser().await;
        let before: i32 = query_scalar(LISTENER).fetch_one(&mut look).await.unwrap();
        // The row appears while nobody can listen.
        let role = scene.database.service_role();
        let log_in = |may: &str| format!("ALTER ROLE {role} {may}");
        scene.database.execute(&log_in("NOLOGIN")).await;
        let cut = format!("SELECT pg_terminate_backend({before})");
        scene.database.execute(&cut).await;
        let first = scene.link().await;
        scene.database.execute(&log_in("LOGIN")).await;
        scene.service.has_synced(&first, 1).await;
        until("another listens", async || {
            let now: Option<i32> = query_scalar(LISTENER)
                .fetch_optional(&mut look)
                .await
                .ok()?;
            now.filter(|now| *now != before)
        })
        .await;
        scene.has_settled().await;
        let change = IntegrationChange {
            enabled: Some(false),
            ..IntegrationChange::default()
        };
        scene
            .owner
            .store
            .set_integration(&first, &change)
            .await
            .unwrap();
        until("it is off the board", async || {
            scene.service.status(&first).is_none().then_some(())
        })
        .await;
    });
}

#[test]
fn a_role_without_any_other_right_may_write_and_its_search_path_decides_nothing() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        let role = format!("{}_writer", database.owner_role());
        let setup = format!(
            "CREATE ROLE {role} NOLOGIN BYPASSRLS; GRANT INSERT ON carrier_integrations TO {role}; \
             CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO {role}; \
             CREATE FUNCTION trap.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS \
             $$ BEGIN RAISE 'the trap'; END $$; REVOKE ALL ON FUNCTION carrier_sync_notice() FROM PUBLIC"
        );
        database.execute(&setup).await;
        let mut listener = PgListener::connect(&database.superuser_url())
            .await
            .unwrap();
        listener.listen("carrier_sync").await.unwrap();
        let write = format!(
            "BEGIN; SET LOCAL ROLE {role}; SET LOCAL search_path = trap, public, pg_catalog; \
             INSERT INTO carrier_integrations (id, tenant_id, carrier_name) VALUES ('a', 't', 'hologram'); \
             INSERT INTO carrier_integrations (id, tenant_id, carrier_name) VALUES ('b', 't', 'hologram'); \
             COMMIT"
        );
        database.execute(&write).await;
        let told = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
        assert_eq!(told.unwrap().unwrap().payload(), "");
        database.execute("NOTIFY carrier_sync, 'end'").await;
        let next = listener.recv().await.unwrap();
        assert_eq!(next.payload(), "end", "one notice for the transaction");
        database
            .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
    });
}

#[test]
fn a_trigger_that_is_gone_is_made_again_by_the_next_migration() {
    in_system(async {
        let database = TestDatabase::migrated().await;
        database.migrate().await;
        let drop = "DROP TRIGGER carrier_sync_notice ON carrier_integrations";
        database.execute(drop).await;
        database.migrate().await;
        let count = "SELECT count(*) FROM pg_trigger WHERE tgname = 'carrier_sync_notice'";
        let mut look = database.superuser().await;
        let triggers: i64 = query_scalar(count).fetch_one(&mut look).await.unwrap();
        assert_eq!(triggers, 1);
    });
}
