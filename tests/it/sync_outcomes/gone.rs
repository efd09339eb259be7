//! A SIM that the carrier does not know any more (Telnyx): deactivated, if it has ever been there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carrier_sync::integration::Outcome;

use super::*;
use crate::fleet::in_system;
use crate::scripted::{Seen, answer, json};

const STAYS: &str = "00000000-0000-4000-8000-000000000001";
const GOES: &str = "00000000-0000-4000-8000-000000000002";
const MISTYPED: &str = "00000000-0000-4000-8000-00000000000a";

fn row(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":{{"value":"enabled"}},"live_data_session":"connected",
            "current_billing_period_consumed_data":{{"amount":"1","unit":"MB"}}}}"#
    )
}

/// Two SIM cards, the second for as long as it is there.
async fn carrier(is_there: Arc<AtomicBool>) -> ScriptedCarrier {
    ScriptedCarrier::start(move |_, seen: &Seen| {
        let mut known = vec![STAYS];
        if is_there.load(Ordering::SeqCst) {
            known.push(GOES);
        }
        if seen.path().ends_with("/sim_cards") {
            let rows: Vec<_> = known.iter().map(|id| row(id)).collect();
            let rows = rows.join(",");
            return json(&format!(
                r#"{{"data":[{rows}],"meta":{{"total_pages":1,"page_number":1}}}}"#
            ));
        }
        match known.iter().find(|id| seen.path().ends_with(*id)) {
            Some(id) => json(&format!(r#"{{"data":{}}}"#, row(id))),
            None => answer(404, &[], r#"{"errors":[{"title":"Resource not found"}]}"#),
        }
    })
    .await
}

/// A service with these SIM cards.
async fn service(carrier: &ScriptedCarrier, devices: &[(&str, &str)]) -> Service {
    let service = Service::new(&[("carriers.telnyx.requests_per_second", "1000")]).await;
    let fields = IntegrationChange {
        api_key: Some("KEY0123456789ABCDEF_secret".into()),
        ..IntegrationChange::default()
    };
    let devices = devices
        .iter()
        .map(|(device, sim)| (*device, (*sim).to_owned()));
    service.link(("telnyx", carrier), fields, devices).await;
    service
}

#[test]
fn a_sim_that_is_gone_is_deactivated_and_one_that_was_never_there_is_only_told() {
    in_system(async {
        let is_there = Arc::new(AtomicBool::new(true));
        let carrier = carrier(Arc::clone(&is_there)).await;
        let devices = [("stays", STAYS), ("goes", GOES), ("mistyped", MISTYPED)];
        let service = service(&carrier, &devices).await;
        let report = service.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 2));
        assert_eq!(report.failures[0].reason, "not found at the carrier");
        assert_eq!(service.row("mistyped").await.sim_status, None);

        is_there.store(false, Ordering::SeqCst);
        let report = service.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 1));
        let status = async |device| service.row(device).await.sim_status;
        assert_eq!(status("stays").await.as_deref(), Some("active"));
        assert_eq!(status("goes").await.as_deref(), Some("deactivated"));
        assert_eq!(status("mistyped").await, None);
    });
}

/// As one of another account, or of a key that sees nothing.
#[test]
fn a_listing_that_knows_none_of_ours_says_of_nobody_that_he_is_gone() {
    in_system(async {
        let is_there = Arc::new(AtomicBool::new(true));
        let carrier = carrier(Arc::clone(&is_there)).await;
        let service = service(&carrier, &[("goes", GOES)]).await;
        assert_eq!(service.sync().await.outcome, Outcome::Success);
        is_there.store(false, Ordering::SeqCst);
        let report = service.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Error, 0));
        assert_eq!(report.failures[0].reason, "not found at the carrier");
        let status = service.row("goes").await.sim_status;
        assert_eq!(status.as_deref(), Some("active"), "as it was");
    });
}
