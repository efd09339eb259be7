//! Prometheus' own checker: of what is scraped, and of the rules that alert on it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

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

/// A rule on a figure that nobody tells would never fire; an alert that nobody explains helps nobody.
#[test]
fn every_figure_of_an_alert_is_told_and_every_alert_is_explained() {
    let read = |name: &str| std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
    let (rules, page) = (
        read("config/prometheus-rules.yml"),
        read("docs/operating.md"),
    );
    let source = read("src/status/metrics.rs") + &read("src/status/gauges.rs");
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let figures = rules.match_indices("carrier_sync_").map(|(at, _)| {
        let rest = &rules[at..];
        &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
    });
    for figure in figures {
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
