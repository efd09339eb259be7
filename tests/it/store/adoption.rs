//! A database that was there before: adopted, repaired, or refused with the statement to run.

use carrier_sync::device::{CycleSource, DeviceUpdate, Usage};
use carrier_sync::integration::Outcome;
use carrier_sync::runs::SyncRecord;
use carrier_sync::store::{IntegrationChange, NewIntegration, StoreError};
use sqlx::{AssertSqlSafe, Connection, PgConnection, query_scalar, raw_sql};

use super::fleet::*;
use crate::postgres::TestDatabase;

/// As a platform of the ancestor's time has it: ids by uuid, columns and a policy of its own, figures
/// as double precision, and none of what we add.
const ANCESTOR: &str = "
    CREATE TABLE tenants (tenant_id varchar(64) PRIMARY KEY, name text NOT NULL, plan text);
    CREATE TABLE carrier_integrations (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id varchar(64) NOT NULL,
        carrier_name varchar(50) NOT NULL, display_name text, enabled boolean DEFAULT true,
        api_key text, api_secret text, api_base_url text, account_id text, config json DEFAULT '{}',
        sync_enabled boolean DEFAULT true, sync_interval_minutes smallint DEFAULT 60,
        last_sync_at timestamptz, last_sync_status varchar(20) DEFAULT 'never', last_sync_error text,
        created_at timestamp DEFAULT now(), updated_at timestamptz DEFAULT now());
    CREATE TABLE device_connections (
        id bigserial PRIMARY KEY, tenant_id varchar(64) NOT NULL, device_id varchar(64) NOT NULL,
        carrier_integration_id uuid REFERENCES carrier_integrations(id), carrier_device_id text,
        customer_note text, sim_status varchar(20), data_used_mb double precision,
        data_limit_mb real, updated_at timestamptz);
    ALTER TABLE device_connections ENABLE ROW LEVEL SECURITY;
    CREATE POLICY platform_rule ON device_connections USING (false);
    INSERT INTO tenants VALUES ('t', 'Tenant', 'gold');
    INSERT INTO carrier_integrations (id, tenant_id, carrier_name, api_key) VALUES
        ('11111111-1111-1111-1111-111111111111', 't', 'hologram', 'key');
    INSERT INTO device_connections
        (tenant_id, device_id, carrier_integration_id, carrier_device_id, customer_note, data_used_mb)
        SELECT 't', 'd000' || n, '11111111-1111-1111-1111-111111111111', 'c-d000' || n, 'note', 12.5
        FROM generate_series(0, 3) n;";

const ID: &str = "11111111-1111-1111-1111-111111111111";

