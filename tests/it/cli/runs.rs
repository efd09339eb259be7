//! `runs list`: the history of syncs, as `once` has made it.

use super::User;

/// An address that nobody listens at: each sync fails, and says so.
fn failing() -> User {
    let user = User::new().with("CARRIER_SYNC__HTTP__ALLOW_PRIVATE_HOSTS", "true");
    let user = user.with_integration();
    let base = ["integrations", "set", "main", "--base-url"];
    user.runs(
        &[
            &base[..],
            &["http://127.0.0.1:9/api/1", "--account-id", "1"],
        ]
        .concat(),
    )
    .succeeds();
    let link = [
        "devices",
        "link",
        "--integration",
        "main",
        "--device-id",
        "d",
    ];
    let link = [&link[..], &["--carrier-device-id", "1"]].concat();
    user.runs(&link).succeeds();
    user
}

#[test]
fn runs_are_listed_with_their_outcome_and_whole_in_json() {
    let user = failing();
    let said = user.runs(&["runs", "list"]).succeeds();
    assert_eq!(said.stdout, "");
    assert!(said.stderr.contains("no runs"), "{}", said.stderr);
    for _ in 0..3 {
        assert_eq!(user.runs(&["once"]).code, 1);
    }
    let said = user.runs(&["runs", "list"]).succeeds();
    let said = said.prints(&["STARTED", "main", "acme", "error", "cannot connect"]);
    assert_eq!(said.stdout.lines().count(), 4, "{}", said.stdout);
    let said = user
        .runs(&["runs", "list", "--json", "--limit", "2"])
        .succeeds();
    let runs: Vec<serde_json::Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["outcome"], "error");
    assert_eq!(runs[0]["integration_id"], "main");
    assert!(runs[0]["carrier_calls"].as_u64().unwrap() > 0);
    assert!(runs[0]["started_at"].as_str() > runs[1]["started_at"].as_str());
    for filter in [["--integration", "other"], ["--tenant", "other"]] {
        let said = user.runs(&[&["runs", "list"], &filter[..]].concat());
        assert_eq!(said.succeeds().stdout, "");
    }
}

#[test]
fn no_more_runs_are_kept_than_the_configuration_says() {
    let user = failing().with("CARRIER_SYNC__RUNS__PER_INTEGRATION", "2");
    for _ in 0..4 {
        user.runs(&["once"]);
    }
    let said = user.runs(&["runs", "list", "--json"]).succeeds();
    assert_eq!(said.stdout.lines().count(), 2, "{}", said.stdout);
}
