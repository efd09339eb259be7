//! Promises about device rows.

use std::collections::BTreeSet;

use carrier_sync::device::{BillingCycle, CycleSource, DeviceInfo, DeviceUpdate, SimStatus, Usage};
use carrier_sync::store::DeviceRow;

use crate::store::fleet::*;

pub async fn every_field_comes_back_as_written(fleet: &Fleet) {
    fleet.account("t", "i", 2).await;
    let update = everything("d0000", 503_417_039);
    let receipts = fleet.write(&[batch("t", "i", vec![update])]).await;
    assert_eq!((receipts[0].written, receipts[0].failures.len()), (1, 0));

    let cycle = cycle(11, CycleSource::Reported);
    assert_eq!(
        fleet.device("t", "d0000").await,
        DeviceRow {
            tenant_id: tenant("t"),
            device_id: nothing("d0000").device_id,
            carrier_integration_id: Some(integration("i")),
            carrier_device_id: Some("c-d0000".into()),
            sim_iccid: Some("8944-d0000".into()),
            sim_status: Some("active".into()),
            network_status: Some("connected".into()),
            data_used_bytes: Some(503_417_039),
            data_used_mb: Some(480.1),
            data_used_updated_at: Some(at(0)),
            billing_cycle_start: Some(cycle.start()),
            billing_cycle_end: Some(cycle.end()),
            billing_cycle_source: Some("reported".into()),
        }
    );
    assert_eq!(
        fleet.device("t", "d0001").await.data_used_bytes,
        None,
        "its neighbour"
    );

    // The largest count that there is, and its megabytes to the last digit.
    let most = i64::MAX as u64;
    fleet
        .write(&[batch("t", "i", vec![used("d0001", most)])])
        .await;
    let row = fleet.device("t", "d0001").await;
    assert_eq!(row.data_used_bytes, Some(i64::MAX));
    assert_eq!(row.data_used_mb, Some(8_796_093_022_208.0));
}

pub async fn a_field_that_was_not_fetched_keeps_its_stored_value(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    fleet
        .write(&[batch("t", "i", vec![everything("d0000", 1_000)])])
        .await;
    let before = fleet.device("t", "d0000").await;

    let silent = DeviceUpdate {
        observed_at: at(9),
        ..nothing("d0000")
    };
    fleet.write(&[batch("t", "i", vec![silent])]).await;
    assert_eq!(fleet.device("t", "d0000").await, before);

    // Each field moves alone; usage without a cycle keeps all three columns of the cycle.
    let info = DeviceInfo {
        sim_status: Some(SimStatus::Suspended),
        ..DeviceInfo::default()
    };
    let update = DeviceUpdate {
        observed_at: at(9),
        info,
        ..used("d0000", 2_000)
    };
    fleet.write(&[batch("t", "i", vec![update])]).await;
    let expected = DeviceRow {
        sim_status: Some("suspended".into()),
        data_used_bytes: Some(2_000),
        data_used_mb: Some(0.0),
        data_used_updated_at: Some(at(9)),
        ..before
    };
    assert_eq!(fleet.device("t", "d0000").await, expected);
}

pub async fn a_derived_start_does_not_replace_a_reported_one_of_the_same_cycle(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    let with = |cycle| DeviceUpdate {
        usage: Some(Usage {
            cycle: Some(cycle),
            ..usage(7)
        }),
        ..nothing("d0000")
    };
    let reported = cycle(11, CycleSource::Reported);
    let hour = chrono::TimeDelta::hours(1);
    let derived = BillingCycle::new(
        reported.start() + hour,
        reported.end(),
        CycleSource::Derived,
    );
    let next = BillingCycle::new(reported.end(), reported.end() + hour, CycleSource::Derived);
    let mut stored = Vec::new();
    for cycle in [Some(reported), derived, next] {
        let update = with(cycle.unwrap());
        fleet.write(&[batch("t", "i", vec![update])]).await;
        let row = fleet.device("t", "d0000").await;
        stored.push((
            row.billing_cycle_start.unwrap(),
            row.billing_cycle_source.unwrap(),
        ));
    }
    let word = |source: &str| source.to_owned();
    assert_eq!(
        stored,
        [
            (reported.start(), word("reported")),
            (reported.start(), word("reported")),
            (reported.end(), word("derived")),
        ]
    );
}

