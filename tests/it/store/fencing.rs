//! A former owner writes nothing, and a claim never slips in between the look at the epoch and the
//! commit. The claim here is what the lease's own is: `FOR UPDATE SKIP LOCKED`.

use std::time::Duration;

use carrier_sync::budget::{Booking, CallBudget, CallCount, CountChange};
use carrier_sync::device::UpdateBatch;
use carrier_sync::integration::Outcome;
use carrier_sync::runs::{RunFilter, SyncRecord};
use carrier_sync::store::{LeaseLost, NotRecorded};
use carrier_sync::tenure::Epoch;
use sqlx::{Connection, PgConnection, query_scalar, raw_sql};

use super::fleet::*;
use crate::database_faults::desk::waits_for_a_lock;

const CLAIM: &str = "SELECT id FROM carrier_integrations WHERE id = 'i' FOR UPDATE SKIP LOCKED";
const NEXT_EPOCH: &str =
    "UPDATE carrier_integrations SET lease_epoch = lease_epoch + 1 WHERE id = 'i'";

/// Two tenants; the first has two accounts, whose devices are `d…` and `e…`. Every epoch is 7.
async fn leased_fleet() -> Fleet {
    let fleet = Fleet::postgres().await;
    fleet.account("t", "i", 4).await;
    fleet.account("u", "j", 4).await;
    fleet.bare_account("t", "k").await;
    let links: Vec<_> = ["e0", "e1"].map(link).into();
    let id = integration("k");
    fleet.admin.link_devices(&id, &links).await.unwrap();
    let epochs = "UPDATE carrier_integrations SET lease_epoch = 7";
    fleet.execute(epochs).await;
    fleet
}

fn under(epoch: i64, batch: UpdateBatch) -> UpdateBatch {
    UpdateBatch {
        epoch: Some(Epoch(epoch)),
        ..batch
    }
}

fn ended(id: &str, epoch: Option<i64>) -> SyncRecord {
    SyncRecord {
        tenant_id: tenant("t"),
        integration_id: integration(id),
        epoch: epoch.map(Epoch),
        run: Some(run(at(1))),
        outcome: Outcome::Success,
        error: None,
    }
}

async fn bytes(fleet: &Fleet, tenant: &str) -> Vec<Option<i64>> {
    let rows = fleet.devices(tenant).await;
    rows.into_iter().map(|row| row.data_used_bytes).collect()
}

async fn claimed(connection: &mut PgConnection) -> Option<String> {
    let found = query_scalar(CLAIM).fetch_optional(connection).await;
    found.unwrap()
}

#[tokio::test]
async fn a_former_owner_s_batch_and_outcome_write_nothing() {
    let fleet = leased_fleet().await;
    for stale in [6, 8, 0] {
        let batches = [under(stale, batch("t", "i", vec![used("d0000", 1)]))];
        let told = fleet.service.write(&batches).await.unwrap();
        assert_eq!(told, [Err(LeaseLost)]);
        let told = fleet.service.record(&[ended("i", Some(stale))]).await;
        assert_eq!(told.unwrap(), [Err(NotRecorded::LeaseLost(LeaseLost))]);
    }
    assert!(bytes(&fleet, "t").await.iter().all(Option::is_none));
    let rows = fleet.service.integrations().await.unwrap();
    assert!(rows.iter().all(|row| row.last_sync_status == "never"));

    let batches = [under(7, batch("t", "i", vec![used("d0000", 1)]))];
    assert_eq!(fleet.write(&batches).await[0].written, 1);
    let told = fleet.service.record(&[ended("i", Some(7))]).await.unwrap();
    assert_eq!(told, [Ok(())]);
}

