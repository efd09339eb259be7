//! The server goes and comes back, or one of its processes dies, in the middle of a sync's batches:
//! a wait for the sync, nothing for its rows.

use sqlx::{AssertSqlSafe, Connection, query, raw_sql};

use super::desk::{Desk, waits_for_a_lock};
use crate::breakable_postgres::BreakablePostgres;
use crate::fleet::in_system;

/// Somewhere in the middle of the fleet.
const MIDWAY: usize = 200;

/// The sync stands before a row that another session holds, with others written, when it happens.
async fn survives(restart: impl AsyncFnOnce(&BreakablePostgres)) {
    let server = BreakablePostgres::take().await;
    let database = server.database().await;
    let (mut other, mut look) = (database.superuser().await, database.superuser().await);
    let desk = Desk::laid(&database, &[("database.lock_timeout", "30s")]).await;
    let mut held = other.begin().await.unwrap();
    // The newest devices are listed first, so the oldest is in the last batch.
    let oldest = "SELECT device_id FROM device_connections ORDER BY device_id LIMIT 1 FOR UPDATE";
    raw_sql(oldest).execute(&mut *held).await.unwrap();
    desk.begin();
    desk.has_written(MIDWAY).await;
    waits_for_a_lock(&mut look, &database.service_role()).await;
    restart(&server).await;
    desk.recovers().await;
    desk.assert_first_sync_succeeded();
    assert!(!desk.witness.refusals().is_empty(), "it met the restart");
    desk.close().await;
    drop((held, database));
    drop((other, look));
    drop(server);
}

#[test]
fn a_fast_restart_in_the_middle_of_batches_costs_a_wait() {
    in_system(survives(async |server| server.restart_fast().await));
}

#[test]
fn an_immediate_restart_in_the_middle_of_batches_costs_a_wait() {
    in_system(survives(async |server| server.restart_immediate().await));
}

#[test]
fn a_server_that_is_gone_for_a_while_shows_everywhere_and_comes_back_unaided() {
    in_system(async {
        let server = BreakablePostgres::take().await;
        let database = server.database().await;
        let desk = Desk::on(&database, &[]).await;
        desk.has_written(MIDWAY).await;
        server.stop().await;
        desk.in_trouble(Desk::writer, "database unavailable").await;
        desk.in_trouble(Desk::supervisor, "database unavailable")
            .await;
        server.start().await;
        desk.recovers().await;
        desk.assert_first_sync_succeeded();
        desk.close().await;
        drop(database);
    });
}

#[test]
fn a_backend_killed_in_the_middle_of_its_flush_costs_a_second_try() {
    in_system(async {
        let server = BreakablePostgres::take().await;
        let database = server.database().await;
        let (mut other, mut look) = (database.superuser().await, database.superuser().await);
        let desk = Desk::laid(&database, &[("database.lock_timeout", "30s")]).await;
        let mut held = other.begin().await.unwrap();
        let table = raw_sql("LOCK TABLE device_connections IN EXCLUSIVE MODE");
        table.execute(&mut *held).await.unwrap();
        desk.begin();
        let backend = waits_for_a_lock(&mut look, &database.service_role()).await;
        let killed = query(AssertSqlSafe(format!(
            "SELECT pg_terminate_backend({backend})"
        )));
        killed.execute(&mut look).await.unwrap();
        desk.in_trouble(Desk::writer, "terminating connection")
            .await;
        assert_eq!(
            desk.supervisor().reason,
            None,
            "others have other connections"
        );
        held.rollback().await.unwrap();
        desk.recovers().await;
        desk.assert_first_sync_succeeded();
        desk.close().await;
        drop((database, other, look));
        drop(server);
    });
}
