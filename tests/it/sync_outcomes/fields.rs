//! What a carrier leaves out or garbles keeps its stored value: missing is never zero, and one bad
//! field never costs the good ones.

use carrier_sync::integration::Outcome;
use carrier_sync::store::DeviceRow;

use super::{Service, link};
use crate::fleet::in_system;
use crate::scripted::{ScriptedCarrier, answer, json};

/// A listing of one readable device, `2`, and one whose link reads like this, `1`.
async fn carrier_with(link: &str) -> ScriptedCarrier {
    let good = r#"{"id":12,"sim":"8944501","state":"LIVE","whenclaimed":"2029-01-01 00:00:00",
        "whenexpires":"2030-01-31 00:00:00","cur_billing_data_used":500}"#;
    let listing = format!(
        r#"{{"success":true,"data":[{{"id":1,"links":{{"cellular":[{link}]}}}},
            {{"id":2,"links":{{"cellular":[{good}]}}}}]}}"#
    );
    ScriptedCarrier::start(move |_, seen| match seen.path() {
        "/api/1/devices" => json(&listing),
        "/api/1/usage/data/billing" => json(r#"{"success":true,"data":[]}"#),
        _ => answer(404, &[], ""),
    })
    .await
}

const STORED: &str = "UPDATE device_connections SET data_used_bytes = 777, data_used_mb = 0.0, \
    data_used_updated_at = '2026-01-02T03:04:05.000000Z', sim_iccid = '8900', \
    sim_status = 'suspended', network_status = 'connected', \
    billing_cycle_start = '2026-01-01T00:00:00.000000Z', \
    billing_cycle_end = '2026-01-31T00:00:00.000000Z', billing_cycle_source = 'reported' \
    WHERE device_id = 'd1'";

/// Syncs over stored values; gives the row as it was and as it is.
async fn synced_over(link_json: &str) -> (DeviceRow, DeviceRow) {
    let carrier = carrier_with(link_json).await;
    let service = Service::new(&[]).await;
    link(&service, &carrier, &["1", "2"]).await;
    service.execute(STORED).await;
    let before = service.row("d1").await;
    assert_eq!(before.data_used_bytes, Some(777));
    let report = service.sync().await;
    assert_eq!(
        (report.outcome, report.synced),
        (Outcome::Partial, 1),
        "{:?}",
        report.error
    );
    assert_eq!(
        service.row("d2").await.data_used_bytes,
        Some(500),
        "the other row is whole"
    );
    (before, service.row("d1").await)
}

#[test]
fn bytes_that_cannot_be_keep_the_old_usage_and_the_statuses_are_written() {
    in_system(async {
        for bytes in [
            "-1",
            "9223372036854775808",
            "1e300",
            "\"many\"",
            "null",
            "{}",
            "1.5",
        ] {
            let (before, after) = synced_over(&format!(
                r#"{{"id":11,"state":"LIVE","whenexpires":"2030-01-31 00:00:00",
                    "cur_billing_data_used":{bytes}}}"#
            ))
            .await;
            let expected = DeviceRow {
                sim_status: Some("active".to_owned()),
                network_status: Some("unknown".to_owned()),
                ..before
            };
            assert_eq!(after, expected, "{bytes}");
        }
    });
}

#[test]
fn a_carrier_that_says_nothing_changes_nothing_it_did_not_speak_of() {
    in_system(async {
        let (before, after) = synced_over(r#"{"id":11}"#).await;
        let (sim_status, network_status) = (after.sim_status.clone(), after.network_status.clone());
        let expected = DeviceRow {
            sim_status,
            network_status,
            ..before
        };
        assert_eq!(after, expected, "usage, cycle and ICCID are as they were");
        assert_ne!(after.sim_status.as_deref(), Some("active"));
    });
}

#[test]
fn a_state_that_nobody_knows_is_unknown_and_costs_its_row_nothing() {
    in_system(async {
        let carrier = carrier_with(
            r#"{"id":11,"state":"LIMBO","whenexpires":"2030-01-31 00:00:00","cur_billing_data_used":9}"#,
        )
        .await;
        let service = Service::new(&[]).await;
        link(&service, &carrier, &["1", "2"]).await;
        let report = service.sync().await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        let row = service.row("d1").await;
        assert_eq!(
            (row.sim_status.as_deref(), row.data_used_bytes),
            (Some("unknown"), Some(9))
        );
    });
}

#[test]
fn zero_is_written_where_the_carrier_says_zero() {
    in_system(async {
        let carrier = carrier_with(
            r#"{"id":11,"state":"LIVE","whenexpires":"2030-01-31 00:00:00","cur_billing_data_used":0}"#,
        )
        .await;
        let service = Service::new(&[]).await;
        link(&service, &carrier, &["1", "2"]).await;
        service.execute(STORED).await;
        service.sync().await;
        assert_eq!(service.row("d1").await.data_used_bytes, Some(0));
    });
}
