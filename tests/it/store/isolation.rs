//! Tenants are kept apart by the database, not by our `WHERE`: raw SQL as the service's role.

use std::collections::HashMap;

use carrier_sync::store::StoreError;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, query, query_scalar, raw_sql};

use super::fleet::*;
use crate::postgres::TestDatabase;

async fn two_tenants() -> Fleet {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 2).await;
    fleet.account("u", "j", 2).await;
    fleet
}

async fn as_service(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.service_url())
        .await
        .unwrap()
}

async fn set(connection: &mut PgConnection, tenant: &str, role: &str) {
    query("SELECT set_config('app.tenant_id', $1, true), set_config('app.role', $2, true)")
        .bind(tenant)
        .bind(role)
        .execute(connection)
        .await
        .unwrap();
}

async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(tenant_id) FROM {table}"));
    query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_wrong_where_cannot_cross_to_another_tenant() {
    let fleet = two_tenants().await;
    let mut service = as_service(fleet.database()).await;
    let mut transaction = service.begin().await.unwrap();
    set(&mut transaction, "t", "iot_service").await;
    // No WHERE at all: what the worst defect of ours could send.
    let done = query("UPDATE device_connections SET data_used_bytes = 666")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 2);
    let done = query("UPDATE carrier_integrations SET last_sync_status = 'error'")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
    transaction.commit().await.unwrap();
    assert!(
        fleet
            .devices("t")
            .await
            .iter()
            .all(|row| row.data_used_bytes == Some(666))
    );
    assert!(
        fleet
            .devices("u")
            .await
            .iter()
            .all(|row| row.data_used_bytes.is_none())
    );
}

#[tokio::test]
async fn without_settings_there_are_no_rows() {
    let fleet = two_tenants().await;
    let mut service = as_service(fleet.database()).await;
    for (tenant, role, devices) in [
        (None, None, 0),
        (Some(""), Some(""), 0),
        (Some(""), Some("someone"), 0),
        (Some("nobody"), Some("iot_service"), 0),
        (Some("t"), Some(""), 2),
        (Some("t"), Some("iot_service"), 2),
        (Some(""), Some("iot_service"), 4),
        (None, Some("iot_service"), 4),
    ] {
        // A fresh connection: a setting that was ever set is empty afterwards, not unset.
        let mut fresh = as_service(fleet.database()).await;
        let mut transaction = fresh.begin().await.unwrap();
        for (name, value) in [("app.tenant_id", tenant), ("app.role", role)] {
            let Some(value) = value else { continue };
            let set = query("SELECT set_config($1, $2, true)")
                .bind(name)
                .bind(value);
            set.execute(&mut *transaction).await.unwrap();
        }
        let seen = count(&mut transaction, "device_connections").await;
        assert_eq!(seen, devices, "{tenant:?} {role:?}");
        drop(transaction);
        fresh.close().await.unwrap();
    }
    // The ancestor's fault: outside a transaction the settings are gone with the statement.
    set(&mut service, "t", "iot_service").await;
    assert_eq!(count(&mut service, "device_connections").await, 0);
}

#[tokio::test]
async fn a_row_whose_tenant_is_the_empty_text_belongs_to_nobody() {
    let fleet = two_tenants().await;
    fleet.execute("UPDATE device_connections SET tenant_id = '' WHERE device_id = 'd0000' AND tenant_id = 't'").await;
    let mut owner = PgConnection::connect(&fleet.database().owner_url())
        .await
        .unwrap();
    let mut transaction = owner.begin().await.unwrap();
    set(&mut transaction, "", "").await;
    assert_eq!(count(&mut transaction, "device_connections").await, 0);
}

#[tokio::test]
async fn a_tenant_cannot_give_its_rows_away() {
    let fleet = two_tenants().await;
    // As the owner, who may write the column; forced row-level security binds the owner as well.
    let mut owner = PgConnection::connect(&fleet.database().owner_url())
        .await
        .unwrap();
    for sql in [
        "UPDATE device_connections SET tenant_id = 'u', device_id = 'given' WHERE device_id = 'd0000'",
        "INSERT INTO device_connections (tenant_id, device_id) VALUES ('u', 'forged')",
        "INSERT INTO tenants (tenant_id) VALUES ('forged')",
    ] {
        let mut transaction = owner.begin().await.unwrap();
        set(&mut transaction, "t", "iot_service").await;
        let error = raw_sql(AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("row-level security"), "{error}");
    }
}

