//! A carrier whose prepaid quota is the billing cycle, and whose listing goes on calling a SIM enabled once its
//! quota has ended (1NCE): the stored cycle decides, until another one has been told.

use carrier_sync::integration::Outcome;

use super::*;
use crate::fleet::in_system;
use crate::scripted::{Seen, answer, json};

const SIM: &str = "8988280666000000101";

/// One SIM, enabled, with a quota until then.
async fn carrier(expiry: &'static str) -> ScriptedCarrier {
    ScriptedCarrier::start(move |_, seen: &Seen| {
        let path = seen.path();
        let body = if path.ends_with("/token") {
            r#"{"access_token":"t","token_type":"bearer","expires_in":3600}"#.to_owned()
        } else if path.ends_with("/quota/data") {
            format!(
                r#"{{"volume":400,"total_volume":500,"accumulated_total_volume":500,
                    "status":{{"description":"ACTIVE"}},"created_at":"2014-01-01T00:00:00Z",
                    "expiry_date":"{expiry}"}}"#
            )
        } else if path.ends_with("/status") {
            format!(r#"{{"iccid":"{SIM}","status":"ONLINE"}}"#)
        } else {
            let headers = [("x-count-per-page", "100"), ("x-total-pages", "1")];
            let body = format!(r#"[{{"iccid":"{SIM}","status":"Enabled","activation_date":"2014-03-09T07:59:09.000+0000"}}]"#);
            return answer(200, &headers, body);
        };
        json(&body)
    })
    .await
}

/// The status of a SIM whose stored quota has ended, after a sync.
async fn status_after_a_sync(expiry: &'static str, slice: &str) -> (String, Outcome) {
    let carrier = carrier(expiry).await;
    let settings = [
        ("carriers.1nce.requests_per_second", "1000"),
        ("carriers.1nce.slice", slice),
    ];
    let service = Service::new(&settings).await;
    let fields = IntegrationChange {
        api_key: Some("client".into()),
        api_secret: Some("secret".into()),
        ..IntegrationChange::default()
    };
    service
        .link(("1nce", &carrier), fields, [("d1", SIM.to_owned())])
        .await;
    service
        .execute(
            "UPDATE device_connections SET billing_cycle_source = 'reported', \
             billing_cycle_start = '2014-01-01T00:00:00.000000Z', \
             billing_cycle_end = '2024-01-01T00:00:00.000000Z'",
        )
        .await;
    let report = service.sync().await;
    let row = service.row("d1").await;
    (row.sim_status.unwrap(), report.outcome)
}

#[test]
fn a_quota_that_has_ended_deactivates_its_sim_until_a_renewed_one_is_told() {
    in_system(async {
        let (renewed, over) = ("2099-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
        for (expiry, slice, status) in [
            (renewed, "0", "deactivated"),
            (renewed, "10", "active"),
            (over, "0", "deactivated"),
            (over, "10", "deactivated"),
        ] {
            let after = status_after_a_sync(expiry, slice).await;
            let expected = (status.to_owned(), Outcome::Success);
            assert_eq!(after, expected, "until {expiry}, slice {slice}");
        }
    });
}
