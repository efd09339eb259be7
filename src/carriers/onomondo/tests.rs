//! What is asked with: keys, names of SIMs, limits, page sizes. What answers mean is in `testdata/`.
#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::*;
use crate::carriers::PageSizes;

const KEY: &str = "onok_canary.0123456789abcdef";

fn account(key: &str) -> Account {
    Account {
        api_key: key.to_owned().into(),
        api_secret: None,
        account_id: None,
        settings: Map::new(),
    }
}

fn prefixed(prefix: Value) -> Account {
    let mut account = account(KEY);
    account
        .settings
        .insert("authorization_prefix".into(), prefix);
    account
}

fn context(account: &Account, page: u32) -> Context<'_> {
    Context {
        account,
        pages: PageSizes {
            devices: page,
            usage: page,
            max_pages: 1000,
        },
        now: at("2026-11-25T12:00:00Z"),
        common_cycle: None,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn header(account: &Account) -> String {
    let Authorization::Headers(headers) = Onomondo.authorize(account).unwrap() else {
        panic!("no header");
    };
    let [(name, value)] = headers.as_slice() else {
        panic!("not one header");
    };
    assert_eq!(name, "authorization");
    value.expose_secret().to_owned()
}

#[test]
fn the_key_travels_bare_or_behind_the_word_that_is_set() {
    assert_eq!(header(&account(KEY)), KEY);
    assert_eq!(header(&prefixed(json!(""))), KEY);
    assert_eq!(
        header(&prefixed(json!(" Bearer "))),
        format!("Bearer {KEY}")
    );
}

#[test]
fn a_word_before_the_key_that_is_none_is_refused() {
    for prefix in [
        json!("Bearer x"),
        json!("Bearer:"),
        json!("a\r\nb"),
        json!(true),
        json!(null),
    ] {
        let error = Onomondo.authorize(&prefixed(prefix)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("authorization_prefix"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn another_kind_of_key_is_refused_without_repeating_it() {
    let wrong = [
        "",
        "  ",
        "onok_can\nary",
        "Bearer canary",
        "can\u{e4}ry",
        "000002418",
        "89457387300000024185",
        "canary@example.com",
    ];
    for key in wrong {
        let error = Onomondo.authorize(&account(key)).unwrap_err().to_string();
        assert!(
            error.contains("API key") && error.contains("app.onomondo.com"),
            "{error}"
        );
        let repeats = ["can", "2418"].iter().any(|part| error.contains(part));
        assert!(!repeats, "{error}");
    }
}

#[test]
fn a_sim_is_named_by_nine_digits_or_its_iccid() {
    for name in ["000002418", "123456789", "89457387300000024185"] {
        assert_eq!(Onomondo.check_device(name), Ok(()), "{name}");
    }
    let wrong = [
        ("2418", "000002418"),
        ("1234567890", "10 digits"),
        ("081932214823362973", "18 digits"),
        ("6a09cdc3-8948-47f0-aa62-74ac943d6c58", "no number"),
        ("", "no number"),
    ];
    for (name, words) in wrong {
        let error = Onomondo.check_device(name).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains("nine digits"),
            "{error}"
        );
    }
}

#[test]
fn the_reset_header_holds_a_point_in_time() {
    let now = at("2024-10-29T22:00:00Z"); // 1730239200
    let hint = |remaining: &'static str, reset: &'static str| {
        let lines = [
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", reset),
        ];
        let headers: HeaderMap = lines
            .into_iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let hint = Onomondo.limit_hint(&headers, now)?;
        Some((hint.remaining, hint.resets_in.map(|wait| wait.as_secs())))
    };
    assert_eq!(hint("520", "1730239201"), Some((Some(520), Some(1))));
    assert_eq!(hint("0", "1730239200"), Some((Some(0), Some(1))), "now");
    assert_eq!(hint("0", "1730239199"), Some((Some(0), None)), "past");
    assert_eq!(
        hint("7", "1730239201000"),
        Some((Some(7), None)),
        "absurdly far"
    );
    assert_eq!(hint("-1", "soon"), None);
    assert_eq!(hint("5", "-9223372036854775808"), Some((Some(5), None)));
    assert_eq!(Onomondo.limit_hint(&HeaderMap::new(), now), None);
}

#[test]
fn a_thousand_sims_are_two_calls() {
    let account = account(KEY);
    assert_eq!(Onomondo.bulk_calls(context(&account, 1_000), 1_000), 2);
    assert_eq!(Onomondo.bulk_calls(context(&account, 5_000), 2_000), 4);
    assert_eq!(Onomondo.bulk_calls(context(&account, 1_000), 0), 2);
}

#[test]
fn the_report_is_about_the_month_in_which_the_sync_began() {
    let account = account(KEY);
    let report = Onomondo.get_bulk_usage(context(&account, 1_000)).unwrap();
    let month = month(at("2026-11-25T12:00:00Z")).unwrap();
    assert_eq!(report.scope, ReportScope::Cycle(month));
    let request = report.walk.request().unwrap();
    assert_eq!(request.query[0], ("filter[]".into(), "time:2026-11".into()));
}
