//! A carrier whose usage comes from a report and whose cycles are asked for once (Twilio): a report that cannot
//! be read is a failure, and no reason for anyone to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carrier_sync::integration::Outcome;
use chrono::{TimeDelta, Utc};

use super::*;
use crate::fleet::in_system;
use crate::scripted::{Reply, Seen, answer, json};

/// Rows of a listing of Super SIM, on one page.
fn listing(key: &str, rows: &[String]) -> Reply {
    let rows = rows.join(",");
    json(&format!(
        r#"{{"{key}":[{rows}],"meta":{{"key":"{key}","next_page_url":null}}}}"#
    ))
}

fn sid(number: usize) -> String {
    format!("HS{number:032x}")
}

fn usage(number: usize) -> String {
    let (sim, total) = (sid(number), 1_000 * number);
    format!(r#"{{"sim_sid":"{sim}","data_total":{total}}}"#)
}

/// Three SIMs; the report is broken for as long as asked for.
async fn carrier(is_broken: Arc<AtomicBool>) -> ScriptedCarrier {
    let start = Utc::now() - TimeDelta::days(3);
    ScriptedCarrier::start(move |_, seen: &Seen| {
        let numbers = || 1..=3;
        let path = seen.path();
        if path.ends_with("/BillingPeriods") {
            let (start, end) = (
                start.to_rfc3339(),
                (start + TimeDelta::days(30)).to_rfc3339(),
            );
            let (start, end) = (start.replace("+00:00", "Z"), end.replace("+00:00", "Z"));
            let sim = numbers().map(sid).find(|sid| path.contains(sid.as_str()));
            let sim = sim.expect("a SIM of ours");
            let row = format!(
                r#"{{"sid":"HB1","sim_sid":"{sim}","start_time":"{start}","end_time":"{end}"}}"#
            );
            return listing("billing_periods", &[row]);
        }
        if path.ends_with("/Sims") {
            let row = |number| format!(r#"{{"sid":"{}","status":"active"}}"#, sid(number));
            return listing("sims", &numbers().map(row).collect::<Vec<_>>());
        }
        match seen.query("Sim") {
            Some(sim) => {
                let number = numbers().find(|number| sid(*number) == sim);
                listing("usage_records", &[usage(number.expect("a SIM of ours"))])
            }
            None if is_broken.load(Ordering::SeqCst) => answer(200, &[], "<html>"),
            None => listing("usage_records", &numbers().map(usage).collect::<Vec<_>>()),
        }
    })
    .await
}

async fn link(service: &Service, carrier: &ScriptedCarrier) {
    let fields = IntegrationChange {
        api_key: Some(format!("AC{:032x}", 7).into()),
        api_secret: Some("secret-of-the-account".into()),
        ..IntegrationChange::default()
    };
    let devices = [("d1", sid(1)), ("d2", sid(2)), ("d3", sid(3))];
    service.link(("twilio", carrier), fields, devices).await;
}

#[test]
fn a_report_that_cannot_be_read_is_told_and_its_devices_are_asked_for_within_the_bound() {
    in_system(async {
        let is_broken = Arc::new(AtomicBool::new(false));
        let carrier = carrier(Arc::clone(&is_broken)).await;
        let settings = [
            ("carriers.twilio.requests_per_second", "1000"),
            ("carriers.twilio.max_fallback_calls", "2"),
        ];
        let service = Service::new(&settings).await;
        link(&service, &carrier).await;
        let first = service.sync().await;
        assert_eq!((first.outcome, first.error), (Outcome::Success, None));
        let rows = service.rows().await;
        let used: Vec<_> = rows.iter().map(|row| row.data_used_bytes).collect();
        assert_eq!(used, [Some(1_000), Some(2_000), Some(3_000)]);

        let before = carrier.seen().len();
        let steady = service.sync().await;
        assert_eq!((steady.outcome, steady.error), (Outcome::Success, None));
        assert_eq!(carrier.seen().len() - before, 2, "report and listing");

        is_broken.store(true, Ordering::SeqCst);
        let before = carrier.seen().len();
        let report = service.sync().await;
        assert_eq!(report.outcome, Outcome::Partial, "{:?}", report.error);
        assert_eq!((report.synced, report.failures.len()), (2, 1));
        let error = report.error.unwrap();
        assert!(error.contains("usage"), "{error}");
        let alone = carrier.seen().split_off(before);
        let alone = alone.iter().filter(|seen| seen.query("Sim").is_some());
        assert_eq!(alone.count(), 2, "no more than max_fallback_calls");

        is_broken.store(false, Ordering::SeqCst);
        let well = service.sync().await;
        assert_eq!((well.outcome, well.synced), (Outcome::Success, 3));
    });
}

#[test]
fn while_a_report_is_broken_everyone_is_asked_for_in_turn() {
    in_system(async {
        let is_broken = Arc::new(AtomicBool::new(false));
        let carrier = carrier(Arc::clone(&is_broken)).await;
        let settings = [
            ("carriers.twilio.requests_per_second", "1000"),
            ("carriers.twilio.max_fallback_calls", "1"),
        ];
        let service = Service::new(&settings).await;
        link(&service, &carrier).await;
        let job = fleet::job(&service.app).await;
        let first = fleet::sync_job_again(&service.app, &job).await;
        assert_eq!(first.outcome, Outcome::Success, "{:?}", first.error);
        is_broken.store(true, Ordering::SeqCst);
        let before = carrier.seen().len();
        for _ in 0..3 {
            let report = fleet::sync_job_again(&service.app, &job).await;
            assert_eq!((report.outcome, report.synced), (Outcome::Partial, 1));
        }
        let alone = carrier.seen().split_off(before);
        let alone = alone.iter().filter_map(|seen| seen.query("Sim"));
        let mut asked: Vec<_> = alone.map(str::to_owned).collect();
        asked.sort_unstable();
        assert_eq!(asked, (1..=3).map(sid).collect::<Vec<_>>());
    });
}
