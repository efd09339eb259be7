//! Tokens, seen from the carrier's end: when one is bought, with what, and what a refusal leads to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carrier_sync::carriers::Request;
use carrier_sync::carriers::token::TokenAddress;
use carrier_sync::client::{AllowedHosts, CallError, CallMeter};
use carrier_sync::device::{IntegrationId, TenantId};
use futures_util::future::join_all;
use serde_json::json;

use super::Setup;
use super::token_carrier::{
    Seller, ask, ask_for, ask_within, builder, is_purchase, job, job_of, purchases, row, shop,
    shop_that, token, try_job,
};
use crate::scripted::{Reply, ScriptedCarrier, answer, json as json_reply};

/// base64(KEY + ":" + SECRET)
const BASIC: &str = "Basic Y2FuYXJ5LTRmOWEwYzc3OmNhbmFyeS1zZWNyZXQtNWUxMQ==";

/// Lets time pass that no socket waits for.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn fifty_calls_at_once_of_two_integrations_buy_one_token() {
    let carrier = shop().await;
    let builder = builder(Setup::default());
    let first = row(Some(&carrier.base_url()));
    let mut second = first.clone();
    second.id = IntegrationId::parse("i-2").unwrap();
    second.tenant_id = TenantId::parse("t-2").unwrap();
    let jobs = [first, second].map(|row| try_job(&builder, Seller::default(), &row).unwrap());
    let meter = CallMeter::new(100);
    let calls = (0..50).map(|n| ask_within(&jobs[n % 2], &meter));
    for outcome in join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(purchases(&carrier).len(), 1);
    assert_eq!((meter.calls(), meter.token_calls()), (50, 1), "apart");
    let again = try_job(&builder, Seller::default(), &row(Some(&carrier.base_url())));
    drop(jobs);
    ask(&again.unwrap()).await.unwrap();
    assert_eq!(purchases(&carrier).len(), 1, "it outlives the job");
}

#[tokio::test]
async fn where_one_call_at_a_time_is_allowed_a_token_needs_no_second() {
    let carrier = shop().await;
    let setup = Setup {
        max_concurrency: 1,
        ..Setup::default()
    };
    let job = job(setup, &carrier);
    for outcome in join_all((0..10).map(|_| ask(&job))).await {
        outcome.unwrap();
    }
    pass(Duration::from_secs(3_600)).await;
    for outcome in join_all((0..10).map(|_| ask(&job))).await {
        outcome.unwrap();
    }
    assert_eq!(purchases(&carrier).len(), 2);
}

#[tokio::test]
async fn a_token_that_ends_while_its_call_waits_for_the_only_turn_is_replaced_before_it_is_sent() {
    // Tokens live for a second; the first call holds the turn for longer.
    let carrier = ScriptedCarrier::start(|number, seen| {
        let sold = json!({"access_token": format!("token-{number}"), "expires_in": 1}).to_string();
        match is_purchase(seen) {
            true => json_reply(&sold),
            false if number == 1 => {
                Reply::Later(Duration::from_millis(1_300), Box::new(json_reply("{}")))
            }
            false => json_reply("{}"),
        }
    })
    .await;
    let setup = Setup {
        max_concurrency: 1,
        ..Setup::once()
    };
    let job = job(setup, &carrier);
    for outcome in join_all((0..2).map(|_| ask(&job))).await {
        outcome.unwrap();
    }
    let carried: Vec<_> = carrier
        .seen()
        .iter()
        .filter(|seen| !is_purchase(seen))
        .map(|seen| seen.header("Authorization").unwrap().to_owned())
        .collect();
    assert_eq!(carried, ["Bearer token-0", "Bearer token-2"]);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let carrier = shop().await;
    let job = job(Setup::once(), &carrier);
    ask(&job).await.unwrap();
    pass(Duration::from_secs(3_500)).await;
    ask(&job).await.unwrap();
    assert_eq!(purchases(&carrier).len(), 1);
    pass(Duration::from_secs(50)).await;
    ask(&job).await.unwrap();
    assert_eq!(purchases(&carrier).len(), 2);
}