#[tokio::test]
async fn a_former_owner_s_batch_costs_no_other_of_its_transaction() {
    let fleet = leased_fleet().await;
    let batches = [
        under(6, batch("t", "i", vec![used("d0000", 1), used("d0001", 1)])),
        under(7, batch("t", "k", vec![used("e0", 2)])),
        batch("u", "j", vec![used("d0000", 3)]),
        under(7, batch("t", "i", vec![used("d0001", 4)])),
        under(6, batch("t", "i", vec![used("d0002", 5)])),
        under(6, batch("t", "i", vec![])),
    ];
    let told = fleet.service.write(&batches).await.unwrap();
    let written: Vec<_> = told
        .iter()
        .map(|told| told.clone().map(|r| r.written))
        .collect();
    let lost = Err(LeaseLost);
    assert_eq!(&written[..5], [lost, Ok(1), Ok(1), Ok(1), lost]);
    let [n, four, two, three] = [None, Some(4), Some(2), Some(3)];
    assert_eq!(bytes(&fleet, "t").await, [n, four, n, n, two, n]);
    assert_eq!(bytes(&fleet, "u").await, [three, n, n, n]);

    let records = [
        ended("i", Some(6)),
        ended("gone", Some(7)),
        ended("k", Some(7)),
        ended("i", None),
    ];
    let told = fleet.service.record(&records).await.unwrap();
    let lost = Err(NotRecorded::LeaseLost(LeaseLost));
    assert_eq!(told, [lost, Err(NotRecorded::Gone), Ok(()), Ok(())]);
    let all = RunFilter {
        tenant_id: None,
        integration_id: None,
        after: None,
        limit: 10,
    };
    let runs = fleet.service.runs(&all).await.unwrap();
    let runs: Vec<_> = runs.iter().map(|run| run.integration_id.as_str()).collect();
    assert_eq!(runs, ["k", "i"], "of those that were recorded");
}

#[tokio::test]
async fn a_refused_row_opens_no_way_past_the_fence() {
    let fleet = leased_fleet().await;
    let refuse = "ALTER TABLE device_connections ADD CHECK (data_used_bytes <> 666)";
    fleet.execute(refuse).await;
    let all = |bytes| (0..4).map(|n| used(&device_name(n), bytes)).collect();
    let batches = [
        under(6, batch("t", "i", all(1))),
        under(7, batch("t", "k", vec![used("e0", 666), used("e1", 2)])),
        under(6, batch("u", "j", all(666))),
    ];
    let told = fleet.service.write(&batches).await.unwrap();
    assert_eq!(told[0], Err(LeaseLost));
    let receipt = told[1].as_ref().unwrap();
    assert_eq!((receipt.written, receipt.failures.len()), (1, 1));
    assert_eq!(told[2], Err(LeaseLost));
    let n = None;
    assert_eq!(bytes(&fleet, "t").await, [n, n, n, n, n, Some(2)]);
    assert_eq!(bytes(&fleet, "u").await, [n; 4]);
}

#[tokio::test]
async fn a_claim_passes_by_while_a_write_is_under_way_and_nobody_else_is_held_up() {
    let fleet = leased_fleet().await;
    let database = fleet.database();
    let (mut other, mut look) = (database.superuser().await, database.superuser().await);
    let mut held = other.begin().await.unwrap();
    let row = "SELECT 1 FROM device_connections WHERE device_id = 'd0002' FOR UPDATE";
    raw_sql(row).execute(&mut *held).await.unwrap();
    let service = fleet.service.clone();
    let write = tokio::spawn(async move {
        let updates = (0..4).map(|n| used(&device_name(n), 5)).collect();
        service.write(&[under(7, batch("t", "i", updates))]).await
    });
    waits_for_a_lock(&mut look, &database.service_role()).await;

    assert_eq!(claimed(&mut look).await, None, "the write holds the lease");
    let at_once = "SET lock_timeout = '2s'; \
        UPDATE carrier_integrations SET display_name = 'operator' WHERE id = 'i'";
    raw_sql(at_once).execute(&mut look).await.unwrap();
    let records = [ended("i", Some(7))];
    let record = fleet.service.record(&records);
    let told = tokio::time::timeout(Duration::from_secs(5), record).await;
    assert_eq!(told.expect("not behind the write").unwrap(), [Ok(())]);

    held.rollback().await.unwrap();
    assert_eq!(receipts(write.await.unwrap())[0].written, 4);
    assert_eq!(claimed(&mut look).await.as_deref(), Some("i"));
}

