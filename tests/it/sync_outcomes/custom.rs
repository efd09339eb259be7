//! A carrier in a manifest, synced by the real service: what it tells of one device only is asked for, in turns
//! where nothing else has usage, and at once where a report leaves a device out.

use carrier_sync::integration::Outcome;

use super::*;
use crate::fleet::in_system;
use crate::scripted::{Reply, Seen, answer, json};

/// Without usage in the listing; what follows differs.
const MANIFEST: &str = r#"
name = "Acme Mobile"
base_url = "https://api.acme.example"

[auth]
kind = "bearer"

[device]
what = "SIM id in digits"
kind = "digits"

[listing]
path = "sims"
rows = "$.sims"
fields = { device = "$.id", sim_status = "$.state" }

[single]
path = "sims/{device}"
row = "$"

[device_usage]
path = "sims/{device}/usage"
query = { from = "{start}", to = "{end}" }
rows = "$.days"
used = { path = "$.bytes", unit = "B" }
part = "$.day"

[cycle]
rule = "calendar_month"

[sim_status]
on = "active"
"#;

const REPORT: &str = r#"
[usage]
path = "usage"
query = { month = "{month}" }
rows = "$.rows"
device = "$.sim"
used = { path = "$.bytes", unit = "B" }
absent = "ABSENT"
"#;

/// Three SIMs, each of which used its number in thousands; the report as asked for.
async fn carrier(report: &'static str) -> ScriptedCarrier {
    ScriptedCarrier::start(move |_, seen: &Seen| script(report, seen)).await
}

fn script(report: &str, seen: &Seen) -> Reply {
    let sim = |number: usize| format!(r#"{{"id":{number},"state":"on"}}"#);
    let parts: Vec<&str> = seen.path().split('/').skip(3).collect();
    match parts.as_slice() {
        ["sims"] => {
            let sims: Vec<_> = (1..=3).map(sim).collect();
            json(&format!(r#"{{"sims":[{}]}}"#, sims.join(",")))
        }
        // Page after page empty, though there are more: the carrier has lost them.
        ["usage"] if seen.query("page").is_some_and(|page| page != "1") => {
            json(r#"{"pages":3,"rows":[]}"#)
        }
        ["usage"] => json(report),
        ["sims", id] => json(&sim(id.parse().unwrap())),
        ["sims", id, "usage"] => json(&format!(
            r#"{{"days":[{{"day":1,"bytes":{id}000}},{{"day":2,"bytes":0}}]}}"#
        )),
        _ => answer(404, &[], "{}"),
    }
}

/// The manifest is read at each sync, so its folder lives as long.
struct Linked {
    service: Service,
    _manifests: tempfile::TempDir,
}

/// A service whose only integration is of this manifest.
async fn service(manifest: &str, carrier: &ScriptedCarrier, slice: &str) -> Linked {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.toml"), manifest).unwrap();
    let settings = [
        ("custom.manifests", folder.path().to_str().unwrap()),
        ("carriers.custom.requests_per_second", "1000"),
        ("carriers.custom.slice", slice),
    ];
    let service = Service::new(&settings).await;
    let fields = IntegrationChange {
        api_key: Some("a-key-of-the-account".into()),
        config: Some(serde_json::json!({ "manifest": "acme" })),
        ..IntegrationChange::default()
    };
    let devices = [("d1", "1"), ("d2", "2"), ("d3", "3")];
    let devices = devices.map(|(device, sim)| (device, sim.to_owned()));
    service.link(("custom", carrier), fields, devices).await;
    Linked {
        service,
        _manifests: folder,
    }
}

async fn used(service: &Service) -> Vec<Option<i64>> {
    let rows = service.rows().await;
    rows.iter().map(|row| row.data_used_bytes).collect()
}

/// Devices whose usage was asked for by themselves.
fn asked_alone(carrier: &ScriptedCarrier) -> usize {
    let seen = carrier.seen();
    let of_one = |seen: &&Seen| seen.path().contains("/sims/") && seen.path().ends_with("/usage");
    seen.iter().filter(of_one).count()
}

#[test]
fn usage_that_only_a_call_for_one_device_tells_is_asked_for_in_turns() {
    in_system(async {
        let carrier = carrier("{}").await;
        let Linked { service, .. } = &service(MANIFEST, &carrier, "1").await;
        // Of one job that lives on: a first sync may draw whose turn it is.
        let job = fleet::job(&service.app).await;
        for (sync, known) in [1, 2, 3].into_iter().enumerate() {
            let report = fleet::sync_job_again(&service.app, &job).await;
            assert_eq!((report.outcome, report.error), (Outcome::Success, None));
            assert_eq!(asked_alone(&carrier), sync + 1, "one turn a sync");
            assert_eq!(used(service).await.iter().flatten().count(), known);
        }
        assert_eq!(used(service).await, [Some(1_000), Some(2_000), Some(3_000)]);
    });
}

#[test]
fn usage_of_a_device_that_the_report_leaves_out_is_asked_for_alone() {
    in_system(async {
        let carrier = carrier(r#"{"rows":[{"sim":1,"bytes":1000}]}"#).await;
        let manifest = format!("{MANIFEST}{}", REPORT.replace("ABSENT", "unknown"));
        let Linked { service, .. } = &service(&manifest, &carrier, "0").await;
        let report = service.sync().await;
        assert_eq!((report.outcome, report.error), (Outcome::Success, None));
        assert_eq!(used(service).await, [Some(1_000), Some(2_000), Some(3_000)]);
        assert_eq!(asked_alone(&carrier), 2);
    });
}

#[test]
fn usage_is_asked_for_alone_where_a_report_that_would_mean_zero_broke_off() {
    in_system(async {
        let carrier = carrier("<html>").await;
        let manifest = format!("{MANIFEST}{}", REPORT.replace("ABSENT", "zero"));
        let Linked { service, .. } = &service(&manifest, &carrier, "0").await;
        let report = service.sync().await;
        assert_eq!(report.outcome, Outcome::Success, "{:?}", report.error);
        assert_eq!(used(service).await, [Some(1_000), Some(2_000), Some(3_000)]);
    });
}

/// The client asks for it again, and however often it is empty it is no end: those behind it have not used nothing.
#[test]
fn an_empty_page_before_the_last_is_no_end_however_often_it_comes() {
    in_system(async {
        let carrier = carrier(r#"{"pages":3,"rows":[{"sim":1,"bytes":1000}]}"#).await;
        let paged = r#"paging = { kind = "page", parameter = "page", total_pages = "$.pages" }"#;
        let manifest = format!("{MANIFEST}{}{paged}", REPORT.replace("ABSENT", "zero"));
        let Linked { service, .. } = &service(&manifest, &carrier, "0").await;
        let report = service.sync().await;
        assert_eq!(report.outcome, Outcome::Success, "{:?}", report.error);
        assert_eq!(used(service).await, [Some(1_000), Some(2_000), Some(3_000)]);
        assert!(carrier.count("/usage") > 2, "asked again");
    });
}
