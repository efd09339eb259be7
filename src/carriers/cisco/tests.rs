//! What is asked with: pods, keys, settings, device names, refusals. What answers mean is in `testdata/`.
#![allow(clippy::unwrap_used)]

use serde_json::{Map, Value, json};

use super::*;
use crate::carriers::{Answer, PageSizes};

fn account(user: &str, key: Option<&str>) -> Account {
    Account {
        api_key: user.to_owned().into(),
        api_secret: key.map(|key| key.to_owned().into()),
        account_id: None,
        settings: Map::new(),
    }
}

fn with(name: &str, value: Value) -> Account {
    let mut account = account("fleet", Some("a-key"));
    account.settings.insert(name.into(), value);
    account
}

fn context(account: &Account) -> Context<'_> {
    Context {
        account,
        pages: PageSizes {
            devices: 50,
            usage: 50,
            max_pages: 100,
        },
        now: "2026-11-25T12:00:00Z".parse().unwrap(),
        common_cycle: None,
    }
}

#[test]
fn the_pod_is_in_the_address_and_without_it_there_is_none() {
    for pod in [json!(3), json!("3"), json!("restapi3"), json!(" RestApi3 ")] {
        let base = Cisco.base_url(&with("pod", pod)).map(Cow::into_owned);
        assert_eq!(base.unwrap(), "https://restapi3.jasper.com/rws/api/v1");
    }
    let none = Cisco
        .base_url(&account("fleet", Some("a-key")))
        .unwrap_err();
    assert!(none.to_string().contains("api_base_url is set"), "{none}");
    for pod in [
        json!(""),
        json!("restapi"),
        json!("3.evil.example/"),
        json!("console3"),
        json!("1234"),
        json!(-3),
        json!(3.5),
        json!([3]),
    ] {
        let error = Cisco.base_url(&with("pod", pod)).unwrap_err().to_string();
        assert!(
            error.contains("config.pod") && error.contains("api_base_url"),
            "{error}"
        );
    }
}

#[test]
fn the_user_and_the_api_key_travel_as_they_are() {
    let Ok(Authorization::Basic { user, password }) =
        Cisco.authorize(&account("fleet", Some("a-key")))
    else {
        panic!("not Basic");
    };
    assert_eq!(
        (user.as_str(), password.expose_secret()),
        ("fleet", "a-key")
    );
}

#[test]
fn credentials_that_cannot_be_right_are_refused_without_repeating_them() {
    let table = [
        ("", Some("canary")),
        ("canary", None),
        ("canary", Some(" ")),
        ("canary:1", Some("canary")),
        ("canary", Some("can\nary")),
        ("can\rary", Some("canary")),
    ];
    for (user, key) in table {
        let error = Cisco
            .authorize(&account(user, key))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("API key") && error.contains("user name"),
            "{error}"
        );
        assert!(
            !error.contains("canary") && !error.contains("ary;"),
            "{error}"
        );
    }
}

#[test]
fn a_setting_that_is_no_day_or_no_number_is_refused() {
    for day in [json!(1), json!("31"), Value::Null] {
        Cisco.authorize(&with("cycle_day", day)).unwrap();
    }
    for day in [json!(0), json!(32), json!("first"), json!(1.5)] {
        let error = Cisco.authorize(&with("cycle_day", day)).unwrap_err();
        assert!(error.to_string().contains("1 to 31"), "{error}");
    }
    let mut account = account("fleet", Some("a-key"));
    for (id, is_good) in [
        ("100020620", true),
        (" ", true),
        ("ACME", false),
        ("1&x", false),
    ] {
        account.account_id = Some(id.into());
        assert_eq!(Cisco.authorize(&account).is_ok(), is_good, "{id}");
    }
}

#[test]
fn what_cannot_be_an_iccid_is_refused_with_what_is_wanted() {
    for good in [
        "8988216716970004975",
        "89014103211118510720",
        "8986061400000000000F",
    ] {
        Cisco.check_device(good).unwrap();
    }
    for wrong in [
        "901161697004975",
        "4711",
        "HS0123456789abcdef0123456789abcdef",
        "7988216716970004975",
        "882351697004975",
    ] {
        let error = Cisco.check_device(wrong).unwrap_err().to_string();
        assert!(error.contains("ICCID") && !error.contains(wrong), "{error}");
    }
}

