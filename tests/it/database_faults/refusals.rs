//! The server answers, and says no: a right is missing, a column is gone, the disk is full. A state
//! with the reason and the remedy, and the service goes on when the remedy has been applied.

use carrier_sync::integration::Outcome;
use carrier_sync::status::ActorState;

use super::desk::{Desk, until};
use crate::breakable_postgres::BreakablePostgres;
use crate::fleet::in_system;
use crate::postgres::TestDatabase;

/// Breaks the database in the middle of a sync, waits for the reason to show, mends it.
async fn until_mended(
    break_it: impl AsyncFnOnce(&TestDatabase),
    shows: impl AsyncFnOnce(&Desk),
    mend: impl AsyncFnOnce(&TestDatabase),
) {
    let server = BreakablePostgres::take().await;
    let database = server.database().await;
    let desk = Desk::on(&database, &[]).await;
    desk.has_written(200).await;
    break_it(&database).await;
    shows(&desk).await;
    mend(&database).await;
    desk.recovers().await;
    desk.close().await;
    drop(database);
}

/// The sync that met the refusal told the truth: some rows are written, the rest is not.
fn assert_told(desk: &Desk, reason: &str) {
    let records = desk.witness.records();
    let first = &records[0].record;
    assert_eq!(first.outcome, Outcome::Partial, "{first:?}");
    let error = first.error.as_deref().unwrap_or_default();
    assert!(error.contains(reason), "{error}");
    for later in &records[1..] {
        assert_ne!(later.record.outcome, Outcome::Success, "{later:?}");
    }
}

#[test]
fn a_revoked_right_is_a_state_with_its_remedy_until_it_is_granted_again() {
    in_system(until_mended(
        async |database| {
            let role = database.service_role();
            let revoke = format!("REVOKE UPDATE ON device_connections FROM {role}");
            database.execute_as_owner(&revoke).await;
        },
        async |desk| {
            desk.in_trouble(Desk::integration, "permission denied")
                .await;
            desk.in_trouble(Desk::integration, "migrate --service-role")
                .await;
            assert_told(desk, "permission denied");
            desk.assert_nothing_lost().await;
            assert_eq!(desk.supervisor().reason, None);
        },
        async |database| {
            let role = database.service_role();
            let grant = format!("GRANT UPDATE ON device_connections TO {role}");
            database.execute_as_owner(&grant).await;
        },
    ));
}

#[test]
fn a_right_to_look_revoked_from_a_running_service_is_waited_for() {
    in_system(until_mended(
        async |database| {
            let role = database.service_role();
            let revoke = format!("REVOKE SELECT ON carrier_integrations FROM {role}");
            database.execute_as_owner(&revoke).await;
        },
        async |desk| {
            desk.in_trouble(Desk::supervisor, "permission denied").await;
            assert!(!desk.has_ended(), "what runs goes on");
        },
        async |database| database.migrate().await,
    ));
}

/// A column that went missing after it was made is not silently made anew: `migrate` names the
/// statement, and running it is all there is to do.
async fn run_what_migrate_says(database: &TestDatabase) {
    let store = database.owner_store();
    let told = store.migrate(Some(&database.service_role())).await;
    let told = told.expect_err("a column is gone").to_string();
    let (_, statement) = told.split_once("run: ").expect("it says what to run");
    database.execute_as_owner(statement).await;
    store.migrate(Some(&database.service_role())).await.unwrap();
    store.close().await;
}

#[test]
fn a_column_dropped_under_the_writer_is_a_state_until_it_is_added_again() {
    in_system(until_mended(
        async |database| {
            let drop = "ALTER TABLE device_connections DROP COLUMN billing_cycle_source";
            database.execute_as_owner(drop).await;
        },
        async |desk| {
            desk.in_trouble(Desk::integration, "schema not migrated")
                .await;
            desk.in_trouble(Desk::integration, "billing_cycle_source")
                .await;
            assert_told(desk, "schema not migrated");
        },
        run_what_migrate_says,
    ));
}

#[test]
fn a_column_dropped_under_the_supervisor_is_a_state_until_it_is_added_again() {
    in_system(until_mended(
        async |database| {
            let drop = "ALTER TABLE carrier_integrations DROP COLUMN last_success_at";
            database.execute_as_owner(drop).await;
        },
        async |desk| {
            desk.in_trouble(Desk::supervisor, "schema not migrated")
                .await;
            desk.in_trouble(Desk::supervisor, "last_success_at").await;
        },
        run_what_migrate_says,
    ));
}

/// Postgres says so with a code of its own, which a trigger can use as well as a full disk.
const FULL_DISK: &str = "\
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        RAISE EXCEPTION 'could not extend file: No space left on device' \
            USING ERRCODE = 'disk_full'; \
    END $$; \
    CREATE TRIGGER full_disk BEFORE UPDATE ON device_connections \
        FOR EACH STATEMENT EXECUTE FUNCTION full_disk()";

#[test]
fn a_full_disk_is_waited_for() {
    in_system(until_mended(
        async |database| database.execute_as_owner(FULL_DISK).await,
        async |desk| {
            desk.in_trouble(Desk::writer, "No space left on device")
                .await;
            until("it is tried again", async || {
                (desk.witness.refusals().len() >= 3).then_some(())
            })
            .await;
            assert_eq!(desk.integration().state, ActorState::Syncing, "it waits");
        },
        async |database| {
            let free = "DROP TRIGGER full_disk ON device_connections";
            database.execute_as_owner(free).await;
        },
    ));
}