#[tokio::test]
async fn while_a_renewal_fails_the_old_token_is_used_until_it_ends() {
    let down = AtomicBool::new(false);
    let carrier = ScriptedCarrier::start(move |_, seen| match is_purchase(seen) {
        true if down.swap(true, Ordering::Relaxed) => answer(500, &[], ""),
        true => token(1),
        false => json_reply("{}"),
    })
    .await;
    let job = job(Setup::once(), &carrier);
    ask(&job).await.unwrap();
    pass(Duration::from_secs(3_550)).await;
    for _ in 0..5 {
        ask(&job).await.unwrap();
    }
    assert_eq!(purchases(&carrier).len(), 2, "not at every call");
    pass(Duration::from_secs(60)).await;
    let error = ask(&job).await.unwrap_err();
    assert!(matches!(error, CallError::NoToken { .. }), "{error:?}");
}

#[tokio::test]
async fn a_401_buys_one_new_token_and_a_second_401_is_a_refusal() {
    let carrier = ScriptedCarrier::start(|_, seen| match is_purchase(seen) {
        true => token(1),
        false => answer(401, &[], r#"{"error":"no such workspace"}"#),
    })
    .await;
    let job = job(Setup::default(), &carrier);
    let meter = CallMeter::new(100);
    let error = ask_within(&job, &meter).await.unwrap_err();
    let CallError::Unauthorized { status, words } = error else {
        panic!("{error:?}");
    };
    assert_eq!((status, words.as_deref()), (401, Some("no such workspace")));
    assert_eq!((meter.calls(), meter.token_calls()), (2, 2));
}

#[tokio::test]
async fn a_token_that_the_carrier_forgot_is_replaced_and_the_calls_go_on() {
    let carrier = ScriptedCarrier::start(|number, seen| match is_purchase(seen) {
        true => token(number + 1),
        // All that carry the first token are refused, from the second call on.
        false if number > 1 && seen.header("Authorization") == Some("Bearer token-1") => {
            answer(401, &[], "")
        }
        false => json_reply("{}"),
    })
    .await;
    let job = job(Setup::default(), &carrier);
    ask(&job).await.unwrap();
    let meter = CallMeter::new(100);
    for outcome in join_all((0..20).map(|_| ask_within(&job, &meter))).await {
        outcome.unwrap();
    }
    assert_eq!(purchases(&carrier).len(), 2);
    assert_eq!(meter.token_calls(), 1);
}

#[tokio::test]
async fn a_403_is_no_matter_of_the_token() {
    let carrier = ScriptedCarrier::start(|_, seen| match is_purchase(seen) {
        true => token(1),
        false => answer(403, &[], ""),
    })
    .await;
    let error = ask(&job(Setup::default(), &carrier)).await.unwrap_err();
    assert!(
        matches!(error, CallError::Unauthorized { status: 403, .. }),
        "{error:?}"
    );
    assert_eq!(carrier.seen().len(), 2);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_one_failure_of_a_sync_and_the_next_asks_anew() {
    let carrier = shop_that(|number, seen| {
        (number < 2 && is_purchase(seen)).then(|| answer(503, &[], "down"))
    })
    .await;
    let setup = Setup {
        max_attempts: 2,
        ..Setup::default()
    };
    let job = job(setup, &carrier);
    let meter = CallMeter::new(100);
    let mut outcomes = join_all((0..50).map(|_| ask_within(&job, &meter))).await;
    outcomes.push(ask_within(&job, &meter).await);
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.to_string(), "no token from the carrier: status 503");
    }
    assert_eq!(purchases(&carrier).len(), 2, "one purchase of two attempts");
    assert_eq!((meter.calls(), meter.token_calls()), (0, 2));
    ask(&job).await.unwrap();
}

