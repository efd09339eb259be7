//! What an update costs the table: its new version stays on the page of the old one (HOT), so that no
//! index is touched. That needs room on the page and no index on a column that a sync writes.

use sqlx::{PgConnection, query_as, query_scalar};

use super::fleet::*;
use crate::database_faults::desk::until;
use crate::postgres::TestDatabase;

#[tokio::test]
async fn no_index_stands_on_a_column_that_a_sync_writes() {
    let fleet = Fleet::postgres().await;
    let mut look = fleet.database().superuser().await;
    // What the service may write is what it writes: `roles.rs` sees to it.
    let written: Vec<String> = query_scalar(
        "SELECT column_name::text FROM information_schema.column_privileges \
         WHERE table_name = 'device_connections' AND privilege_type = 'UPDATE' AND grantee = $1",
    )
    .bind(fleet.database().service_role())
    .fetch_all(&mut look)
    .await
    .unwrap();
    assert!(written.contains(&"data_used_updated_at".to_owned()));
    // Of an expression or a condition too: these are dependencies of the index like its columns.
    let indexed: Vec<String> = query_scalar(
        "SELECT DISTINCT a.attname::text FROM pg_index i \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0 \
         WHERE i.indrelid = 'device_connections'::regclass \
           AND (a.attnum = ANY (i.indkey) OR EXISTS ( \
                SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
                  AND d.objid = i.indexrelid AND d.refobjid = i.indrelid \
                  AND d.refobjsubid = a.attnum))",
    )
    .fetch_all(&mut look)
    .await
    .unwrap();
    assert!(indexed.contains(&"carrier_integration_id".to_owned()));
    let both: Vec<_> = indexed.iter().filter(|c| written.contains(c)).collect();
    assert!(both.is_empty(), "indexed and written: {both:?}");
}

/// Updates of devices so far, and how many of them stayed on their page.
async fn updates(look: &mut PgConnection, at_least: i64) -> (i64, i64) {
    until("the server has counted", async || {
        let counted: (i64, i64) = query_as(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables \
             WHERE relname = 'device_connections'",
        )
        .fetch_one(&mut *look)
        .await
        .unwrap();
        (counted.0 >= at_least).then_some(counted)
    })
    .await
}

#[tokio::test]
async fn a_sync_leaves_every_row_on_its_page() {
    const DEVICES: usize = 3_000;
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", DEVICES).await;
    let mut look = fleet.database().superuser().await;
    let sync = async |bytes| {
        let all = (0..DEVICES).map(|n| everything(&device_name(n), bytes));
        let written = fleet.write(&[batch("t", "i", all.collect())]).await;
        assert_eq!(written[0].written, DEVICES);
    };
    // The first fills columns that were empty: rows grow, and some have to move, which the next still
    // finds in its way.
    for bytes in 1..=3 {
        sync(bytes << 40).await;
    }
    let each = i64::try_from(DEVICES).unwrap();
    let (before, hot_before) = updates(&mut look, 3 * each).await;
    for bytes in 4..=7 {
        sync(bytes << 40).await;
    }
    let (after, hot_after) = updates(&mut look, before + 4 * each).await;
    let (all, hot) = (after - before, hot_after - hot_before);
    assert!(hot * 100 >= all * 95, "{hot} of {all}");
}

/// Rows of devices that the server has read so far, by index or whole.
async fn rows_read(look: &mut PgConnection, updates: i64) -> i64 {
    self::updates(look, updates).await;
    query_scalar(
        "SELECT (seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i \
                                 WHERE i.relid = t.relid))::bigint \
         FROM pg_stat_user_tables t WHERE relname = 'device_connections'",
    )
    .fetch_one(look)
    .await
    .unwrap()
}

/// Thousands of accounts of one device make the planner expect one device per account.
#[tokio::test]
async fn a_batch_costs_its_own_rows_however_large_its_account_and_however_small_the_others() {
    const DEVICES: usize = 4_000;
    const BATCH: usize = 500;
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", DEVICES).await;
    fleet
        .execute(
            "INSERT INTO device_connections (tenant_id, device_id, carrier_integration_id) \
             SELECT 'u' || n, 'd', 'i' || n FROM generate_series(1, 20000) AS n; \
             ANALYZE device_connections",
        )
        .await;
    // A connection that ends has told the server's statistics what it did.
    fleet.admin.close().await;
    let mut look = fleet.database().superuser().await;
    let sync = async |bytes| {
        for first in (0..DEVICES).step_by(BATCH) {
            let updates = (first..first + BATCH).map(|n| used(&device_name(n), bytes));
            let written = fleet.write(&[batch("t", "i", updates.collect())]).await;
            assert_eq!(written[0].written, BATCH);
        }
    };
    let rows = i64::try_from(DEVICES).unwrap();
    sync(1).await;
    let before = rows_read(&mut look, rows).await;
    sync(2).await;
    let read = rows_read(&mut look, 2 * rows).await - before;
    assert!(read <= rows * 4, "{read} rows read to write {rows}");
}

async fn fillfactor(database: &TestDatabase) -> Option<String> {
    let sql = "SELECT substring(array_to_string(reloptions, ',') FROM 'fillfactor=([0-9]+)') \
               FROM pg_class WHERE oid = 'device_connections'::regclass";
    let mut look = database.superuser().await;
    query_scalar(sql).fetch_one(&mut look).await.unwrap()
}

#[tokio::test]
async fn a_page_is_filled_to_the_half_unless_the_operator_has_said_otherwise() {
    let ours = TestDatabase::migrated().await;
    assert_eq!(fillfactor(&ours).await.as_deref(), Some("50"));
    let table = "CREATE TABLE device_connections (tenant_id text, device_id text, \
                 PRIMARY KEY (tenant_id, device_id))";
    for (options, expected) in [
        ("", Some("50")),
        (" WITH (autovacuum_vacuum_scale_factor = 0.1)", Some("50")),
        (" WITH (fillfactor = 75)", Some("50")),
        (" WITH (fillfactor = 90)", Some("90")),
        (" PARTITION BY HASH (tenant_id)", None),
    ] {
        let adopted = TestDatabase::create().await;
        adopted.execute_as_owner(&format!("{table}{options}")).await;
        adopted.migrate().await;
        assert_eq!(fillfactor(&adopted).await.as_deref(), expected, "{options}");
    }
}
