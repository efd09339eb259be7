//! Mistakes in a manifest: each is refused before anything is asked, and told with its line, its key and what is
//! allowed. Those that would cost nothing but the truth are in `mistakes/silent.rs`.

mod silent;

use std::fs;
use std::path::Path;

use carrier_sync::carriers::custom::Custom;

/// Every section, each key on a line of its own; the rows below damage it.
const GOOD: &str = r#"name = "Acme Mobile"
base_url = "https://api.acme.example/v1"

[auth]
kind = "header"
header = "X-Api-Key"

[device]
what = "SIM id in digits"
kind = "digits"

[listing]
path = "sims"
query = { "page.size" = "{page_size}" }
rows = "$.sims[*]"

[listing.paging]
kind = "offset"
parameter = "offset"
total = "$.total"

[listing.fields]
device = "$.id"
sim_status = "$.state"
network_status = "$.online"
used = { path = "$.used", unit = "KB" }

[single]
path = "sims/{device}"
row = "$.sim"

[usage]
path = "accounts/{account_id}/usage"
query = { month = "{month}", size = "{page_size}" }
rows = "$.rows"
paging = { kind = "page", parameter = "page", total_pages = "$.pages" }
device = "$.sim"
used = { path = "$.bytes", unit_path = "$.unit" }

[device_usage]
path = "sims/{device}/usage"
query = { from = "{start}", to = "{end}" }
rows = "$.days"
used = { path = "$.bytes", unit = "B" }
part = "$.day"

[cycle]
rule = "calendar_month"

[units]
KB = 1000
MB = 1000000

[sim_status]
on = "active"

[network_status]
true = "connected"

[limits]
page_size = 200
"#;