#[tokio::test]
async fn a_write_that_meets_a_claim_waits_and_then_knows_that_it_has_lost() {
    let fleet = leased_fleet().await;
    let database = fleet.database();
    let (mut other, mut look) = (database.superuser().await, database.superuser().await);
    let mut claim = other.begin().await.unwrap();
    assert_eq!(claimed(&mut claim).await.as_deref(), Some("i"));
    let service = fleet.service.clone();
    let write = tokio::spawn(async move {
        let batch = batch("t", "i", vec![used("d0000", 5)]);
        service.write(&[under(7, batch)]).await
    });
    waits_for_a_lock(&mut look, &database.service_role()).await;
    raw_sql(NEXT_EPOCH).execute(&mut *claim).await.unwrap();
    claim.commit().await.unwrap();
    assert_eq!(write.await.unwrap().unwrap(), [Err(LeaseLost)]);
    assert_eq!(bytes(&fleet, "t").await[0], None);
}

#[tokio::test]
async fn an_outcome_that_meets_a_claim_waits_and_then_knows_that_it_has_lost() {
    let fleet = leased_fleet().await;
    let database = fleet.database();
    let (mut other, mut look) = (database.superuser().await, database.superuser().await);
    let mut claim = other.begin().await.unwrap();
    assert_eq!(claimed(&mut claim).await.as_deref(), Some("i"));
    let service = fleet.service.clone();
    let record = tokio::spawn(async move { service.record(&[ended("i", Some(7))]).await });
    waits_for_a_lock(&mut look, &database.service_role()).await;
    raw_sql(NEXT_EPOCH).execute(&mut *claim).await.unwrap();
    claim.commit().await.unwrap();
    let lost = Err(NotRecorded::LeaseLost(LeaseLost));
    assert_eq!(record.await.unwrap().unwrap(), [lost]);
}

/// Whoever removes an account takes it before its devices, as a write does. The other way round, the
/// removal would hold devices that a write waits for, and wait for the account that the write holds.
#[tokio::test]
async fn a_removal_that_waits_for_its_account_holds_none_of_its_devices() {
    let fleet = leased_fleet().await;
    let database = fleet.database();
    let (mut other, mut look) = (database.superuser().await, database.superuser().await);
    let mut written = other.begin().await.unwrap();
    let as_a_write = "SELECT 1 FROM carrier_integrations WHERE id = 'i' FOR KEY SHARE";
    raw_sql(as_a_write).execute(&mut *written).await.unwrap();
    let admin = fleet.admin.clone();
    let removal = tokio::spawn(async move { admin.remove_integration(&integration("i")).await });
    waits_for_a_lock(&mut look, &database.owner_role()).await;
    let updates = (0..4).map(|n| used(&device_name(n), 5)).collect();
    let batches = [under(7, batch("t", "i", updates))];
    let write = tokio::time::timeout(Duration::from_secs(10), fleet.write(&batches));
    assert_eq!(write.await.expect("not behind the removal")[0].written, 4);
    written.rollback().await.unwrap();
    assert_eq!(removal.await.unwrap().unwrap(), 4);
}

#[tokio::test]
async fn a_former_owner_books_no_calls_and_may_give_back_what_it_had() {
    let fleet = leased_fleet().await;
    let budget = CallBudget::of(10, 0);
    let count = |epoch, change| CallCount {
        tenant_id: tenant("t"),
        integration_id: integration("i"),
        epoch: Some(Epoch(epoch)),
        day: at(0).date_naive(),
        booking: Booking(1),
        change,
    };
    let book = |epoch, calls| count(epoch, CountChange::Book { calls, budget });
    for stale in [6, 8, 0] {
        let told = fleet.service.count_calls(&[book(stale, 4)]).await.unwrap();
        assert_eq!(told, [Err(NotRecorded::LeaseLost(LeaseLost))]);
    }
    let told = fleet.service.count_calls(&[book(7, 4)]).await.unwrap();
    assert_eq!(told[0].unwrap().booked, 4);
    fleet.execute(NEXT_EPOCH).await;
    let told = fleet.service.count_calls(&[book(7, 8)]).await.unwrap();
    assert_eq!(told, [Err(NotRecorded::LeaseLost(LeaseLost))]);
    let settle = count(7, CountChange::Settle { made: 1 });
    let told = fleet.service.count_calls(&[settle]).await.unwrap();
    assert_eq!(told[0].unwrap().counted.day, 1);
}
