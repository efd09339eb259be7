//! Promises about the history of syncs.

use carrier_sync::device::DeviceId;
use carrier_sync::integration::Outcome;
use carrier_sync::runs::{DeviceFailure, RunFigures, RunFilter, RunRow, SyncRecord};
use chrono::TimeDelta;
use std::time::Duration;

use crate::store::fleet::*;

fn record(owner: &str, id: &str, figures: RunFigures) -> SyncRecord {
    SyncRecord {
        tenant_id: tenant(owner),
        integration_id: integration(id),
        epoch: None,
        run: Some(figures),
        outcome: Outcome::Partial,
        error: Some("carrier said \0 no".into()),
    }
}

fn name(device: &str) -> DeviceId {
    DeviceId::parse(device).unwrap()
}

async fn keep(fleet: &Fleet, records: &[SyncRecord]) {
    let told = fleet.service.record(records).await.unwrap();
    assert!(told.iter().all(Result::is_ok), "{told:?}");
}

fn all() -> RunFilter {
    RunFilter {
        tenant_id: None,
        integration_id: None,
        after: None,
        limit: 100,
    }
}

async fn runs(fleet: &Fleet, filter: RunFilter) -> Vec<RunRow> {
    fleet.service.runs(&filter).await.unwrap()
}

pub async fn a_run_comes_back_as_it_was_recorded(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let figures = RunFigures {
        started_at: at(1) + TimeDelta::microseconds(123_456),
        elapsed: Duration::from_millis(61_500),
        devices: 100,
        synced: 98,
        carrier_calls: u64::MAX,
        throttled: Duration::from_millis(12_345),
        failures: vec![
            DeviceFailure {
                device_id: name("pump \"7\" <ü>"),
                reason: "not \0 found".into(),
            },
            DeviceFailure {
                device_id: name("d2"),
                reason: "the connection broke".into(),
            },
        ],
    };
    keep(fleet, &[record("t", "i", figures.clone())]).await;
    let run = runs(fleet, all()).await.remove(0);
    assert_eq!(run.started_at, figures.started_at);
    assert_eq!(
        run.finished_at - run.started_at,
        TimeDelta::milliseconds(61_500)
    );
    assert_eq!((run.devices, run.synced, run.failed), (100, 98, 2));
    assert_eq!(
        run.carrier_calls,
        i64::MAX as u64,
        "as far as a column reaches"
    );
    assert_eq!(run.throttled_ms, 12_345);
    assert_eq!(run.outcome, Outcome::Partial);
    assert!(run.error.unwrap().starts_with("carrier said"));
    let devices: Vec<_> = run
        .failures
        .iter()
        .map(|failure| failure.device_id.as_str())
        .collect();
    assert_eq!(devices, ["pump \"7\" <ü>", "d2"]);
    assert_eq!(run.failures[0].reason, "not \u{FFFD} found");
}

pub async fn a_run_that_is_recorded_again_is_one_run(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    for _ in 0..2 {
        keep(fleet, &[record("t", "i", run(at(1)))]).await;
    }
    assert_eq!(runs(fleet, all()).await.len(), 1);
}

pub async fn what_did_not_run_or_was_not_recorded_is_no_run(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let parked = SyncRecord {
        run: None,
        ..record("t", "i", run(at(1)))
    };
    keep(fleet, &[parked]).await;
    let strangers = [
        record("t", "gone", run(at(1))),
        record("u", "i", run(at(1))),
    ];
    let told = fleet.service.record(&strangers).await.unwrap();
    assert!(told.iter().all(Result::is_err), "{told:?}");
    assert!(runs(fleet, all()).await.is_empty());
}

