//! What is asked with: keys, coverages, device names, limits. What answers mean is in `testdata/`.
#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::*;
use crate::carriers::{
    PageSizes, Target,
    token::{TokenAddress, TokenBody},
};

const ID: &str = "keyId-abcde12345fghij67890klmno12345pq";
const SECRET: &str = "secret-abcde12345fghij67890";

fn account(key: &str, secret: Option<&str>) -> Account {
    Account {
        api_key: key.to_owned().into(),
        api_secret: secret.map(|secret| secret.to_owned().into()),
        account_id: None,
        settings: Map::new(),
    }
}

fn covering(coverage: Value) -> Account {
    let mut account = account(ID, Some(SECRET));
    account.settings.insert("coverage".into(), coverage);
    account
}

fn context(account: &Account) -> Context<'_> {
    Context {
        account,
        pages: PageSizes {
            devices: 100,
            usage: 100,
            max_pages: 1000,
        },
        now: "2026-04-09T08:00:00Z".parse().unwrap(),
        common_cycle: None,
    }
}

#[test]
fn the_keys_buy_a_token_for_a_day() {
    let Ok(Authorization::Token(request)) = Soracom.authorize(&account(ID, Some(SECRET))) else {
        panic!("no token");
    };
    assert_eq!(request.address, TokenAddress::Below("auth".into()));
    let TokenBody::Json(body) = &request.body else {
        panic!("not JSON");
    };
    let body: Value = serde_json::from_str(body.expose_secret()).unwrap();
    assert_eq!(
        body,
        json!({"authKeyId": ID, "authKey": SECRET, "tokenTimeoutSeconds": 86_400})
    );
    assert!(!format!("{request:?}").contains("abcde"));
}

#[test]
fn another_kind_of_key_is_refused_without_repeating_it() {
    let table = [
        ("", Some(SECRET)),
        ("someone@example.com", Some("canary-password")),
        (ID, None),
        (ID, Some("")),
        (ID, Some("canary")),
        (ID, Some("secret-can\nary")),
        ("keyId-", Some(SECRET)),
        (SECRET, Some(ID)),
        (ID, Some(ID)),
    ];
    for (key, secret) in table {
        let error = Soracom.authorize(&account(key, secret)).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("keyId-") && error.contains("user console"),
            "{error}"
        );
        for part in ["abcde", "canary", "ary", "someone"] {
            assert!(!error.contains(part), "{error}");
        }
    }
    let swapped = Soracom.authorize(&account(SECRET, Some(ID))).unwrap_err();
    assert!(swapped.to_string().contains("wrong way round"), "{swapped}");
}

#[test]
fn an_account_id_is_an_operator_id_or_none() {
    let mut account = account(ID, Some(SECRET));
    for (id, is_good) in [
        ("OP0012345678", true),
        (" ", true),
        ("12345", false),
        ("OP", false),
        ("OP12/../x", false),
    ] {
        account.account_id = Some(id.to_owned());
        assert_eq!(Soracom.authorize(&account).is_ok(), is_good, "{id}");
    }
}

#[test]
fn each_coverage_has_a_base_address_and_another_word_is_told_what_is_allowed() {
    let base = |account: &Account| Soracom.base_url(account).map(Cow::into_owned);
    let global = "https://g.api.soracom.io/v1";
    assert_eq!(base(&account(ID, None)).unwrap(), global);
    assert_eq!(base(&covering(json!("Global"))).unwrap(), global);
    assert_eq!(base(&covering(Value::Null)).unwrap(), global);
    let japan = covering(json!("japan"));
    assert_eq!(base(&japan).unwrap(), "https://api.soracom.io/v1");
    for wrong in [json!("europe"), json!(""), json!(1)] {
        let error = base(&covering(wrong)).unwrap_err().to_string();
        assert!(
            error.contains("global") && error.contains("japan"),
            "{error}"
        );
    }
    assert!(Soracom.authorize(&covering(json!("europe"))).is_err());
}

#[test]
fn what_cannot_be_a_sim_id_is_refused_with_what_is_wanted() {
    for good in ["8942310022000012345", "8981100005811110001", "89810000"] {
        Soracom.check_device(good).unwrap();
    }
    for wrong in ["295050910000000", "OP0012345678", "keyId-abc", "secret-abc"] {
        let error = Soracom.check_device(wrong).unwrap_err().to_string();
        assert!(error.contains("simId") && !error.contains(wrong), "{error}");
    }
}

#[test]
fn the_headers_tell_what_is_left_and_for_how_long() {
    let mut headers = HeaderMap::new();
    let now = DateTime::UNIX_EPOCH;
    assert_eq!(Soracom.limit_hint(&headers, now), None);
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set("x-soracom-ratelimit-limit", "60");
    set("x-soracom-ratelimit-remaining", "3");
    set("x-soracom-ratelimit-seconds-before-refresh", "41");
    let hint = Soracom.limit_hint(&headers, now).unwrap();
    assert_eq!(hint.remaining, Some(3));
    assert_eq!(hint.resets_in, Some(Duration::from_secs(41)));
    assert_eq!(hint.of, HintOf::Endpoint);
    headers.insert(
        "x-soracom-ratelimit-remaining",
        HeaderValue::from_static("-1"),
    );
    assert_eq!(Soracom.limit_hint(&headers, now).unwrap().remaining, None);
}

#[test]
fn a_thousand_sims_cost_ten_pages_and_two_calls() {
    let account = account(ID, Some(SECRET));
    assert_eq!(Soracom.bulk_calls(context(&account), 1_000), 12);
    assert_eq!(Soracom.bulk_calls(context(&account), 0), 3);
}

#[test]
fn the_export_is_the_token_s_operator_unless_the_account_names_one() {
    let mut account = account(ID, Some(SECRET));
    let operator = |account: &Account| {
        let report = Soracom.get_bulk_usage(context(account)).unwrap();
        match report.walk.request().unwrap().to {
            Target::Below(path) => path[3].clone(),
            Target::Download(_) => panic!("a download"),
        }
    };
    assert_eq!(operator(&account), TOKEN_ACCOUNT);
    account.account_id = Some("OP0012345678".into());
    assert_eq!(operator(&account), "OP0012345678");
}
