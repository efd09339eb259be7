//! Mistakes that no answer would show: a walk that ends after its first page, usage of no time, a placeholder that
//! stands for nothing. A manifest with one of them would be synced without an error, and its numbers be wrong.

use carrier_sync::carriers::{Account, Carrier, custom::Custom};

use super::{GOOD, assert_told};

#[test]
fn paging_that_would_end_after_the_first_page_is_refused() {
    assert_told(&[
        (
            r#"kind = "page", "#,
            "",
            "total_pages",
            &["usage.paging.kind: ", "page, offset, cursor, next_url"],
        ),
        (
            "kind = \"offset\"\n",
            "",
            "[listing.paging]",
            &["listing.paging.kind: ", "page, offset"],
        ),
        (
            r#"total = "$.total""#,
            r#"total_pages_header = "X-Total-Pages""#,
            "X-Total-Pages",
            &[
                "listing.paging.total_pages_header: ",
                "\"offset\"",
                "parameter, total",
            ],
        ),
        (
            r#"total_pages = "$.pages""#,
            r#"total = "$.all""#,
            "$.all",
            &["usage.paging.total: ", "\"page\""],
        ),
        (
            r#"kind = "page", parameter = "page", total_pages"#,
            r#"kind = "next_url", parameter = "page", next"#,
            "next_url",
            &["usage.paging.parameter: ", "\"next_url\"", "next"],
        ),
        (
            r#"kind = "page", parameter = "page", total_pages = "$.pages""#,
            r#"kind = "next_url""#,
            "next_url",
            &["usage.paging.next: ", "\"next_url\""],
        ),
        (
            "parameter = \"offset\"\n",
            "",
            "[listing.paging]",
            &["listing.paging.parameter: ", "\"offset\""],
        ),
        (
            r#"kind = "page", parameter = "page", total_pages = "$.pages""#,
            r#"kind = "cursor", parameter = "after""#,
            "after",
            &["usage.paging.next: ", "\"cursor\"", "next_header"],
        ),
    ]);
}

/// Rows that a path leaves out would be missing in the count of those that were served.
#[test]
fn rows_that_are_counted_are_all_of_one_list() {
    for rows in [
        "$.rows[?@.type==5]",
        "$.rows[1:]",
        "$..rows",
        "$.groups[*].rows",
        "$.rows[*].sim",
        "$.rows[0,1]",
    ] {
        let bad = GOOD.replacen("$.rows", rows, 1);
        let told = Custom::of("acme.toml", &bad).map(|_| rows).unwrap_err();
        assert_eq!(told.len(), 1, "{rows}: {told:?}");
        assert!(told[0].reason.starts_with("usage.rows: "), "{told:?}");
        let at = bad.find(&format!("rows = \"{rows}\"")).unwrap();
        let line = 1 + bad[..at].matches('\n').count();
        assert_eq!(told[0].line, Some(line), "{rows}");
    }
    for rows in [
        "$",
        "$[*]",
        "$.a.b",
        "$['a?:,*']",
        "$['a..b'][*]",
        "$[0].rows",
        "$.by_id.*",
    ] {
        let good = GOOD.replacen("$.rows", rows, 1);
        let read = Custom::of("acme.toml", &good);
        assert!(read.is_ok(), "{rows}: {:?}", read.err());
    }
    let unpaged = GOOD.replacen("$.days", "$.days[?@.type==5]", 1);
    assert!(
        Custom::of("acme.toml", &unpaged).is_ok(),
        "one page is all there is"
    );
}

#[test]
fn a_placeholder_that_would_stand_for_nothing_is_refused() {
    assert_told(&[
        (
            "\"{page_size}\" }\nrows = \"$.sims",
            "\"{size}\" }\nrows = \"$.sims",
            "{size}",
            &["listing.query.page.size: ", "{size}", "{page_size}"],
        ),
        (
            "{account_id}",
            "{acount_id}",
            "{acount_id}",
            &["usage.path: ", "{acount_id}", "{account_id}"],
        ),
        (
            "path = \"sims\"\n",
            "path = \"sims/{device}\"\n",
            "path = \"sims/{device}\"\nquery",
            &["listing.path: ", "{device}"],
        ),
        (
            r#"size = "{page_size}""#,
            r#"sim = "{device}""#,
            "{device}\" }",
            &["usage.query.sim: ", "{device}"],
        ),
        (
            "https://api.acme.example/v1",
            "https://api.acme.example/{account_id}",
            "/{account_id}\"",
            &["base_url: ", "{account_id}"],
        ),
        (
            "kind = \"header\"\nheader = \"X-Api-Key\"",
            "kind = \"client_credentials\"\ntoken_path = \"{account_id}/token\"",
            "token_path",
            &["auth.token_path: ", "{account_id}"],
        ),
        (
            r#"to = "{end}""#,
            r#"to = "{end""#,
            "{end\"",
            &["device_usage.query.to: ", "{end}"],
        ),
    ]);
}

#[test]
fn usage_of_no_time_is_refused() {
    let untimed = r#"query = { from = "{start}", to = "{end}" }"#;
    assert_told(&[
        (
            untimed,
            "",
            "[device_usage]",
            &["device_usage: ", "{start}"],
        ),
        (
            untimed,
            r#"query = { to = "{end}" }"#,
            "[device_usage]",
            &["device_usage: ", "{start}"],
        ),
        (
            r#"month = "{month}""#,
            r#"until = "{end}""#,
            "[usage]",
            &["usage: ", "{start}"],
        ),
    ]);
    let monthly = GOOD.replacen(untimed, r#"query = { month = "{month}" }"#, 1);
    for (rule, keys) in [
        ("unknown", &["usage: ", "device_usage: "][..]),
        (
            "fields",
            &[
                "listing.fields.cycle_end: ",
                "usage: ",
                "device_usage: {month} ",
            ],
        ),
    ] {
        let bad = monthly.replacen("calendar_month", rule, 1);
        let told = Custom::of("acme.toml", &bad).unwrap_err();
        let told: Vec<&str> = told.iter().map(|told| told.reason.as_str()).collect();
        assert_eq!(told.len(), keys.len(), "{told:?}");
        for (told, key) in told.iter().zip(keys) {
            assert!(told.starts_with(key), "{rule}: {told}");
        }
    }
}

fn account(account_id: Option<&str>) -> Account {
    Account {
        api_key: "k".into(),
        api_secret: None,
        account_id: account_id.map(str::to_owned),
        settings: serde_json::Map::new(),
    }
}

#[test]
fn an_account_id_is_wanted_where_a_request_holds_it_and_only_there() {
    let carrier = Custom::of("acme.toml", GOOD).unwrap();
    let wanted = carrier.capabilities().credentials.account_id.as_ref();
    assert!(wanted.is_some_and(|wanted| wanted.is_required));
    for missing in [None, Some(""), Some(" ")] {
        let error = carrier
            .authorize(&account(missing))
            .unwrap_err()
            .to_string();
        assert!(error.contains("account_id is missing"), "{error}");
        assert!(error.contains("usage.path"), "{error}");
    }
    assert!(carrier.authorize(&account(Some("7"))).is_ok());
    let without = GOOD.replacen("{account_id}", "all", 1);
    let carrier = Custom::of("acme.toml", &without).unwrap();
    assert_eq!(carrier.capabilities().credentials.account_id, None);
    assert!(carrier.authorize(&account(None)).is_ok());
}