#[tokio::test]
async fn an_existing_platforms_tables_are_adopted_and_their_rows_kept() {
    let database = TestDatabase::create().await;
    database.execute_as_owner(ANCESTOR).await;
    database.migrate().await;
    let service = database.service_store();
    service.check(false).await.unwrap();

    let rows = service.integrations().await.unwrap();
    assert_eq!(
        (
            rows.len(),
            rows[0].id.as_str(),
            rows[0].sync_interval_minutes
        ),
        (1, ID, 60)
    );
    let linked = service
        .linked_devices(&tenant("t"), &integration(ID))
        .await
        .unwrap();
    assert_eq!(linked.len(), 4);
    let cycle = Some(cycle(11, CycleSource::Derived));
    let update = DeviceUpdate {
        usage: Some(Usage {
            cycle,
            ..usage(1 << 20)
        }),
        ..everything("d0001", 0)
    };
    let batches = [batch("t", ID, vec![update, used("gone", 1)])];
    let receipts = receipts(service.write(&batches).await);
    assert_eq!((receipts[0].written, receipts[0].failures.len()), (1, 1));
    let record = SyncRecord {
        tenant_id: tenant("t"),
        integration_id: integration(ID),
        epoch: None,
        run: Some(run(at(1))),
        outcome: Outcome::Success,
        error: None,
    };
    assert_eq!(service.record(&[record]).await.unwrap(), [Ok(())]);
    assert_eq!(
        service.integrations().await.unwrap()[0].last_success_at,
        Some(at(1))
    );

    let mut superuser = database.superuser().await;
    let kept: Vec<String> = query_scalar(
        "SELECT concat_ws(' ', device_id, customer_note, data_used_mb, billing_cycle_source, \
            sim_status) FROM device_connections ORDER BY device_id",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let expected = [
        "d0000 note 12.5",
        "d0001 note 1 derived active",
        "d0002 note 12.5",
        "d0003 note 12.5",
    ];
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_row_without_a_device_id_costs_the_others_nothing() {
    let database = TestDatabase::create().await;
    database.execute_as_owner(ANCESTOR).await;
    database
        .execute_as_owner("ALTER TABLE device_connections ALTER device_id DROP NOT NULL")
        .await;
    let nameless = format!(
        "INSERT INTO device_connections (tenant_id, carrier_integration_id, carrier_device_id) \
         VALUES ('t', '{ID}', 'c0')"
    );
    database.execute_as_owner(&nameless).await;
    database.migrate().await;
    let store = database.service_store();
    let linked = store.linked_devices(&tenant("t"), &integration(ID)).await;
    assert_eq!(linked.unwrap().len(), 4);
}

#[tokio::test]
async fn an_adopted_platform_is_administered_with_its_own_kind_of_ids() {
    let database = TestDatabase::create().await;
    database.execute_as_owner(ANCESTOR).await;
    database.migrate().await;
    let admin = database.owner_store();
    let new = |id: Option<&str>| NewIntegration {
        id: id.map(integration),
        tenant_id: tenant("new tenant"),
        carrier_name: "hologram".into(),
        fields: IntegrationChange::default(),
    };
    let named = admin.add_integration(&new(None)).await.unwrap();
    let receipt = admin
        .link_devices(&named, &[link("x"), link("y")])
        .await
        .unwrap();
    assert_eq!(receipt.created, 2);
    let other = "22222222-2222-2222-2222-222222222222";
    assert_eq!(
        admin
            .add_integration(&new(Some(other)))
            .await
            .unwrap()
            .as_str(),
        other
    );
    let told = admin.add_integration(&new(Some("not a uuid"))).await;
    assert!(matches!(told, Err(StoreError::Invalid(_))), "{told:?}");
    assert_eq!(admin.remove_integration(&named).await.unwrap(), 2);
}

#[tokio::test]
async fn an_adopted_accounts_devices_are_found_by_an_index() {
    let database = TestDatabase::create().await;
    database.execute_as_owner(ANCESTOR).await;
    database.migrate().await;
    let mut owner = PgConnection::connect(&database.owner_url()).await.unwrap();
    // Four rows are read faster without any index.
    raw_sql("SET enable_seqscan = off")
        .execute(&mut owner)
        .await
        .unwrap();
    let plan: Vec<String> = query_scalar(AssertSqlSafe(format!(
        "EXPLAIN SELECT device_id FROM device_connections \
         WHERE tenant_id = 't' AND carrier_integration_id::text = '{ID}' \
           AND carrier_device_id IS NOT NULL"
    )))
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let plan = plan.join("\n");
    assert!(
        plan.contains("carrier_sync_device_connections_integration"),
        "{plan}"
    );
}

/// Everything in the catalogue that a migration could change.
async fn catalogue(database: &TestDatabase) -> Vec<String> {
    let sql = "\
        SELECT concat_ws(' ', 'column', c.relname, a.attname, a.atttypid::regtype, a.attnotnull) \
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
            WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 \
        UNION ALL SELECT concat_ws(' ', 'table', relname, relrowsecurity, relforcerowsecurity, \
            relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace \
        UNION ALL SELECT concat_ws(' ', 'policy', polname) FROM pg_policy \
        UNION ALL SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid)) \
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
        ORDER BY 1";
    query_scalar(sql)
        .fetch_all(&mut database.superuser().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_column_of_another_type_is_a_named_conflict_and_nothing_is_changed() {
    for (column, found, remedy) in [
        (
            "billing_cycle_start INT",
            "billing_cycle_start: found integer, expected timestamptz",
            "RENAME COLUMN billing_cycle_start TO billing_cycle_start_before_carrier_sync;",
        ),
        (
            "billing_cycle_end timestamp",
            "billing_cycle_end: found timestamp without time zone, expected timestamptz",
            "ALTER COLUMN billing_cycle_end TYPE timestamptz USING billing_cycle_end::timestamp AT \
             TIME ZONE 'UTC';",
        ),
        (
            "network_status integer",
            "network_status: found integer, expected text",
            "ALTER COLUMN network_status TYPE text USING network_status::text;",
        ),
    ] {
        let database = TestDatabase::create().await;
        database.execute_as_owner(ANCESTOR).await;
        database
            .execute_as_owner(&format!("ALTER TABLE device_connections ADD {column}"))
            .await;
        let before = catalogue(&database).await;
        let told = database
            .owner_store()
            .migrate(Some(&database.service_role()))
            .await;
        let Err(StoreError::SchemaConflict(text)) = told else {
            panic!("{told:?}")
        };
        assert!(text.contains("table device_connections, column"), "{text}");
        assert!(text.contains(found) && text.contains(remedy), "{text}");
        assert_eq!(catalogue(&database).await, before);
        let told = database.owner_store().check(true).await;
        assert!(
            matches!(told, Err(StoreError::SchemaConflict(_))),
            "{told:?}"
        );

        // The statement that the error names does resolve it.
        let statement = text
            .split("run: ")
            .nth(1)
            .unwrap()
            .split_inclusive(';')
            .next()
            .unwrap();
        database.execute_as_owner(statement).await;
        database.migrate().await;
    }
}

#[tokio::test]
async fn duplicate_devices_of_an_adopted_table_are_named_and_nothing_is_changed() {
    let database = TestDatabase::create().await;
    database.execute_as_owner(ANCESTOR).await;
    let duplicate = "INSERT INTO device_connections (tenant_id, device_id) VALUES ('t', 'd0002')";
    database.execute(duplicate).await;
    let before = catalogue(&database).await;
    let told = database.owner_store().migrate(None).await;
    let Err(StoreError::SchemaConflict(text)) = told else {
        panic!("{told:?}")
    };
    assert!(
        text.contains("(t, d0002)") && text.contains("HAVING count(*) > 1"),
        "{text}"
    );
    assert_eq!(catalogue(&database).await, before);
}

#[tokio::test]
async fn another_applications_table_of_the_same_name_is_left_alone() {
    let database = TestDatabase::create().await;
    database
        .execute_as_owner("CREATE TABLE tenants (id uuid PRIMARY KEY, slug text)")
        .await;
    let before = catalogue(&database).await;
    let told = database.owner_store().migrate(None).await;
    let Err(StoreError::SchemaConflict(text)) = told else {
        panic!("{told:?}")
    };
    assert!(
        text.contains("table tenants has no column tenant_id"),
        "{text}"
    );
    assert_eq!(catalogue(&database).await, before);
}

#[tokio::test]
async fn what_is_missing_is_named_all_at_once() {
    let database = TestDatabase::create().await;
    let told = database.service_store().check(false).await.unwrap_err();
    let text = told.to_string();
    for table in [
        "table tenants",
        "table carrier_integrations",
        "table device_connections",
    ] {
        assert!(text.contains(table), "{text}");
    }
    assert!(text.contains("carrier-sync migrate"), "{text}");
    let told = database.service_store().integrations().await;
    assert!(
        matches!(told, Err(StoreError::SchemaNotMigrated(_))),
        "{told:?}"
    );

    database.execute_as_owner(ANCESTOR).await;
    let text = database
        .service_store()
        .check(false)
        .await
        .unwrap_err()
        .to_string();
    for column in [
        "column tenants.created_at",
        "last_success_at",
        "device_connections.sim_iccid",
    ] {
        assert!(text.contains(column), "{text}");
    }
}

#[tokio::test]
async fn row_level_security_that_was_lifted_is_noticed_and_restored() {
    let database = TestDatabase::migrated().await;
    for damage in [
        "ALTER TABLE device_connections NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "DROP POLICY carrier_sync_service ON carrier_integrations",
    ] {
        database.execute_as_owner(damage).await;
        let told = database.service_store().check(false).await;
        assert!(
            matches!(&told, Err(StoreError::SchemaNotMigrated(text))
                if text.contains("row-level security")),
            "{damage}: {told:?}"
        );
        database.migrate().await;
        database.service_store().check(false).await.unwrap();
    }
}

#[tokio::test]
async fn migrations_at_the_same_time_take_turns() {
    let database = TestDatabase::create().await;
    let role = database.service_role();
    let stores = [
        database.owner_store(),
        database.owner_store(),
        database.owner_store(),
    ];
    let [one, two, three] = &stores;
    let all = tokio::join!(
        one.migrate(Some(&role)),
        two.migrate(Some(&role)),
        three.migrate(None)
    );
    assert!(matches!(all, (Ok(()), Ok(()), Ok(()))), "{all:?}");
    database.service_store().check(false).await.unwrap();
}

#[tokio::test]
async fn a_column_dropped_after_its_migration_is_named_with_its_statement() {
    let database = TestDatabase::migrated().await;
    database
        .execute_as_owner("ALTER TABLE device_connections DROP COLUMN data_used_bytes")
        .await;
    let told = database.owner_store().migrate(None).await;
    let Err(StoreError::SchemaConflict(text)) = told else {
        panic!("{told:?}")
    };
    let statement = "ALTER TABLE device_connections ADD COLUMN data_used_bytes bigint;";
    assert!(text.contains(statement), "{text}");
    database.execute_as_owner(statement).await;
    database.migrate().await;
}

#[tokio::test]
async fn a_sync_writes_no_indexed_column() {
    let database = TestDatabase::migrated().await;
    let indexed: Vec<String> = query_scalar(
        "SELECT DISTINCT a.attname::text FROM pg_index i JOIN pg_attribute a \
            ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
         WHERE i.indrelid = 'device_connections'::regclass ORDER BY 1",
    )
    .fetch_all(&mut database.superuser().await)
    .await
    .unwrap();
    assert_eq!(
        indexed,
        ["carrier_integration_id", "device_id", "tenant_id"]
    );
}
