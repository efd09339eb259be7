//! Prometheus' own checker: of what is scraped, of the rules that alert on it, and of the dashboard that shows it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn promtool() -> Command {
    let script = Path::new(ROOT).join("scripts/promtool.sh");
    let found = Command::new("bash").arg(script).output().unwrap();
    assert!(
        found.status.success(),
        "no promtool: run scripts/promtool.sh install"
    );
    let mut promtool = Command::new(String::from_utf8(found.stdout).unwrap().trim());
    promtool.current_dir(ROOT);
    promtool
}

/// Fails unless it finds nothing to say about these metrics.
#[track_caller]
pub fn assert_scrapable(metrics: &str) {
    let mut check = promtool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = check.stdin.take().unwrap();
    stdin.write_all(metrics.as_bytes()).unwrap();
    drop(stdin);
    let said = check.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    for arguments in [
        ["check", "rules", "config/prometheus-rules.yml"],
        ["test", "rules", "config/prometheus-rules.test.yml"],
    ] {
        let said = promtool().args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{arguments:?}: {told}{said:?}");
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// Every name of ours in an expression, as its family is called.
fn figures(expression: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let names = expression.match_indices("carrier_sync_").map(|(at, _)| {
        let rest = &expression[at..];
        &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
    });
    let family = |name| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| str::strip_suffix(name, part))
            .unwrap_or(name)
    };
    names.map(family).collect()
}

/// A rule on a figure that nobody tells would never fire; an alert that nobody explains helps nobody.
#[test]
fn every_figure_of_an_alert_is_told_and_every_alert_is_explained() {
    let rules = read("config/prometheus-rules.yml");
    let page = read("docs/operating.md");
    let source = read("src/status/metrics.rs") + &read("src/status/gauges.rs");
    for figure in figures(&rules) {
        assert!(
            source.contains(&format!("\"{figure}\"")),
            "{figure} is not told"
        );
    }
    let alerts: Vec<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() >= 7, "{alerts:?}");
    for alert in alerts {
        assert!(
            page.contains(&format!("`{alert}`")),
            "{alert} is not explained"
        );
    }
}

// ---- the dashboard -------------------------------------------------------------------------

fn dashboard() -> Value {
    serde_json::from_str(&read("config/grafana-dashboard.json")).unwrap()
}

fn each<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The expressions of every panel, as Grafana sends them.
fn expressions(dashboard: &Value) -> Vec<String> {
    let targets = each(dashboard, "panels")
        .iter()
        .flat_map(|panel| each(panel, "targets"));
    targets
        .map(|target| {
            let written = target["expr"].as_str().unwrap();
            let sent = written.replace("$carrier", ".*");
            let sent = sent.replace("$__rate_interval", "5m");
            assert!(
                !sent.contains('$'),
                "{written} has a variable that nobody knows"
            );
            sent
        })
        .collect()
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert_eq!(dashboard["__inputs"][0]["name"], "DS_PROMETHEUS");
    let panels = each(&dashboard, "panels");
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "the id of {title} is taken"
        );
        if panel["type"] == "row" {
            continue;
        }
        let targets = each(panel, "targets");
        assert!(!targets.is_empty(), "{title} shows nothing");
        for part in targets.iter().chain([panel]) {
            assert_eq!(part["datasource"]["uid"], "${DS_PROMETHEUS}", "{title}");
        }
        let place = &panel["gridPos"];
        let right = place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap();
        assert!(right <= 24, "{title} is beyond the edge");
        assert!(
            !panel["description"].as_str().unwrap().is_empty(),
            "{title}"
        );
    }
    let variables = &dashboard["templating"]["list"];
    assert_eq!(variables[0]["datasource"]["uid"], "${DS_PROMETHEUS}");
}

#[test]
fn every_figure_of_the_dashboard_is_told_or_documented() {
    let told = read("src/status/metrics.rs") + &read("src/status/gauges.rs");
    let page = read("docs/operating.md");
    let dashboard = dashboard();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() >= 20, "{expressions:?}");
    for expression in &expressions {
        let figures = figures(expression);
        assert!(!figures.is_empty(), "{expression} shows nothing of ours");
        for figure in figures {
            let is_told = told.contains(&format!("\"{figure}\""));
            let is_documented = page.contains(&format!("`{figure}{{"));
            assert!(
                is_told || is_documented,
                "{figure} of {expression} is nowhere"
            );
        }
    }
}

#[test]
fn every_expression_of_the_dashboard_is_one_that_prometheus_understands() {
    let rules: Vec<_> = expressions(&dashboard())
        .into_iter()
        .enumerate()
        .map(|(number, expression)| json!({ "record": format!("panel:{number}"), "expr": expression }))
        .collect();
    // JSON is YAML too.
    let file = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.yml");
    std::fs::write(&path, file.to_string()).unwrap();
    let said = promtool()
        .args(["check", "rules"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
}