#[tokio::test]
async fn a_pooled_connection_takes_no_tenant_along() {
    let fleet = two_tenants().await;
    let mut options = crate::postgres::store_options(&fleet.database().service_url());
    options.max_connections = 1;
    let service = carrier_sync::store::connect(&options).unwrap();
    for _ in 0..3 {
        let batches = [batch("t", "i", vec![used("d0000", 1)])];
        assert_eq!(receipts(service.write(&batches).await)[0].written, 1);
        assert_eq!(
            service.integrations().await.unwrap().len(),
            2,
            "all tenants again"
        );
        let batches = [
            batch("u", "j", vec![used("d0001", 2)]),
            batch("t", "i", vec![used("d0001", 3)]),
        ];
        let written: Vec<_> = receipts(service.write(&batches).await)
            .iter()
            .map(|r| r.written)
            .collect();
        assert_eq!(written, [1, 1]);
    }
    // A call that fails half-way leaves nothing behind either.
    fleet
        .execute("ALTER TABLE device_connections RENAME COLUMN sim_status TO gone")
        .await;
    let told = service
        .write(&[batch("t", "i", vec![used("d0000", 9)])])
        .await;
    assert!(
        matches!(told, Err(StoreError::SchemaNotMigrated(_))),
        "{told:?}"
    );
    assert_eq!(service.integrations().await.unwrap().len(), 2);
}

#[tokio::test]
async fn every_table_with_a_tenant_id_forces_row_level_security_both_ways() {
    let database = TestDatabase::migrated().await;
    let mut superuser = database.superuser().await;
    let rows = query(
        "SELECT c.table_name::text, p.relrowsecurity, p.relforcerowsecurity, \
                count(l.policyname), count(l.qual), count(l.with_check) \
         FROM information_schema.columns c \
         JOIN pg_class p ON p.oid = (c.table_schema || '.' || c.table_name)::regclass \
         LEFT JOIN pg_policies l ON l.tablename = c.table_name AND l.cmd = 'ALL' \
         WHERE c.column_name = 'tenant_id' AND c.table_schema = 'public' GROUP BY 1, 2, 3 ORDER BY 1",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        tables,
        [
            "carrier_calls",
            "carrier_integrations",
            "device_connections",
            "sync_runs",
            "tenants"
        ]
    );
    for row in rows {
        let table: String = row.get(0);
        assert!(
            row.get::<bool, _>(1) && row.get::<bool, _>(2),
            "{table} is not forced"
        );
        let policies: (i64, i64, i64) = (row.get(3), row.get(4), row.get(5));
        assert_eq!(
            policies,
            (2, 2, 2),
            "{table}: policies, with USING, with WITH CHECK"
        );
    }
}

const TENANTS: [(&str, &str); 3] = [("t", "i"), ("u", "j"), ("v", "k")];
const DEVICES: usize = 3;

/// A write as some sync might make it: whose tenant, whose integration, which device, how much.
type Write = (usize, usize, usize, u64);

fn writes() -> impl Strategy<Value = Vec<Vec<Write>>> {
    let one_of = |n| 0..n;
    let write = (
        one_of(TENANTS.len()),
        one_of(TENANTS.len()),
        one_of(DEVICES),
        1..1_000_000_u64,
    );
    let transaction = proptest::collection::vec(write, 1..8);
    proptest::collection::vec(transaction, 1..6)
}

/// Each transaction holds batches of several tenants; those that name another tenant's integration
/// must touch nothing, though every tenant has devices of the same names on both sides.
async fn interleaved(fleet: &Fleet, transactions: Vec<Vec<Write>>) {
    let mut expected: HashMap<(usize, usize), u64> = HashMap::new();
    for transaction in transactions {
        let batches: Vec<_> = transaction
            .iter()
            .map(|(tenant, account, device, bytes)| {
                let update = used(&device_name(*device), *bytes);
                batch(TENANTS[*tenant].0, TENANTS[*account].1, vec![update])
            })
            .collect();
        fleet.write(&batches).await;
        let own = transaction
            .into_iter()
            .filter(|(tenant, account, ..)| tenant == account);
        expected.extend(own.map(|(tenant, _, device, bytes)| ((tenant, device), bytes)));
    }
    for (tenant, (name, _)) in TENANTS.iter().enumerate() {
        for device in 0..DEVICES {
            let row = fleet.device(name, &device_name(device)).await;
            let stored = row.data_used_bytes.map(i64::unsigned_abs);
            assert_eq!(
                stored,
                expected.get(&(tenant, device)).copied(),
                "{name} {device}"
            );
        }
    }
}

#[test]
fn no_interleaving_of_tenants_batches_touches_a_foreign_row() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fleet = runtime.block_on(Fleet::postgres());
    runtime.block_on(async {
        for (tenant, account) in TENANTS {
            fleet.account(tenant, account, DEVICES).await;
        }
    });
    let mut runner = TestRunner::new(ProptestConfig::with_cases(100));
    let outcome = runner.run(&writes(), |transactions| {
        runtime.block_on(async {
            let clear = "UPDATE device_connections SET data_used_bytes = NULL";
            fleet.execute(clear).await;
            interleaved(&fleet, transactions).await;
        });
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(async { drop(fleet) });
}