/// What is written instead of what, a piece of the line that is told, and what is told.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Each of them alone makes a manifest one that is refused, for one reason.
#[track_caller]
fn assert_told(rows: &[Row]) {
    for (from, to, line, parts) in rows {
        assert!(GOOD.contains(from), "{from}");
        let bad = GOOD.replacen(from, to, 1);
        let at = bad
            .find(line)
            .unwrap_or_else(|| panic!("{line} is not in {to}"));
        let line = 1 + bad[..at].matches('\n').count();
        let told = match Custom::of("acme.toml", &bad) {
            Ok(_) => panic!("{to}: accepted"),
            Err(mistakes) => mistakes,
        };
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{to}: {told:#?}");
        let place = format!("acme.toml line {line}: ");
        assert!(
            told[0].starts_with(&place),
            "{to}: {place:?} does not begin {}",
            told[0]
        );
        for part in *parts {
            assert!(
                told[0].contains(part),
                "{to}: {part:?} is not in {}",
                told[0]
            );
        }
    }
}

#[test]
fn a_manifest_without_mistakes_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/custom-carriers.md")).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (documented, _) = rest.split_once("```").unwrap();
    for manifest in [GOOD, documented] {
        let read = Custom::of("the example", manifest);
        assert!(read.is_ok(), "{:?}", read.err());
    }
}

#[test]
fn what_is_no_manifest_is_told_with_line_and_key() {
    assert_told(&[
        (
            r#"kind = "header""#,
            r#"kind = "beer""#,
            "beer",
            &["auth.kind: ", "`beer`", "bearer"],
        ),
        (
            r#"rows = "$.sims[*]""#,
            r#"rows = "$.[""#,
            "$.[",
            &["listing.rows: ", "is not a JSON path"],
        ),
        (
            r#"part = "$.day""#,
            r#"prat = "$.day""#,
            "prat",
            &["device_usage.prat: ", "expected one of"],
        ),
        (
            r#"on = "active""#,
            r#"on = "awake""#,
            "awake",
            &["sim_status.on: ", "`awake`", "`active`"],
        ),
        ("KB = 1000", "KB = -1", "-1", &["units.KB: "]),
        ("KB = 1000", "KB = 0", "KB = 0", &["units.KB: ", "from 1"]),
        (
            r#"rule = "calendar_month""#,
            r#"rule = "weekly""#,
            "weekly",
            &["cycle.rule: ", "`weekly`", "`calendar_month`"],
        ),
        (
            r#"kind = "page","#,
            r#"kind = "pages","#,
            "pages\",",
            &["usage.paging.kind: ", "`pages`", "`next_url`"],
        ),
        ("row = \"$.sim\"\n", "", "[single]", &["single: ", "`row`"]),
        (
            "what = \"SIM id in digits\"\n",
            "",
            "[device]",
            &["device: ", "`what`"],
        ),
        (
            "[listing.fields]\ndevice = \"$.id\"\n",
            "[listing.fields]\n",
            "[listing.fields]",
            &["listing.fields: ", "`device`"],
        ),
        (
            "page_size = 200",
            "page_size = 0",
            "page_size = 0",
            &["limits.page_size: ", "from 1"],
        ),
        ("name = ", "name ", "name ", &["`=`"]),
        (
            "[cycle]\n",
            "[auth]\n",
            "[auth]\nrule",
            &["auth: ", "duplicate key"],
        ),
        (
            r#"path = "accounts/{account_id}/usage""#,
            r#"path = "accounts/{account_id}/usage?all=1""#,
            "usage?all",
            &["usage.path: ", "below base_url", "query"],
        ),
        (
            r#"path = "accounts/{account_id}/usage""#,
            r#"path = "https://other.example/{account_id}/usage""#,
            "https://other",
            &["usage.path: ", "below base_url"],
        ),
        (
            r#"path = "accounts/{account_id}/usage""#,
            r#"path = "../{account_id}/usage""#,
            "../{account_id}",
            &["usage.path: ", "below base_url"],
        ),
    ]);
}

/// Nothing is where it should be, so there is no line to tell.
#[test]
fn a_key_that_is_missing_at_the_top_is_told_without_the_line_of_another() {
    let bad = GOOD.replacen("[cycle]\nrule = \"calendar_month\"\n", "", 1);
    let told = Custom::of("acme.toml", &bad).unwrap_err();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["acme.toml: missing field `cycle`"]);
}

#[test]
fn parts_that_do_not_fit_together_are_told_with_line_and_key() {
    assert_told(&[
        (
            "https://api.acme.example/v1",
            "api.acme.example",
            "api.acme",
            &["base_url: ", "https://"],
        ),
        (
            "header = \"X-Api-Key\"\n",
            "",
            "[auth]",
            &["auth.header: ", "\"header\""],
        ),
        (
            "header = \"X-Api-Key\"",
            "header = \"X Api:Key\"",
            "header = \"X A",
            &["auth.header: ", "letters, digits"],
        ),
        (
            "https://api.acme.example/v1",
            "https://api.acme.example/v1?key=1",
            "base_url",
            &["base_url: ", "without user, query"],
        ),
        (
            "name = \"Acme Mobile\"",
            "name = \"\\u001b[31mAcme\"",
            "name",
            &["name: ", "on one line"],
        ),
        (
            "parameter = \"offset\"",
            "parameter = \"page.size\"",
            "parameter = \"page.size\"",
            &["listing.paging.parameter: ", "listing.query has"],
        ),
        (
            "parameter = \"offset\"",
            "parameter = \"\"",
            "parameter = \"\"",
            &["listing.paging.parameter: ", "no name"],
        ),
        (
            r#"path = "sims/{device}""#,
            r#"path = "sims""#,
            "path = \"sims\"\nrow",
            &["single.path: ", "{device}"],
        ),
        (
            r#"unit = "KB""#,
            r#"unit = "TB""#,
            "TB",
            &["listing.fields.used.unit: ", "\"TB\"", "[units]"],
        ),
        (
            r#", unit = "KB""#,
            "",
            "used = { path = \"$.used\" }",
            &["listing.fields.used: ", "unit_path"],
        ),
        (
            "on = \"active\"\n",
            "",
            "sim_status = \"$.state\"",
            &["listing.fields.sim_status: ", "[sim_status] is empty"],
        ),
        (
            "true = \"connected\"\n",
            "",
            "network_status = \"$.online\"",
            &[
                "listing.fields.network_status: ",
                "[network_status] is empty",
            ],
        ),
        (
            "sims/{device}/usage",
            "sims/usage",
            "sims/usage",
            &["device_usage", "{device}"],
        ),
    ]);
}