pub async fn bytes_of_a_cycle_that_nobody_told_are_not_put_under_one_that_is_over(fleet: &Fleet) {
    fleet.account("t", "i", 2).await;
    let known = (0..2).map(|n| everything(&device_name(n), 7)).collect();
    fleet.write(&[batch("t", "i", known)]).await;
    let end = cycle(11, CycleSource::Reported).end();
    let later = |device: &str, seconds| DeviceUpdate {
        observed_at: end + chrono::TimeDelta::seconds(seconds),
        ..used(device, 9)
    };
    let updates = vec![later("d0000", -1), later("d0001", 0)];
    fleet.write(&[batch("t", "i", updates)]).await;
    let rows = fleet.devices("t").await;
    let bytes: Vec<_> = rows.iter().map(|row| row.data_used_bytes).collect();
    assert_eq!(bytes, [Some(9), Some(9)]);
    let cycles: Vec<_> = rows
        .iter()
        .map(|row| (row.billing_cycle_start.is_some(), row.billing_cycle_end))
        .collect();
    assert_eq!(cycles, [(true, Some(end)), (false, None)]);
    assert_eq!(rows[1].billing_cycle_source, None);

    // Statuses alone say nothing of a cycle.
    let silent = DeviceUpdate {
        usage: None,
        ..later("d0000", 60)
    };
    fleet.write(&[batch("t", "i", vec![silent])]).await;
    assert_eq!(fleet.device("t", "d0000").await, rows[0]);
}

pub async fn missing_usage_is_never_zero_and_zero_is_written(fleet: &Fleet) {
    fleet.account("t", "i", 2).await;
    let info_only = DeviceUpdate {
        usage: None,
        ..everything("d0000", 0)
    };
    let zero = used("d0001", 0);
    fleet.write(&[batch("t", "i", vec![info_only, zero])]).await;

    let row = fleet.device("t", "d0000").await;
    assert_eq!(row.sim_status.as_deref(), Some("active"));
    assert_eq!(
        (
            row.data_used_bytes,
            row.data_used_mb,
            row.data_used_updated_at
        ),
        (None, None, None)
    );
    let row = fleet.device("t", "d0001").await;
    assert_eq!(
        (row.data_used_bytes, row.data_used_mb),
        (Some(0), Some(0.0))
    );
    assert_eq!(row.data_used_updated_at, Some(at(0)));
}

pub async fn an_end_that_is_off_by_seconds_is_the_same_cycle_s(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    let reported = cycle(11, CycleSource::Reported);
    let moved = |start: i64, end: i64, source| {
        let start = reported.start() + chrono::TimeDelta::seconds(start);
        let end = reported.end() + chrono::TimeDelta::seconds(end);
        BillingCycle::new(start, end, source).unwrap()
    };
    const DAY: i64 = 86_400;
    let story = [
        (reported, (0, 0, "reported")),
        // A plan that was cancelled: thirty days before its end it was another cycle's.
        (moved(-9 * DAY, 0, CycleSource::Derived), (0, 0, "reported")),
        (moved(-9 * DAY, 5, CycleSource::Derived), (0, 5, "reported")),
        (moved(3, 0, CycleSource::Reported), (3, 0, "reported")),
        (
            moved(30 * DAY, 30 * DAY, CycleSource::Derived),
            (30 * DAY, 30 * DAY, "derived"),
        ),
        (
            moved(29 * DAY, 30 * DAY, CycleSource::Derived),
            (29 * DAY, 30 * DAY, "derived"),
        ),
    ];
    for (written, (start, end, source)) in story {
        let mut update = used("d0000", 7);
        update.usage = update.usage.map(|usage| Usage {
            cycle: Some(written),
            ..usage
        });
        let batches = [batch("t", "i", vec![update])];
        assert_eq!(fleet.write(&batches).await[0].written, 1);
        let row = fleet.device("t", "d0000").await;
        let expected = moved(start, end, CycleSource::Reported);
        assert_eq!(
            row.billing_cycle_start,
            Some(expected.start()),
            "{written:?}"
        );
        assert_eq!(row.billing_cycle_end, Some(expected.end()), "{written:?}");
        assert_eq!(
            row.billing_cycle_source.as_deref(),
            Some(source),
            "{written:?}"
        );
    }
}