#[tokio::test]
async fn each_refusal_of_a_token_endpoint_leads_to_one_decision() {
    type Fits = fn(&CallError) -> bool;
    let table: [(u16, &str, Fits); 9] = [
        (401, "", |e| {
            matches!(e, CallError::Unauthorized { status: 401, .. })
        }),
        (403, "", |e| {
            matches!(e, CallError::Unauthorized { status: 403, .. })
        }),
        (400, r#"{"error":"invalid_client"}"#, |e| {
            e.to_string() == "the carrier refuses the credentials (status 400: invalid_client)"
        }),
        (400, r#"{"error":"scope?"}"#, |e| {
            e.to_string() == "no token from the carrier: status 400: scope?"
        }),
        (400, r#"{"error":"too fast"}"#, |e| {
            matches!(e, CallError::Throttled { .. })
        }),
        (429, "", |e| matches!(e, CallError::Throttled { .. })),
        (404, "", |e| matches!(e, CallError::NoToken { .. })),
        (500, "", |e| matches!(e, CallError::NoToken { .. })),
        (200, "<html>", |e| {
            e.to_string() == "no token from the carrier: an answer without a token"
        }),
    ];
    for (status, body, fits) in table {
        let carrier = ScriptedCarrier::start(move |_, _| answer(status, &[], body)).await;
        let error = ask(&job(Setup::once(), &carrier)).await.unwrap_err();
        assert!(fits(&error), "{status} {body} became {error:?}");
        assert_eq!(carrier.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_says_too_fast_pauses_the_account() {
    let carrier =
        shop_that(|number, _| (number == 0).then(|| answer(429, &[("Retry-After", "2")], "")))
            .await;
    let job = job(Setup::default(), &carrier);
    ask(&job).await.unwrap();
    let seen = carrier.seen();
    let pause = seen[1].at - seen[0].at;
    assert!(pause >= Duration::from_millis(1_990), "{pause:?}");
    assert_eq!(purchases(&carrier).len(), 2);
}

#[tokio::test]
async fn a_redirect_of_a_purchase_is_not_followed() {
    let carrier =
        ScriptedCarrier::start(|_, _| answer(307, &[("Location", "/api/1/other")], "")).await;
    let error = ask(&job(Setup::default(), &carrier)).await.unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert_eq!(carrier.seen().len(), 1);
}

#[tokio::test]
async fn a_purchase_sends_json_or_a_form_and_basic_where_the_dialect_says_so() {
    let carrier = shop().await;
    let elsewhere = TokenAddress::Elsewhere {
        origin: "https://login.example.com".into(),
        path: "/auth/v1/token".into(),
    };
    for (seller, path, kind, body, basic) in [
        (
            Seller::default(),
            "/api/1/oauth/token",
            "application/json",
            r#"{"key":"canary-4f9a0c77","secret":"canary-secret-5e11"}"#,
            None,
        ),
        (
            Seller {
                address: elsewhere,
                form: true,
                basic: true,
                ..Seller::default()
            },
            "/auth/v1/token",
            "application/x-www-form-urlencoded",
            "grant_type=client_credentials&client_secret=canary-secret-5e11",
            Some(BASIC),
        ),
    ] {
        ask(&job_of(Setup::once(), seller, &carrier)).await.unwrap();
        let bought = purchases(&carrier).pop().unwrap();
        assert_eq!(bought.target(), path);
        assert_eq!(bought.header("Content-Type"), Some(kind));
        assert_eq!(bought.body, body);
        assert_eq!(bought.header("Authorization"), basic);
    }
}

#[tokio::test]
async fn every_header_of_a_token_travels_and_the_account_stands_in_the_address() {
    let sold = json!({"access_token": "t", "api_key": "k", "operator": "OP/1?x"}).to_string();
    let carrier = ScriptedCarrier::start(move |_, _| json_reply(&sold)).await;
    let job = job(Setup::once(), &carrier);
    let request = Request::get("operators/{account}/things").with("limit", 1);
    ask_for(&job, request, &CallMeter::new(9)).await.unwrap();
    let seen = carrier.seen().pop().unwrap();
    assert_eq!(seen.header("Authorization"), Some("Bearer t"));
    assert_eq!(seen.header("X-Api-Key"), Some("k"));
    assert_eq!(seen.target(), "/api/1/operators/OP%2F1%3Fx/things?limit=1");
}

#[tokio::test]
async fn an_account_that_the_token_does_not_name_is_told_and_not_asked_for() {
    let carrier = shop().await;
    let job = job(Setup::once(), &carrier);
    let request = Request::get("operators/{account}/things");
    let error = ask_for(&job, request, &CallMeter::new(9))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("account_id is missing"),
        "{error}"
    );
    assert_eq!(carrier.seen().len(), purchases(&carrier).len());
}

#[tokio::test]
async fn a_setting_says_where_the_token_is_bought_and_both_guards_judge_it() {
    let (carrier, desk) = (shop_that(|_, _| Some(json_reply("{}"))).await, shop().await);
    let mut row = row(Some(&carrier.base_url()));
    let at = |url: String| json!({ "token_url": url });
    row.config = at(format!("http://{}/desk", desk.address()));
    let mut builder = builder(Setup::once());
    let job = try_job(&builder, Seller::default(), &row).unwrap();
    ask(&job).await.unwrap();
    assert_eq!(purchases(&desk)[0].target(), "/desk");
    assert!(purchases(&carrier).is_empty());

    let refused = |builder: &_, row: &_| {
        let refused = try_job(builder, Seller::default(), row).unwrap_err();
        refused.to_string()
    };
    builder.allowed_hosts = AllowedHosts::parse(&["127.0.0.1".to_owned()]).unwrap();
    row.config = at(format!("http://localhost:{}/desk", desk.address().port()));
    let text = refused(&builder, &row);
    assert!(
        text.contains("localhost is not among http.allowed_hosts"),
        "{text}"
    );

    let guarded = Setup {
        allow_private_hosts: false,
        ..Setup::once()
    };
    let guarded = super::token_carrier::builder(guarded);
    row.api_base_url = None;
    for (url, says) in [
        (
            "https://127.0.0.1/desk",
            "127.0.0.1 is not a public address",
        ),
        ("http://example.com/desk", "config.token_url must use https"),
        ("desk", "config.token_url is not a URL"),
    ] {
        row.config = at(url.to_owned());
        let text = refused(&guarded, &row);
        assert!(text.contains(says), "{url}: {text}");
    }
    assert_eq!(purchases(&desk).len(), 1);
}

#[tokio::test]
async fn a_host_of_its_own_for_tokens_is_judged_by_both_guards() {
    let seller = |origin: &'static str| Seller {
        address: TokenAddress::Elsewhere {
            origin: origin.into(),
            path: "/token".into(),
        },
        ..Seller::default()
    };
    let guarded = Setup {
        allow_private_hosts: false,
        ..Setup::once()
    };
    let mut builder = builder(guarded);
    let refused = try_job(&builder, seller("https://10.0.0.1"), &row(None)).unwrap_err();
    assert!(
        refused.to_string().contains("10.0.0.1 is not a public"),
        "{refused}"
    );
    builder.allowed_hosts = AllowedHosts::parse(&["api.example.com".to_owned()]).unwrap();
    let refused = try_job(&builder, seller("https://login.example.org"), &row(None)).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("login.example.org is not among"),
        "{refused}"
    );
    // With an address of its own the integration buys there.
    let own = row(Some("https://api.example.com/v2"));
    assert!(try_job(&builder, seller("https://login.example.org"), &own).is_ok());
}

#[tokio::test]
async fn other_credentials_and_other_hosts_buy_tokens_of_their_own() {
    let (one, two) = (shop().await, shop().await);
    let builder = builder(Setup::once());
    let mut other = row(Some(&one.base_url()));
    other.api_secret = Some("another".into());
    for row in [row(Some(&one.base_url())), row(Some(&two.base_url()))] {
        ask(&try_job(&builder, Seller::default(), &row).unwrap())
            .await
            .unwrap();
    }
    assert_eq!((purchases(&one).len(), purchases(&two).len()), (1, 1));
    ask(&try_job(&builder, Seller::default(), &other).unwrap())
        .await
        .unwrap();
    assert_eq!(purchases(&one).len(), 2);
}

#[tokio::test]
async fn a_reply_that_never_ends_does_not_hold_the_turn_of_others() {
    let carrier = shop_that(|number, _| (number == 0).then(|| Reply::Stall(Vec::new()))).await;
    let job = job(Setup::once(), &carrier);
    let stalled = tokio::time::timeout(Duration::from_millis(300), ask(&job));
    assert!(stalled.await.is_err(), "given up");
    ask(&job).await.unwrap();
    assert_eq!(purchases(&carrier).len(), 2);
}
