//! The service's role: what it may do, and with which roles it refuses to start.

use carrier_sync::store::{NewIntegration, Store, StoreError, connect};
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

use super::fleet::*;
use crate::postgres::{TestDatabase, store_options};

async fn refusal(store: &dyn Store) -> String {
    match store.check(false).await {
        Err(StoreError::Role(text)) => text,
        other => panic!("not refused for its role: {other:?}"),
    }
}

#[tokio::test]
async fn the_service_role_is_granted_what_it_needs_and_nothing_else() {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 1).await;
    fleet.service.check(false).await.unwrap();
    let mut service = PgConnection::connect(&fleet.database().service_url())
        .await
        .unwrap();
    for sql in [
        "INSERT INTO device_connections (tenant_id, device_id) VALUES ('t', 'x')",
        "INSERT INTO carrier_integrations (tenant_id, carrier_name) VALUES ('t', 'x')",
        "DELETE FROM device_connections",
        "DELETE FROM carrier_integrations",
        "TRUNCATE device_connections",
        "UPDATE device_connections SET tenant_id = 'u'",
        "UPDATE device_connections SET carrier_integration_id = NULL",
        "UPDATE carrier_integrations SET api_key = 'x'",
        "UPDATE carrier_integrations SET enabled = false",
        "SELECT tenant_id FROM tenants",
        "SELECT version FROM carrier_sync_migrations",
        "ALTER TABLE device_connections DISABLE ROW LEVEL SECURITY",
        "DROP POLICY carrier_sync_tenant ON device_connections",
        "CREATE TABLE mine (id int)",
        "DROP TABLE device_connections",
    ] {
        let error = raw_sql(AssertSqlSafe(sql))
            .execute(&mut service)
            .await
            .expect_err(sql);
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .unwrap();
        assert_eq!(code, "42501", "{sql}: {error}");
    }
}

#[tokio::test]
async fn administration_as_the_service_is_refused_with_the_way_out() {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 1).await;
    let new = NewIntegration {
        id: None,
        tenant_id: tenant("t"),
        carrier_name: "hologram".into(),
        fields: Default::default(),
    };
    let told = fleet.service.add_integration(&new).await;
    assert!(
        matches!(&told, Err(StoreError::Role(text)) if text.contains("administrative database URL")),
        "{told:?}"
    );
    let told = fleet.service.remove_integration(&integration("i")).await;
    assert!(matches!(told, Err(StoreError::Role(_))), "{told:?}");
    let told = fleet
        .service
        .link_devices(&integration("i"), &[link("x")])
        .await;
    assert!(matches!(told, Err(StoreError::Role(_))), "{told:?}");
    let told = fleet.service.migrate(None).await;
    assert!(matches!(told, Err(StoreError::Role(_))), "{told:?}");
}

#[tokio::test]
async fn a_role_that_row_level_security_does_not_bind_is_refused() {
    let database = TestDatabase::migrated().await;
    let superuser = connect(&store_options(&database.superuser_url())).unwrap();
    assert!(refusal(&*superuser).await.contains("is a superuser"));
    superuser.check(true).await.unwrap();

    let owner = database.owner_store();
    let text = refusal(&*owner).await;
    assert!(
        text.contains("owns table") && text.contains(&database.owner_role()),
        "{text}"
    );
    assert!(
        text.contains("NOSUPERUSER NOBYPASSRLS") && text.contains("--service-role"),
        "{text}"
    );
    owner.check(true).await.unwrap();

    let service = database.service_store();
    service.check(false).await.unwrap();
    let role = database.service_role();
    database
        .execute(&format!("ALTER ROLE {role} BYPASSRLS"))
        .await;
    assert!(refusal(&*service).await.contains("has BYPASSRLS"));
    database
        .execute(&format!("ALTER ROLE {role} NOBYPASSRLS"))
        .await;
    database
        .execute(&format!("GRANT {} TO {role}", database.owner_role()))
        .await;
    assert!(refusal(&*service).await.contains("is a member of"));
    database
        .execute(&format!("REVOKE {} FROM {role}", database.owner_role()))
        .await;
    service.check(false).await.unwrap();
}

#[tokio::test]
async fn missing_rights_are_named_with_the_command_that_grants_them() {
    let database = TestDatabase::create().await;
    database.owner_store().migrate(None).await.unwrap();
    let service = database.service_store();
    let text = refusal(&*service).await;
    assert!(
        text.contains("--service-role") && text.contains("UPDATE"),
        "{text}"
    );
    let told = service.integrations().await;
    assert!(
        matches!(&told, Err(StoreError::Role(text)) if text.contains("--service-role")),
        "{told:?}"
    );
    database.migrate().await;
    service.check(false).await.unwrap();
    service.integrations().await.unwrap();
}

#[tokio::test]
async fn a_service_role_that_does_not_exist_is_not_made_and_nothing_is() {
    let database = TestDatabase::create().await;
    let told = database.owner_store().migrate(Some("no\"body")).await;
    let expected = r#"CREATE ROLE "no""body" LOGIN NOSUPERUSER NOBYPASSRLS"#;
    assert!(
        matches!(&told, Err(StoreError::Role(text)) if text.contains(expected)),
        "{told:?}"
    );
    let told = database.service_store().check(false).await;
    assert!(
        matches!(told, Err(StoreError::SchemaNotMigrated(_))),
        "{told:?}"
    );
}
