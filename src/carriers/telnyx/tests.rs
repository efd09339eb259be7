//! What is asked with: keys, names of SIM cards, limits, page sizes; and what no file can show, a month
//! that ends while an answer is on its way. What answers mean is in `testdata/`.
#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Map;

use super::*;
use crate::carriers::{Answer, PageSizes};

const ID: &str = "6a09cdc3-8948-47f0-aa62-74ac943d6c58";

fn account(key: &str) -> Account {
    Account {
        api_key: key.to_owned().into(),
        api_secret: None,
        account_id: None,
        settings: Map::new(),
    }
}

fn context(account: &Account, devices: u32) -> Context<'_> {
    Context {
        account,
        pages: PageSizes {
            devices,
            usage: 250,
            max_pages: 1000,
        },
        now: at("2026-11-25T12:00:00Z"),
        common_cycle: None,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn the_key_travels_as_a_bearer_token() {
    let Ok(Authorization::Headers(headers)) = Telnyx.authorize(&account("KEY017_abc")) else {
        panic!("no header");
    };
    let [(name, value)] = headers.as_slice() else {
        panic!("not one header");
    };
    assert_eq!(
        (&**name, value.expose_secret()),
        ("authorization", "Bearer KEY017_abc")
    );
}

#[test]
fn another_kind_of_key_is_refused_without_repeating_it() {
    let wrong = [
        "",
        "  ",
        "KEYcan\nary",
        "KEY canary",
        "Bearer KEYcanary",
        "KEYcanäry",
        "canary0123456789",
        "key_canary",
        ID,
    ];
    for key in wrong {
        let error = Telnyx.authorize(&account(key)).unwrap_err().to_string();
        assert!(
            error.contains("begins with KEY") && error.contains("portal"),
            "{error}"
        );
        let repeats = ["can", "6a09"].iter().any(|part| error.contains(part));
        assert!(!repeats, "{error}");
    }
}

#[test]
fn only_a_uuid_can_be_a_sim_card_and_its_case_means_nothing() {
    for name in [
        ID,
        &ID.to_uppercase(),
        " 6A09cdc3-8948-47f0-aa62-74ac943d6c58 ",
    ] {
        assert_eq!(Telnyx.check_device(name), Ok(()), "{name}");
    }
    let wrong = [
        ("89310410106543789301", "ICCID"),
        ("081932214823362973", "UUID"),
        ("", "UUID"),
        ("6a09cdc38948-47f0-aa62-74ac943d6c58", "UUID"),
        ("6a09cdc3-8948-47f0-aa62-74ac943d6c5g", "UUID"),
        ("6a09cdc3-8948-47f0-aa62-74ac943d6c580", "UUID"),
        ("6a09cdc3_8948_47f0_aa62_74ac943d6c58", "UUID"),
    ];
    for (name, word) in wrong {
        let error = Telnyx.check_device(name).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("portal"), "{error}");
    }
}

#[test]
fn the_reset_header_holds_seconds_left() {
    let hint = |lines: &[(&'static str, &'static str)]| {
        let headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        Telnyx.limit_hint(&headers, at("2026-11-25T12:00:00Z"))
    };
    let said = hint(&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "41")]);
    let expected = LimitHint {
        remaining: Some(3),
        resets_in: Some(Duration::from_secs(41)),
        of: HintOf::Endpoint,
    };
    assert_eq!(said, Some(expected));
    assert_eq!(hint(&[("x-ratelimit-limit", "60")]), None);
    assert_eq!(
        hint(&[
            ("x-ratelimit-remaining", "none"),
            ("x-ratelimit-reset", "-1")
        ]),
        None
    );
}

#[test]
fn a_thousand_sim_cards_are_four_calls() {
    let account = account("KEY0");
    assert_eq!(Telnyx.bulk_calls(context(&account, 250), 1_000), 4);
    assert_eq!(Telnyx.bulk_calls(context(&account, 5_000), 1_000), 4);
    assert_eq!(Telnyx.bulk_calls(context(&account, 250), 0), 1);
}

#[test]
fn usage_counted_while_a_month_ended_belongs_to_no_month() {
    let account = account("KEY0");
    let body = format!(
        r#"{{"data":[{{"id":"{ID}","status":{{"value":"enabled"}},
            "current_billing_period_consumed_data":{{"amount":"1.0","unit":"MB"}}}}]}}"#
    );
    let usage = |read_at: &str| {
        let Bulk::Listing(mut walk) = Telnyx.get_bulk_device_info(context(&account, 250)) else {
            panic!("no listing");
        };
        let answer = Answer {
            read_at: at(read_at),
            ..Answer::of(body.as_bytes(), at("2026-11-30T23:59:59Z"))
        };
        let record = walk.read(&answer).unwrap().records.remove(0);
        (record.info.sim_status, record.lines[0].usage)
    };
    let (_, known) = usage("2026-11-30T23:59:59.999Z");
    assert_eq!(known.used.map(|used| used.bytes()), Some(1_048_576));
    let (status, usage) = usage("2026-12-01T00:00:00Z");
    assert!(status.is_some(), "the rest of the row counts");
    assert_eq!((usage.used, usage.cycle_end), (None, None));
}
