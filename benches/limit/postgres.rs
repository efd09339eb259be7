//! Postgres: over one connection, as the role that row-level security binds, the tenant set inside
//! each transaction.

use std::fmt::Write;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, query, query_scalar};

use super::change::{Change, changes};
use super::{Done, rows_of};

const SET: &str = "\
    data_used_bytes = u.bytes, data_used_mb = u.mb_hundredths * 0.01, \
    data_used_updated_at = u.read_at, billing_cycle_start = u.cycle_start, \
    billing_cycle_end = u.cycle_end, billing_cycle_source = u.cycle_source, \
    sim_status = u.sim_status, network_status = u.network_status, sim_iccid = u.sim_iccid, \
    updated_at = now()";

pub async fn run(url: &str, tenant: &str, way: &str) -> (Vec<Change>, Done) {
    let mut connection = PgConnection::connect(url).await.expect("the server is up");
    // Planned for the arrays at hand, five plans would read the whole table for every batch.
    connection
        .execute("SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    let changes = changes(device_ids(&mut connection, tenant).await, Utc::now());
    let begun = Instant::now();
    let updated = match rows_of(way, "unnest") {
        Some(rows) => unnest(&mut connection, tenant, &changes, rows).await,
        None if way == "copy" => copy(&mut connection, tenant, &changes).await,
        None => panic!("Postgres knows unnest-N and copy, not {way}"),
    };
    let elapsed = begun.elapsed();
    let stored_bytes = stored_bytes(&mut connection, tenant).await;
    connection.close().await.unwrap();
    let done = Done {
        updated,
        elapsed,
        stored_bytes,
    };
    (changes, done)
}

async fn enter(transaction: &mut PgConnection, tenant: &str) {
    query(
        "SELECT set_config('app.tenant_id', $1, true), set_config('app.role', 'iot_service', true)",
    )
    .bind(tenant)
    .execute(transaction)
    .await
    .unwrap();
}

async fn device_ids(connection: &mut PgConnection, tenant: &str) -> Vec<String> {
    let mut transaction = connection.begin().await.unwrap();
    enter(&mut transaction, tenant).await;
    let sql = "SELECT device_id FROM device_connections WHERE tenant_id = $1 ORDER BY device_id";
    let ids = query_scalar(sql)
        .bind(tenant)
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    ids
}

async fn stored_bytes(connection: &mut PgConnection, tenant: &str) -> i64 {
    let mut transaction = connection.begin().await.unwrap();
    enter(&mut transaction, tenant).await;
    let sql = "SELECT sum(data_used_bytes)::bigint FROM device_connections WHERE tenant_id = $1";
    query_scalar(sql)
        .bind(tenant)
        .fetch_one(&mut *transaction)
        .await
        .unwrap()
}

/// Each batch is a transaction of its own, as a service would have it that streams pages.
async fn unnest(
    connection: &mut PgConnection,
    tenant: &str,
    changes: &[Change],
    rows: usize,
) -> u64 {
    let mut updated = 0;
    for batch in changes.chunks(rows) {
        let mut transaction = connection.begin().await.unwrap();
        enter(&mut transaction, tenant).await;
        updated += unnest_batch(&mut transaction, tenant, batch).await;
        transaction.commit().await.unwrap();
    }
    updated
}

async fn unnest_batch(transaction: &mut PgConnection, tenant: &str, batch: &[Change]) -> u64 {
    fn each<'a, T>(batch: &'a [Change], field: impl Fn(&'a Change) -> T) -> Vec<T> {
        batch.iter().map(field).collect()
    }
    query(sqlx::AssertSqlSafe(format!(
        "UPDATE device_connections AS d SET {SET} \
         FROM UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], \
                     $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[], $10::text[], \
                     $11::text[]) \
              AS u (device_id, bytes, mb_hundredths, read_at, cycle_start, cycle_end, \
                    cycle_source, sim_status, network_status, sim_iccid) \
         WHERE d.tenant_id = $1 AND d.device_id = u.device_id"
    )))
    .bind(tenant)
    .bind(each(batch, |change| change.device_id.as_str()))
    .bind(each(batch, |change| change.bytes))
    .bind(each(batch, |change| change.mb_hundredths))
    .bind(each(batch, |change| change.read_at))
    .bind(each(batch, |change| change.cycle_start))
    .bind(each(batch, |change| change.cycle_end))
    .bind(each(batch, |change| change.cycle_source))
    .bind(each(batch, |change| change.sim_status))
    .bind(each(batch, |change| change.network_status))
    .bind(each(batch, |change| change.iccid.as_str()))
    .execute(transaction)
    .await
    .unwrap()
    .rows_affected()
}

/// All rows in one transaction, of which this way needs one: its UPDATE reads the whole table.
async fn copy(connection: &mut PgConnection, tenant: &str, changes: &[Change]) -> u64 {
    let mut transaction = connection.begin().await.unwrap();
    enter(&mut transaction, tenant).await;
    transaction
        .execute(
            "CREATE TEMPORARY TABLE u (device_id text, bytes bigint, mb_hundredths bigint, \
             read_at timestamptz, cycle_start timestamptz, cycle_end timestamptz, \
             cycle_source text, sim_status text, network_status text, sim_iccid text) \
             ON COMMIT DROP",
        )
        .await
        .unwrap();
    let mut copied = transaction.copy_in_raw("COPY u FROM STDIN").await.unwrap();
    for batch in changes.chunks(5_000) {
        copied.send(lines(batch).as_bytes()).await.unwrap();
    }
    copied.finish().await.unwrap();
    let done = query(sqlx::AssertSqlSafe(format!(
        "UPDATE device_connections AS d SET {SET} FROM u \
         WHERE d.tenant_id = $1 AND d.device_id = u.device_id"
    )))
    .bind(tenant)
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    done.rows_affected()
}

/// Rows in COPY's text format; none of our values needs an escape.
fn lines(batch: &[Change]) -> String {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string();
    let mut text = String::with_capacity(batch.len() * 256);
    // One run has one time of reading.
    let read_at = batch.first().map(|change| time(change.read_at));
    let read_at = read_at.unwrap_or_default();
    for change in batch {
        writeln!(
            text,
            "{}\t{}\t{}\t{read_at}\t{}\t{}\t{}\t{}\t{}\t{}",
            change.device_id,
            change.bytes,
            change.mb_hundredths,
            time(change.cycle_start),
            time(change.cycle_end),
            change.cycle_source,
            change.sim_status,
            change.network_status,
            change.iccid,
        )
        .unwrap();
    }
    text
}
