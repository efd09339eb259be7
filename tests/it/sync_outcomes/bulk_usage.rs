//! Without a usable usage report, usage comes from the listing, or is asked for device by device.

use carrier_sync::integration::Outcome;
use carrier_sync::simulator::{Endpoint, Fault};
use carrier_sync::sync::Halt;
use chrono::{DateTime, TimeDelta, Utc};

use super::{ACME, Scene, Service, link, unusable};
use crate::fleet::in_system;
use crate::scripted::{Reply, ScriptedCarrier, answer, json};

#[test]
fn with_an_unusable_report_every_device_still_gets_its_usage_from_the_listing() {
    in_system(async {
        let mut faults = unusable(Endpoint::Billing);
        faults.push(Fault::status(500).at(Endpoint::Billing));
        faults.push(Fault::status(400).at(Endpoint::Billing));
        faults.push(Fault::status(404).at(Endpoint::Billing));
        for fault in faults {
            let scene = Scene::of(20, ACME, &[]).await;
            scene.inject(fault.clone());
            let report = scene.sync().await;
            assert_eq!(
                report.outcome,
                Outcome::Success,
                "{fault:?}: {:?}",
                report.error
            );
            assert_eq!(scene.true_rows().await, 20, "{fault:?}");
            assert_eq!(scene.calls_of(Endpoint::Devices), 1);
            assert_eq!(
                scene.calls_of(Endpoint::Device),
                0,
                "nobody is asked for twice"
            );
            assert!(
                scene.calls_of(Endpoint::Billing) <= 3,
                "at most the attempts of one call"
            );
        }
    });
}

#[test]
fn a_report_that_breaks_off_costs_nothing_that_the_listing_knows() {
    in_system(async {
        let scene = Scene::of(50, ACME, &[("carriers.hologram.usage_page_size", "10")]).await;
        scene.inject(Fault::status(500).at(Endpoint::Billing).after(2));
        let report = scene.sync().await;
        assert_eq!(report.outcome, Outcome::Success, "{:?}", report.error);
        assert_eq!(scene.true_rows().await, 50);
        assert_eq!(scene.calls_of(Endpoint::Billing), 3);
    });
}

/// Four devices without counters, whose cycles end then.
fn listing(cycle_end: DateTime<Utc>) -> String {
    let end = cycle_end.format("%Y-%m-%d %H:%M:%S");
    let device = |id| {
        format!(
            r#"{{"id":{id},"links":{{"cellular":[{{"id":1{id},"state":"LIVE","whenexpires":"{end}"}}]}}}}"#
        )
    };
    let devices = [1, 2, 3, 4].map(device).join(",");
    format!(r#"{{"success":true,"continues":false,"data":[{devices}]}}"#)
}

/// The end of a cycle that has begun.
fn in_ten_days() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(10)
}

const SESSIONS: &str = r#"{"success":true,"continues":false,"data":[
    {"record_id":"1","bytes":100},{"record_id":"2","bytes":"200"},{"record_id":"1","bytes":100}]}"#;

/// No report, a listing without counters, and this answer to every question for sessions.
async fn listing_without_counters(cycle_end: DateTime<Utc>, sessions: Reply) -> ScriptedCarrier {
    let listing = listing(cycle_end);
    ScriptedCarrier::start(move |_, seen| match seen.path() {
        "/api/1/devices" => json(&listing),
        "/api/1/usage/data" => sessions.clone(),
        _ => answer(500, &[], ""),
    })
    .await
}

#[test]
fn what_neither_report_nor_listing_counts_is_asked_for_within_the_cycle() {
    in_system(async {
        let cycle_end = in_ten_days();
        let carrier = listing_without_counters(cycle_end, json(SESSIONS)).await;
        let service = Service::new(&[]).await;
        link(&service, &carrier, &["1", "2", "3", "4"]).await;
        let report = service.sync().await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert!(
            service
                .rows()
                .await
                .iter()
                .all(|row| row.data_used_bytes == Some(300))
        );
        let seen = carrier.seen();
        assert_eq!(
            seen.len(),
            2 + 4,
            "report, listing, and once for each device"
        );
        let asked: Vec<_> = seen
            .iter()
            .filter(|seen| seen.path().ends_with("usage/data"))
            .collect();
        assert_eq!(asked.len(), 4);
        let window = [cycle_end - TimeDelta::days(30), cycle_end];
        let window = window.map(|bound| bound.timestamp().to_string());
        for seen in asked {
            assert_eq!(seen.query("timestart"), Some(window[0].as_str()));
            assert_eq!(seen.query("timeend"), Some(window[1].as_str()));
        }
    });
}

