//! Someone else holds what the service needs: rows, time, connections. It waits its turn within its
//! own limits, says so when it is told no, and goes on when there is room. (Its own pool in full use:
//! `store/unavailable.rs`.)

use carrier_sync::status::ActorState;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, raw_sql};

use super::desk::{Desk, until, waits_for_a_lock};
use crate::breakable_postgres::BreakablePostgres;
use crate::fleet::in_system;

/// A row of the fleet, locked in another session before the service meets it.
const HOLD: &str = "SELECT 1 FROM device_connections ORDER BY device_id LIMIT 1 FOR UPDATE";

/// Starts a sync that meets a lock; `meanwhile` sees it wait, then the lock is given up.
async fn behind_a_lock(settings: &[(&str, &str)], meanwhile: impl AsyncFnOnce(&Desk)) {
    let server = BreakablePostgres::take().await;
    let database = server.database().await;
    let (mut other, mut look) = (database.superuser().await, database.superuser().await);
    let desk = Desk::laid(&database, settings).await;
    let mut held = other.begin().await.unwrap();
    raw_sql(HOLD).execute(&mut *held).await.unwrap();
    desk.begin();
    waits_for_a_lock(&mut look, &database.service_role()).await;
    meanwhile(&desk).await;
    held.rollback().await.unwrap();
    desk.recovers().await;
    desk.assert_first_sync_succeeded();
    desk.close().await;
    drop(database);
}

#[test]
fn a_row_locked_for_a_while_is_waited_for_without_a_word() {
    in_system(behind_a_lock(
        &[("database.lock_timeout", "30s")],
        async |desk| {
            assert_ne!(desk.writer().state, ActorState::BackingOff);
            assert_eq!(desk.witness.refusals(), Vec::<String>::new());
        },
    ));
}

#[test]
fn a_row_locked_for_longer_than_the_lock_timeout_is_tried_again_until_it_is_free() {
    in_system(behind_a_lock(
        &[("database.lock_timeout", "100ms")],
        async |desk| {
            desk.in_trouble(Desk::writer, "lock timeout").await;
            tries(desk, 3).await;
        },
    ));
}

#[test]
fn a_statement_that_takes_too_long_is_tried_again_until_it_does_not() {
    let settings = [
        ("database.lock_timeout", "30s"),
        ("database.statement_timeout", "150ms"),
    ];
    in_system(behind_a_lock(&settings, async |desk| {
        desk.in_trouble(Desk::writer, "statement timeout").await;
        tries(desk, 3).await;
    }));
}

async fn tries(desk: &Desk, times: usize) {
    until("it is tried again and again", async || {
        (desk.witness.refusals().len() >= times).then_some(())
    })
    .await;
}

async fn told(administrator: &mut PgConnection, sql: String) {
    let done = raw_sql(AssertSqlSafe(sql)).execute(administrator).await;
    done.unwrap();
}

#[test]
fn a_server_without_a_free_connection_is_waited_for() {
    in_system(async {
        let server = BreakablePostgres::take().await;
        let database = server.database().await;
        let role = database.service_role();
        let mut administrator = database.superuser().await;
        let desk = Desk::on(&database, &[]).await;
        desk.has_written(200).await;
        let full = format!("ALTER ROLE {role} CONNECTION LIMIT 0");
        told(&mut administrator, full).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename";
        told(&mut administrator, format!("{cut} = '{role}'")).await;
        desk.in_trouble(Desk::writer, "too many connections").await;
        desk.in_trouble(Desk::supervisor, "too many connections")
            .await;
        let room = format!("ALTER ROLE {role} CONNECTION LIMIT -1");
        told(&mut administrator, room).await;
        desk.recovers().await;
        desk.assert_first_sync_succeeded();
        desk.close().await;
        drop(database);
    });
}