pub async fn an_iccid_is_stored_only_where_none_is(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    let told = |iccid: &str| {
        let info = DeviceInfo {
            iccid: Some(iccid.into()),
            ..DeviceInfo::default()
        };
        DeviceUpdate {
            info,
            ..nothing("d0000")
        }
    };
    for iccid in ["first", "second"] {
        fleet.write(&[batch("t", "i", vec![told(iccid)])]).await;
        assert_eq!(
            fleet.device("t", "d0000").await.sim_iccid.as_deref(),
            Some("first")
        );
    }
}

/// A rule of ours that the platform's own table might have: it breaks for one count of bytes.
/// SQLite adds no constraint to a table that is there, so there it is a trigger.
async fn refuse_bytes(fleet: &Fleet, bytes: u64) {
    if fleet.service.engine() == "postgres" {
        let sql = "ALTER TABLE device_connections ADD CONSTRAINT no_such_count";
        fleet
            .execute(&format!("{sql} CHECK (data_used_bytes <> {bytes})"))
            .await;
    } else {
        let sql = "CREATE TRIGGER strict BEFORE UPDATE ON device_connections";
        let raise = "BEGIN SELECT RAISE(ABORT, 'violates no_such_count'); END";
        fleet
            .execute(&format!("{sql} WHEN NEW.data_used_bytes = {bytes} {raise}"))
            .await;
    }
}

pub async fn bad_rows_among_thousands_are_isolated_and_told(fleet: &Fleet) {
    fleet.account("t", "i", 3_000).await;
    refuse_bytes(fleet, 666).await;
    let bad = BTreeSet::from([0, 1_500, 1_501, 2_999]);
    let bytes = |n: usize| {
        if bad.contains(&n) {
            666
        } else {
            1_000_000 + n as u64
        }
    };
    let updates = (0..3_000)
        .map(|n| everything(&device_name(n), bytes(n)))
        .collect();

    let receipts = fleet.write(&[batch("t", "i", updates)]).await;
    assert_eq!(receipts[0].written, 2_996);
    let failed: BTreeSet<_> = receipts[0]
        .failures
        .iter()
        .map(|failure| failure.device_id.to_string())
        .collect();
    assert_eq!(failed, bad.iter().map(|n| device_name(*n)).collect());
    for failure in &receipts[0].failures {
        assert!(
            failure.reason.contains("no_such_count"),
            "{}",
            failure.reason
        );
        assert!(
            !failure.reason.contains("8944"),
            "not the row: {}",
            failure.reason
        );
    }
    for (n, row) in fleet.devices("t").await.iter().enumerate() {
        let expected = (!bad.contains(&n)).then(|| bytes(n).cast_signed());
        assert_eq!(row.data_used_bytes, expected, "{n}");
    }
}

pub async fn a_batch_of_bad_rows_only_is_told_and_harms_no_other_batch(fleet: &Fleet) {
    fleet.account("t", "i", 20).await;
    fleet.account("u", "j", 20).await;
    refuse_bytes(fleet, 666).await;
    let all = |bytes| (0..20).map(|n| used(&device_name(n), bytes)).collect();
    let batches = [batch("t", "i", all(666)), batch("u", "j", all(5))];
    let receipts = fleet.write(&batches).await;
    assert_eq!((receipts[0].written, receipts[0].failures.len()), (0, 20));
    assert_eq!((receipts[1].written, receipts[1].failures.len()), (20, 0));
}

pub async fn a_row_that_is_gone_or_linked_elsewhere_is_left_alone_and_told(fleet: &Fleet) {
    fleet.account("t", "i", 6).await;
    fleet.bare_account("t", "other").await;
    fleet
        .execute(
            "UPDATE device_connections SET carrier_integration_id = 'other' WHERE device_id = 'd0001'; \
             UPDATE device_connections SET carrier_integration_id = NULL WHERE device_id = 'd0002'; \
             DELETE FROM device_connections WHERE device_id = 'd0003'; \
             UPDATE device_connections SET carrier_device_id = 'c-d00045' WHERE device_id = 'd0004'; \
             UPDATE device_connections SET carrier_device_id = ' c-d0005\t' WHERE device_id = 'd0005'",
        )
        .await;
    let updates = (0..6).map(|n| used(&device_name(n), 9)).collect();
    let receipts = fleet.write(&[batch("t", "i", updates)]).await;

    assert_eq!(receipts[0].written, 2);
    let told: Vec<_> = receipts[0]
        .failures
        .iter()
        .map(|failure| (failure.device_id.as_str(), failure.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("d0001", "the device is linked to another integration"),
            ("d0002", "the device is no longer linked to an integration"),
            ("d0003", "no such device in the database"),
            (
                "d0004",
                "the device has been linked to another SIM meanwhile"
            ),
        ]
    );
    let bytes: Vec<_> = fleet
        .devices("t")
        .await
        .iter()
        .map(|row| row.data_used_bytes)
        .collect();
    assert_eq!(bytes, [Some(9), None, None, None, Some(9)]);
}

