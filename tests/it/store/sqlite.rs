//! The suite on SQLite, and what only a file can promise.

use std::os::unix::fs::PermissionsExt;

use carrier_sync::store::{StoreError, connect};

use super::conformance::on_engine;
use super::fleet::{Fleet, batch, device_name, used};
use crate::postgres::store_options;

on_engine!(Fleet::sqlite());

#[tokio::test]
async fn a_new_file_and_its_folders_are_for_their_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/for/it/fleet.db");
    let store = connect(&store_options(&format!("sqlite://{}", path.display()))).unwrap();
    assert!(!path.exists(), "nothing is made before it is needed");
    assert!(matches!(
        store.check(false).await,
        Err(StoreError::SchemaNotMigrated(_))
    ));
    store.migrate(None).await.unwrap();
    store.check(false).await.unwrap();
    for file in ["fleet.db", "fleet.db-wal"] {
        let mode = path
            .with_file_name(file)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_database_in_memory_lasts_as_long_as_its_store() {
    let store = connect(&store_options("sqlite::memory:")).unwrap();
    store.migrate(None).await.unwrap();
    store.check(false).await.unwrap();
    assert!(store.integrations().await.unwrap().is_empty());
    let other = connect(&store_options("sqlite::memory:")).unwrap();
    assert!(matches!(
        other.check(false).await,
        Err(StoreError::SchemaNotMigrated(_))
    ));
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_unavailable_and_named() {
    let store = connect(&store_options("sqlite:///proc/nowhere/fleet.db")).unwrap();
    let told = store.integrations().await;
    assert!(
        matches!(&told, Err(StoreError::Unavailable(text)) if text.contains("/proc/nowhere")),
        "{told:?}"
    );
}

#[tokio::test]
async fn columns_that_an_adopted_file_lacks_are_added_and_wrong_ones_are_named() {
    let fleet = Fleet::sqlite().await;
    fleet.account("t", "i", 1).await;
    fleet
        .execute("ALTER TABLE device_connections DROP COLUMN data_used_mb")
        .await;
    let told = fleet.service.check(false).await.unwrap_err().to_string();
    assert!(
        told.contains("column device_connections.data_used_mb"),
        "{told}"
    );
    let told = fleet
        .service
        .write(&[batch("t", "i", vec![used(&device_name(0), 1)])])
        .await;
    assert!(
        matches!(told, Err(StoreError::SchemaNotMigrated(_))),
        "{told:?}"
    );
    fleet.admin.migrate(None).await.unwrap();
    fleet.service.check(false).await.unwrap();

    fleet
        .execute(
            "ALTER TABLE device_connections DROP COLUMN billing_cycle_start; \
             ALTER TABLE device_connections ADD COLUMN billing_cycle_start INT",
        )
        .await;
    let told = fleet.admin.migrate(None).await;
    assert!(
        matches!(&told, Err(StoreError::SchemaConflict(text))
        if text.contains("billing_cycle_start: found INT, expected TEXT")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_row_that_is_no_text_costs_the_others_nothing() {
    let fleet = Fleet::sqlite().await;
    fleet.account("t", "i", 3).await;
    let broken = format!(
        "UPDATE device_connections SET carrier_device_id = x'ff' WHERE device_id = '{}'",
        device_name(0)
    );
    fleet.execute(&broken).await;
    let (tenant, integration) = (super::fleet::tenant("t"), super::fleet::integration("i"));
    let linked = fleet.service.linked_devices(&tenant, &integration).await;
    assert_eq!(
        linked.unwrap().len(),
        3,
        "it fails at the carrier, by itself"
    );
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_unavailable() {
    use sqlx::{Connection, SqliteConnection, raw_sql};
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("fleet.db").display());
    let mut options = store_options(&url);
    options.lock_timeout = std::time::Duration::from_millis(20);
    let store = connect(&options).unwrap();
    store.migrate(None).await.unwrap();
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let told = store.write(&[batch("t", "i", vec![used("d", 1)])]).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store
        .write(&[batch("t", "i", vec![used("d", 1)])])
        .await
        .unwrap();
}

#[tokio::test]
async fn an_adopted_file_without_a_key_gets_one_or_a_named_conflict() {
    use sqlx::{Connection, SqliteConnection, query_scalar, raw_sql};
    for (rows, fits) in [
        ("('t', 'd'), ('t', 'e')", true),
        ("('t', 'd'), ('t', 'd')", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("fleet.db").display());
        let store = connect(&store_options(&url)).unwrap();
        drop(store.check(false).await);
        let mut arrange = SqliteConnection::connect(&url).await.unwrap();
        let table = "CREATE TABLE device_connections (tenant_id TEXT, device_id TEXT)";
        let insert = format!("{table}; INSERT INTO device_connections VALUES {rows}");
        raw_sql(sqlx::AssertSqlSafe(insert))
            .execute(&mut arrange)
            .await
            .unwrap();

        let told = store.migrate(None).await;
        if fits {
            told.unwrap();
            store.check(false).await.unwrap();
        } else {
            assert!(
                matches!(told, Err(StoreError::SchemaConflict(_))),
                "{told:?}"
            );
            let tables: i64 =
                query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
                    .fetch_one(&mut arrange)
                    .await
                    .unwrap();
            assert_eq!(tables, 1, "nothing was changed");
        }
    }
}

#[tokio::test]
async fn a_fresh_file_has_each_key_once() {
    use sqlx::{Connection, SqliteConnection, query_scalar};
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("fleet.db").display());
    let store = connect(&store_options(&url)).unwrap();
    let (one, two) = tokio::join!(store.migrate(None), async {
        connect(&store_options(&url)).unwrap().migrate(None).await
    });
    one.and(two).unwrap();
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let indexes: i64 = query_scalar("SELECT count(*) FROM pragma_index_list('device_connections')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(indexes, 2, "the primary key's and the integration's");
    let journal: String = query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(journal, "wal");
}