#[test]
fn an_empty_answer_about_a_cycle_without_records_is_not_zero() {
    in_system(async {
        // Sessions are kept for three months, and there are none of a cycle to come.
        for cycle_ended_in_days in [-100, 100] {
            let cycle_end = Utc::now() + TimeDelta::days(cycle_ended_in_days);
            let nothing = json(r#"{"success":true,"continues":false,"data":[]}"#);
            let carrier = listing_without_counters(cycle_end, nothing).await;
            let service = Service::new(&[]).await;
            link(&service, &carrier, &["1", "2", "3", "4"]).await;
            let report = service.sync().await;
            assert_eq!((report.outcome, report.failed()), (Outcome::Error, 4));
            assert_eq!(carrier.count("/usage/data"), 0, "no call that is in vain");
            for row in service.rows().await {
                let written = (row.sim_status.as_deref(), row.data_used_bytes);
                assert_eq!(written, (Some("active"), None), "{cycle_ended_in_days}");
            }
        }
    });
}

#[test]
fn no_more_are_asked_for_one_by_one_than_allowed_and_the_rest_is_told() {
    in_system(async {
        let carrier = listing_without_counters(in_ten_days(), json(SESSIONS)).await;
        let service = Service::new(&[("carriers.hologram.max_fallback_calls", "3")]).await;
        link(&service, &carrier, &["1", "2", "3", "4"]).await;
        let report = service.sync().await;
        assert_eq!((report.outcome, report.synced), (Outcome::Partial, 3));
        assert_eq!((report.halt, report.api_calls), (None, 2 + 3));
        assert_eq!(carrier.count("/usage/data"), 3);
        let error = report.error.unwrap();
        assert!(error.contains("1 of 4 devices not synced"), "{error}");
        let rows = service.rows().await;
        assert!(
            rows.iter()
                .all(|row| row.sim_status.as_deref() == Some("active"))
        );
        let without: Vec<_> = rows
            .iter()
            .filter(|row| row.data_used_bytes.is_none())
            .collect();
        assert_eq!(without.len(), 1, "unknown is not zero");
    });
}

#[test]
fn a_refusal_met_while_asking_for_usage_one_by_one_ends_the_asking() {
    in_system(async {
        type Fits = fn(&Halt) -> bool;
        let table: [(Reply, Fits); 3] = [
            (answer(401, &[], ""), |halt| {
                matches!(halt, Halt::Credentials { .. })
            }),
            (answer(429, &[("Retry-After", "600")], ""), |halt| {
                matches!(halt, Halt::Throttled { .. })
            }),
            (answer(500, &[], ""), |halt| {
                matches!(halt, Halt::Outage { .. })
            }),
        ];
        for (reply, fits) in table {
            let carrier = listing_without_counters(in_ten_days(), reply).await;
            let settings = [("carriers.hologram.max_concurrency", "1")];
            let service = Service::new(&settings).await;
            link(&service, &carrier, &["1", "2", "3", "4"]).await;
            let report = service.sync().await;
            assert!(report.halt.as_ref().is_some_and(fits), "{:?}", report.halt);
            assert_eq!((report.outcome, report.synced), (Outcome::Error, 0));
            assert!(
                carrier.count("/usage/data") <= 3,
                "{} calls",
                carrier.count("/usage/data")
            );
            // The listing was read before: what it said is not lost.
            for row in service.rows().await {
                let written = (row.sim_status.as_deref(), row.data_used_bytes);
                assert_eq!(written, (Some("active"), None));
            }
        }
    });
}