pub async fn a_device_named_twice_takes_the_last_word(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    let later = DeviceUpdate {
        observed_at: at(5),
        ..used("d0000", 30)
    };
    let batches = [
        batch("t", "i", vec![everything("d0000", 10)]),
        batch("t", "i", vec![used("d0000", 20), later]),
    ];
    let receipts = fleet.write(&batches).await;
    assert_eq!(
        receipts
            .iter()
            .map(|receipt| receipt.written)
            .collect::<Vec<_>>(),
        [1, 1]
    );
    let row = fleet.device("t", "d0000").await;
    assert_eq!(
        (row.data_used_bytes, row.data_used_updated_at),
        (Some(30), Some(at(5)))
    );
    assert_eq!(
        row.sim_status.as_deref(),
        Some("active"),
        "the first batch's other words stay"
    );
}

pub async fn receipts_answer_batches_in_order_across_tenants(fleet: &Fleet) {
    for (tenant, id) in [("b", "ib"), ("a", "ia"), ("c", "ic")] {
        fleet.account(tenant, id, 5).await;
    }
    let updates = |count| (0..count).map(|n| used(&device_name(n), 7)).collect();
    let batches = [
        batch("b", "ib", updates(1)),
        batch("a", "ia", updates(2)),
        batch("c", "ic", vec![]),
        batch("b", "ib", updates(3)),
        batch("c", "ic", updates(9)),
    ];
    let receipts = fleet.write(&batches).await;
    let told: Vec<_> = receipts
        .iter()
        .map(|r| (r.written, r.failures.len()))
        .collect();
    assert_eq!(told, [(1, 0), (2, 0), (0, 0), (3, 0), (5, 4)]);
}

pub async fn writing_the_same_batch_again_changes_nothing(fleet: &Fleet) {
    fleet.account("t", "i", 10).await;
    let updates = (0..10)
        .map(|n| everything(&device_name(n), 1 << n))
        .collect();
    let batches = [batch("t", "i", updates)];
    let first = fleet.write(&batches).await;
    let before = fleet.devices("t").await;
    assert_eq!(fleet.write(&batches).await, first);
    assert_eq!(fleet.devices("t").await, before);
}

pub async fn the_same_device_name_of_another_tenant_is_another_device(fleet: &Fleet) {
    fleet.account("t", "i", 1).await;
    fleet.account("u", "j", 1).await;
    // A tenant's batch that names another tenant's account reaches neither.
    let batches = [
        batch("t", "i", vec![used("d0000", 1)]),
        batch("t", "j", vec![used("d0000", 2)]),
    ];
    let receipts = fleet.write(&batches).await;
    assert_eq!(
        receipts
            .iter()
            .map(|receipt| receipt.written)
            .collect::<Vec<_>>(),
        [1, 0]
    );
    assert_eq!(fleet.device("t", "d0000").await.data_used_bytes, Some(1));
    assert_eq!(fleet.device("u", "d0000").await.data_used_bytes, None);
}

pub async fn nothing_to_write_is_no_error(fleet: &Fleet) {
    assert!(fleet.write(&[]).await.is_empty());
    let receipts = fleet.write(&[batch("t", "i", vec![])]).await;
    assert_eq!((receipts.len(), receipts[0].written), (1, 0));
    let stray = Usage {
        cycle: Some(cycle(11, CycleSource::Derived)),
        ..usage(1)
    };
    let stray = DeviceUpdate {
        usage: Some(stray),
        ..nothing("nobody")
    };
    let told = fleet.write(&[batch("t", "i", vec![stray])]).await;
    assert_eq!(told[0].failures.len(), 1);
}
