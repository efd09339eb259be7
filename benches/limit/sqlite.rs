//! SQLite: one connection, write-ahead log, every commit synced to disk, one transaction over all.

use std::str::FromStr;
use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, query, query_scalar};

use super::change::{Change, changes};
use super::{Done, rows_of};

pub async fn run(url: &str, tenant: &str, way: &str) -> (Vec<Change>, Done) {
    let mut connection = SqliteConnectOptions::from_str(url)
        .expect("a sqlite URL")
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .expect("the file is there");
    let ids = query_scalar(
        "SELECT device_id FROM device_connections WHERE tenant_id = ?1 ORDER BY device_id",
    );
    let ids = ids.bind(tenant).fetch_all(&mut connection).await.unwrap();
    let changes = changes(ids, Utc::now());
    let begun = Instant::now();
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut updated = 0;
    match rows_of(way, "json") {
        Some(rows) => {
            for batch in changes.chunks(rows) {
                updated += json_each(&mut transaction, tenant, batch).await;
            }
        }
        None if way == "prepared" => {
            for change in &changes {
                updated += prepared(&mut transaction, tenant, change).await;
            }
        }
        None => panic!("SQLite knows json-N and prepared, not {way}"),
    }
    transaction.commit().await.unwrap();
    let elapsed = begun.elapsed();
    let sum = "SELECT sum(data_used_bytes) FROM device_connections WHERE tenant_id = ?1";
    let stored_bytes = query_scalar(sum).bind(tenant);
    let stored_bytes = stored_bytes.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let done = Done {
        updated,
        elapsed,
        stored_bytes,
    };
    (changes, done)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

async fn json_each(transaction: &mut SqliteConnection, tenant: &str, batch: &[Change]) -> u64 {
    let rows: Vec<_> = batch
        .iter()
        .map(|change| {
            (
                tenant,
                &change.device_id,
                change.bytes,
                change.mb_hundredths,
                text(change.read_at),
                text(change.cycle_start),
                text(change.cycle_end),
                change.cycle_source,
                change.sim_status,
                change.network_status,
                &change.iccid,
            )
        })
        .collect();
    query(
        "UPDATE device_connections AS d SET \
            data_used_bytes = u.value ->> 2, data_used_mb = (u.value ->> 3) / 100.0, \
            data_used_updated_at = u.value ->> 4, billing_cycle_start = u.value ->> 5, \
            billing_cycle_end = u.value ->> 6, billing_cycle_source = u.value ->> 7, \
            sim_status = u.value ->> 8, network_status = u.value ->> 9, \
            sim_iccid = u.value ->> 10, updated_at = u.value ->> 4 \
         FROM json_each(?1) AS u \
         WHERE d.tenant_id = u.value ->> 0 AND d.device_id = u.value ->> 1",
    )
    .bind(serde_json::to_string(&rows).unwrap())
    .execute(transaction)
    .await
    .unwrap()
    .rows_affected()
}

async fn prepared(transaction: &mut SqliteConnection, tenant: &str, change: &Change) -> u64 {
    query(
        "UPDATE device_connections SET \
            data_used_bytes = ?3, data_used_mb = ?4 / 100.0, data_used_updated_at = ?5, \
            billing_cycle_start = ?6, billing_cycle_end = ?7, billing_cycle_source = ?8, \
            sim_status = ?9, network_status = ?10, sim_iccid = ?11, updated_at = ?5 \
         WHERE tenant_id = ?1 AND device_id = ?2",
    )
    .bind(tenant)
    .bind(&change.device_id)
    .bind(change.bytes)
    .bind(change.mb_hundredths)
    .bind(text(change.read_at))
    .bind(text(change.cycle_start))
    .bind(text(change.cycle_end))
    .bind(change.cycle_source)
    .bind(change.sim_status)
    .bind(change.network_status)
    .bind(&change.iccid)
    .execute(transaction)
    .await
    .unwrap()
    .rows_affected()
}