#[test]
fn the_code_tells_a_refusal_whatever_the_status_and_in_either_type() {
    let too_fast = [
        r#"{"errorMessage":"Rate limit exceeded","errorCode":"40000029"}"#,
        r#"{"errorMessage":"Rate limit exceeded","errorCode":40000029}"#,
    ];
    for body in too_fast {
        for status in [400, 401, 403, 500, 503] {
            assert!(
                Cisco.is_throttling(status, body.as_bytes()),
                "{status} {body}"
            );
            assert!(!Cisco.refuses_credentials(status, body.as_bytes()));
        }
    }
    for body in [r#"{"errorCode":"10000001"}"#, r#"{"errorCode":10000001}"#] {
        assert!(Cisco.refuses_credentials(400, body.as_bytes()));
        assert!(!Cisco.is_throttling(400, body.as_bytes()));
    }
    for body in [
        "",
        "<html>40000029</html>",
        r#"{"errorMessage":"40000029"}"#,
        "[40000029]",
        "{",
    ] {
        assert!(!Cisco.is_throttling(401, body.as_bytes()), "{body}");
        assert!(!Cisco.refuses_credentials(401, body.as_bytes()), "{body}");
    }
}

#[test]
fn a_thousand_devices_on_one_plan_cost_forty_calls() {
    let account = account("fleet", Some("a-key"));
    assert_eq!(Cisco.bulk_calls(context(&account), 1_000), 40);
}

/// One page of devices on these plans.
fn devices(plans: &[&str]) -> Vec<u8> {
    let row = |(place, plan): (usize, &&str)| json!({"iccid": format!("898821671697000000{place}"), "status": "ACTIVATED", "ratePlan": plan});
    let rows: Vec<Value> = plans.iter().enumerate().map(row).collect();
    json!({"devices": rows, "pageNumber": 1, "lastPage": true})
        .to_string()
        .into_bytes()
}

#[test]
fn a_plan_whose_usage_is_refused_costs_no_other_and_no_device() {
    let account = account("fleet", Some("a-key"));
    let Bulk::Listing(mut walk) = Cisco.get_bulk_device_info(context(&account)) else {
        panic!("no listing");
    };
    let now = context(&account).now;
    assert!(
        walk.pass_over().is_none(),
        "without devices there is nothing"
    );
    walk.read(&Answer::of(&devices(&["A shared", "B"]), now))
        .unwrap();
    let plan = |walk: &dyn Walk<DeviceRecord>| walk.request().unwrap().query[0].1.clone();
    assert_eq!(plan(&*walk), "A shared");
    assert_eq!(walk.pass_over().unwrap().records, []);
    assert_eq!(plan(&*walk), "B");
    let usage = br#"{"usages":[{"iccid":"8988216716970000001","dataUsage":7}],"lastPage":true}"#;
    let page = walk.read(&Answer::of(usage, now)).unwrap();
    let used = page.records.iter().map(|record| record.lines[0].usage.used);
    let used: Vec<Option<u64>> = used.map(|used| used.map(|used| used.bytes())).collect();
    assert_eq!(used, [None, Some(7)]);
    assert_eq!(walk.request(), None);
}

#[test]
fn a_cycle_that_ends_while_the_answer_is_on_its_way_leaves_the_usage_unknown() {
    let account = with("cycle_day", json!(10));
    let device = CarrierDeviceId::parse("8988216716970004975").unwrap();
    let used = |sent: &str, read: &str| {
        let mut walk = Cisco.get_detail(context(&account), CYCLE_TO_DATE, &device);
        let answer = Answer {
            sent_at: sent.parse().unwrap(),
            ..Answer::of(
                br#"{"status":"ACTIVATED","ctdDataUsage":7}"#,
                read.parse().unwrap(),
            )
        };
        let record = walk.read(&answer).unwrap().records.remove(0);
        assert!(record.info.sim_status.is_some());
        record.lines[0].usage.used.map(|used| used.bytes())
    };
    assert_eq!(
        used("2026-12-09T23:59:58Z", "2026-12-09T23:59:59Z"),
        Some(7)
    );
    assert_eq!(used("2026-12-09T23:59:59Z", "2026-12-10T00:00:00Z"), None);
}
