//! Promises about what is recorded of a sync.

use carrier_sync::integration::{IntegrationRow, Outcome};
use carrier_sync::runs::SyncRecord;
use carrier_sync::store::NotRecorded;

use crate::store::fleet::*;

fn ended(second: Option<u32>, outcome: Outcome) -> SyncRecord {
    SyncRecord {
        tenant_id: tenant("t"),
        integration_id: integration("i"),
        epoch: None,
        run: second.map(|second| run(at(second))),
        outcome,
        error: (outcome != Outcome::Success).then(|| "carrier said \0 no".into()),
    }
}

async fn after(fleet: &Fleet, record: &SyncRecord) -> IntegrationRow {
    let records = std::slice::from_ref(record);
    assert_eq!(fleet.service.record(records).await.unwrap(), [Ok(())]);
    fleet.service.integrations().await.unwrap().remove(0)
}

pub async fn success_moves_both_times_and_clears_the_error(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let row = after(fleet, &ended(Some(1), Outcome::Error)).await;
    assert_eq!((row.last_sync_at, row.last_success_at), (Some(at(1)), None));
    assert!(row.last_sync_error.unwrap().contains("carrier said"));
    let row = after(fleet, &ended(Some(2), Outcome::Success)).await;
    assert_eq!(
        (row.last_sync_at, row.last_success_at),
        (Some(at(2)), Some(at(2)))
    );
    assert_eq!(
        (row.last_sync_status.as_str(), row.last_sync_error),
        ("success", None)
    );
}

pub async fn partial_and_error_keep_the_last_success(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    after(fleet, &ended(Some(1), Outcome::Success)).await;
    for (second, outcome) in [(2, Outcome::Partial), (3, Outcome::Error)] {
        let row = after(fleet, &ended(Some(second), outcome)).await;
        assert_eq!(
            (row.last_sync_at, row.last_success_at),
            (Some(at(second)), Some(at(1)))
        );
        assert_eq!(row.last_sync_status, outcome.as_str());
        assert!(row.last_sync_error.is_some());
    }
}

pub async fn an_interrupted_sync_keeps_the_last_sync_time(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let row = after(fleet, &ended(None, Outcome::Partial)).await;
    assert_eq!(
        (row.last_sync_at, row.last_sync_status.as_str()),
        (None, "partial")
    );
    after(fleet, &ended(Some(1), Outcome::Success)).await;
    for outcome in [Outcome::Error, Outcome::Success] {
        let row = after(fleet, &ended(None, outcome)).await;
        assert_eq!(
            (row.last_sync_at, row.last_success_at),
            (Some(at(1)), Some(at(1)))
        );
    }
}

pub async fn a_record_of_a_removed_integration_is_refused(fleet: &Fleet) {
    fleet.bare_account("u", "i").await;
    let records = [ended(Some(1), Outcome::Success)];
    let told = fleet.service.record(&records).await.unwrap();
    assert_eq!(told, [Err(NotRecorded::Gone)]);
    let row = fleet.service.integrations().await.unwrap().remove(0);
    assert_eq!(
        row.last_sync_status, "never",
        "another tenant's account of this id"
    );
}

pub async fn records_of_several_tenants_are_answered_in_their_order(fleet: &Fleet) {
    for (owner, id) in [("t", "i"), ("u", "j"), ("t", "k")] {
        fleet.bare_account(owner, id).await;
    }
    let of = |owner: &str, id: &str| SyncRecord {
        tenant_id: tenant(owner),
        integration_id: integration(id),
        ..ended(Some(1), Outcome::Success)
    };
    let records = [
        of("u", "j"),
        of("t", "j"),
        of("t", "k"),
        of("u", "gone"),
        of("t", "i"),
    ];
    let told = fleet.service.record(&records).await.unwrap();
    let gone = Err(NotRecorded::Gone);
    assert_eq!(told, [Ok(()), gone, Ok(()), gone, Ok(())]);
    let rows = fleet.service.integrations().await.unwrap();
    assert!(rows.iter().all(|row| row.last_sync_status == "success"));
    assert!(fleet.service.record(&[]).await.unwrap().is_empty());
}

pub async fn of_two_records_of_an_integration_the_later_one_stays(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    fleet.bare_account("t", "k").await;
    let other = SyncRecord {
        integration_id: integration("k"),
        ..ended(Some(9), Outcome::Partial)
    };
    let records = [
        ended(Some(1), Outcome::Success),
        other,
        ended(Some(2), Outcome::Error),
        ended(None, Outcome::Partial),
    ];
    let told = fleet.service.record(&records).await.unwrap();
    assert_eq!(told, [Ok(()); 4]);
    let row = fleet.service.integrations().await.unwrap().remove(0);
    assert_eq!(
        (row.last_sync_at, row.last_success_at),
        (Some(at(2)), Some(at(1))),
        "as if one were recorded after the other"
    );
    assert_eq!(row.last_sync_status, "partial");
}
