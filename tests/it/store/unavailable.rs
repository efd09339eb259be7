//! A database that is not there, or not willing: a value of each call, with the reason and without
//! the password.

use std::time::{Duration, Instant};

use carrier_sync::store::{StoreError, StoreOptions, connect};
use sqlx::{Connection, PgConnection, raw_sql};
use tokio::net::TcpListener;

use super::fleet::*;
use crate::postgres::store_options;

fn impatient(url: &str) -> StoreOptions {
    StoreOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(300),
        statement_timeout: Duration::from_millis(300),
        lock_timeout: Duration::from_millis(100),
        ..store_options(url)
    }
}

async fn reason(options: &StoreOptions) -> String {
    let store = connect(options).expect("connecting is lazy");
    match store.integrations().await {
        Err(StoreError::Unavailable(text)) => text,
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_with_the_reason_and_without_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://fleet:canary@127.0.0.1:{port}/fleet");

    // Accepts and never answers.
    let text = reason(&impatient(&url)).await;
    assert!(text.contains("does not answer"), "{text}");
    drop(listener);
    let text = reason(&impatient(&url)).await;
    assert!(text.contains("refused"), "{text}");
    let text = reason(&impatient(
        "postgres://fleet:canary@no-such-host.invalid/fleet",
    ))
    .await;
    assert!(!text.contains("canary"), "{text}");
    let store = connect(&impatient(&url)).unwrap();
    assert!(!format!("{store:?} {:?}", impatient(&url)).contains("canary"));
}

#[tokio::test]
async fn a_refused_log_in_is_unavailable_with_the_reason() {
    let fleet = Fleet::postgres().await;
    let mut url = url::Url::parse(&fleet.database().service_url()).unwrap();
    url.set_path("no_such_database");
    let text = reason(&impatient(url.as_str())).await;
    assert!(text.contains("no_such_database"), "{text}");
}

#[tokio::test]
async fn a_lock_held_by_another_is_unavailable_in_time_and_nothing_is_written() {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 3).await;
    let mut other = PgConnection::connect(&fleet.database().superuser_url())
        .await
        .unwrap();
    let mut transaction = other.begin().await.unwrap();
    raw_sql("SELECT 1 FROM device_connections WHERE device_id = 'd0001' FOR UPDATE")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let options = StoreOptions {
        lock_timeout: Duration::from_millis(100),
        ..store_options(&fleet.database().service_url())
    };
    let service = connect(&options).unwrap();
    let updates: Vec<_> = (0..3).map(|n| used(&device_name(n), 5)).collect();
    let told = service.write(&[batch("t", "i", updates.clone())]).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    assert!(
        fleet
            .devices("t")
            .await
            .iter()
            .all(|row| row.data_used_bytes.is_none())
    );
    transaction.rollback().await.unwrap();
    assert_eq!(
        receipts(service.write(&[batch("t", "i", updates)]).await)[0].written,
        3
    );
}

#[tokio::test]
async fn connections_cut_by_the_server_are_replaced() {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 1).await;
    fleet.service.integrations().await.unwrap();
    let role = fleet.database().service_role();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename";
    fleet.database().execute(&format!("{sql} = '{role}'")).await;
    let receipts = fleet
        .write(&[batch("t", "i", vec![used("d0000", 5)])])
        .await;
    assert_eq!(receipts[0].written, 1);
}

#[tokio::test]
async fn a_pool_in_full_use_says_so_and_waits_no_longer_than_told() {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 1).await;
    let mut other = PgConnection::connect(&fleet.database().superuser_url())
        .await
        .unwrap();
    let mut transaction = other.begin().await.unwrap();
    raw_sql("LOCK TABLE device_connections")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let options = StoreOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(200),
        ..store_options(&fleet.database().service_url())
    };
    let service = connect(&options).unwrap();
    service.integrations().await.unwrap();
    let batches = [batch("t", "i", vec![used("d0000", 1)])];
    let (started, waiting) = (Instant::now(), service.write(&batches));
    let told = tokio::select! {
        biased;
        written = waiting => panic!("wrote past the lock: {written:?}"),
        told = async { tokio::task::yield_now().await; service.integrations().await } => told,
    };
    assert!(
        matches!(&told, Err(StoreError::Unavailable(text)) if text.contains("in use")),
        "{told:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}