pub async fn runs_are_listed_latest_first_in_pages_without_gap_or_repetition(fleet: &Fleet) {
    let accounts = [("t", "i"), ("t", "j"), ("u", "k")];
    for (owner, id) in accounts {
        fleet.bare_account(owner, id).await;
    }
    // All of a second at once, so that time alone orders nothing.
    for second in 1..=4 {
        let records = accounts.map(|(owner, id)| record(owner, id, run(at(second))));
        keep(fleet, &records).await;
    }
    let whole = runs(fleet, all()).await;
    assert_eq!(whole.len(), 12);
    assert!(whole.is_sorted_by(|a, b| a.started_at >= b.started_at));
    let mut paged: Vec<RunRow> = Vec::new();
    loop {
        let filter = RunFilter {
            after: paged.last().map(RunRow::key),
            limit: 5,
            ..all()
        };
        let page = runs(fleet, filter).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    for (tenant_id, integration_id, count) in [
        (Some("t"), None, 8),
        (Some("u"), None, 4),
        (None, Some("j"), 4),
        (Some("u"), Some("j"), 0),
    ] {
        let filter = RunFilter {
            tenant_id: tenant_id.map(tenant),
            integration_id: integration_id.map(integration),
            ..all()
        };
        let rows = runs(fleet, filter).await;
        assert_eq!(rows.len(), count, "{tenant_id:?} {integration_id:?}");
        assert!(
            rows.iter()
                .all(|row| integration_id.is_none_or(|id| row.integration_id.as_str() == id))
        );
    }
}

pub async fn runs_that_cannot_be_read_do_not_end_a_list(fleet: &Fleet) {
    for id in ["i", "j"] {
        fleet.bare_account("t", id).await;
        for second in 1..=4 {
            keep(fleet, &[record("t", id, run(at(second)))]).await;
        }
    }
    fleet
        .execute("UPDATE sync_runs SET integration_id = '' WHERE integration_id = 'j'")
        .await;
    let mut filter = RunFilter { limit: 3, ..all() };
    let first = runs(fleet, filter.clone()).await;
    let started = |rows: &[RunRow]| rows.iter().map(|row| row.started_at).collect::<Vec<_>>();
    assert_eq!(started(&first), [at(4), at(3), at(2)]);
    filter.after = first.last().map(RunRow::key);
    assert_eq!(started(&runs(fleet, filter.clone()).await), [at(1)]);
}

/// Five, and thirty days (`store_options`).
pub async fn no_more_runs_are_kept_than_configured_and_none_that_is_older(fleet: &Fleet) {
    for id in ["i", "j"] {
        fleet.bare_account("t", id).await;
        for second in 1..=7 {
            keep(fleet, &[record("t", id, run(at(second)))]).await;
        }
    }
    let of = |id| RunFilter {
        integration_id: Some(integration(id)),
        ..all()
    };
    let started = |rows: Vec<RunRow>| {
        rows.into_iter()
            .map(|row| row.started_at)
            .collect::<Vec<_>>()
    };
    let latest: Vec<_> = (3..=7).rev().map(at).collect();
    assert_eq!(started(runs(fleet, of("i")).await), latest);
    let month_later = at(5) + TimeDelta::days(30);
    keep(fleet, &[record("t", "i", run(month_later))]).await;
    let left = [month_later, at(7), at(6)];
    assert_eq!(started(runs(fleet, of("i")).await), left);
    assert_eq!(
        started(runs(fleet, of("j")).await),
        latest,
        "another's stay"
    );
}

pub async fn the_runs_of_a_removed_integration_go_with_it(fleet: &Fleet) {
    for id in ["i", "j"] {
        fleet.bare_account("t", id).await;
        keep(fleet, &[record("t", id, run(at(1)))]).await;
    }
    fleet
        .admin
        .remove_integration(&integration("i"))
        .await
        .unwrap();
    let left = runs(fleet, all()).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].integration_id, integration("j"));
}

/// A platform may delete its rows itself; what they leave goes when it is too old.
pub async fn the_runs_of_an_integration_that_is_gone_go_when_they_are_too_old(fleet: &Fleet) {
    for id in ["gone", "paused", "syncs"] {
        fleet.bare_account("t", id).await;
        keep(fleet, &[record("t", id, run(at(1)))]).await;
    }
    fleet.bare_account("u", "gone-too").await;
    keep(fleet, &[record("u", "gone-too", run(at(1)))]).await;
    fleet
        .execute("DELETE FROM carrier_integrations WHERE id IN ('gone', 'gone-too')")
        .await;
    keep(fleet, &[record("t", "syncs", run(at(2)))]).await;
    assert_eq!(runs(fleet, all()).await.len(), 5, "they are not old yet");
    keep(
        fleet,
        &[record("t", "syncs", run(at(2) + TimeDelta::days(60)))],
    )
    .await;
    let left = runs(fleet, all()).await;
    let mut left: Vec<_> = left.iter().map(|run| run.integration_id.as_str()).collect();
    left.sort_unstable();
    assert_eq!(
        left,
        ["gone-too", "paused", "syncs"],
        "another tenant's, and one that only rests"
    );
}
