//! Limits of the simulated 1NCE, emnify and Cisco over real HTTP, without the service: whose calls they count, and in
//! which words they refuse.

use std::time::Duration;

use carrier_sync::simulator::dialects::{Dialect, DialectConfig, DialectFault, Limit};
use serde_json::{Value, json};

use crate::dialect_caller::{Caller, DEVICES, config, read, two_accounts};

#[tokio::test]
async fn cisco_says_too_fast_by_a_code_that_is_a_text_and_a_number_in_turn() {
    for throttle_status in [429, 400, 200] {
        let caller = Caller::of(DialectConfig {
            limits: vec![Limit::of(2, Duration::from_secs(3_600))],
            throttle_status,
            ..config(Dialect::Cisco, 3)
        });
        let mut answers = Vec::new();
        for _ in 0..4 {
            let (status, answer) = read(caller.ask_cisco(DEVICES)).await;
            answers.push((status, answer["errorCode"].clone()));
        }
        let refusals = [json!("40000029"), json!(40_000_029)];
        let refusals = refusals.map(|code| (throttle_status, code));
        assert_eq!(answers[..2], [(200, Value::Null), (200, Value::Null)]);
        assert_eq!(answers[2..], refusals);
    }
}

#[tokio::test]
async fn cisco_answers_one_call_at_a_time() {
    let caller = Caller::of(config(Dialect::Cisco, 3));
    caller.simulator.inject(DialectFault {
        endpoint: "devices/{id}/sessionInfo".to_owned(),
        status: 0,
        calls: 1,
    });
    let name = caller.simulator.truth(0)[0].carrier_device_id.clone();
    let hanging = caller.ask_cisco(&format!("devices/{name}/sessionInfo"));
    let hanging = tokio::spawn(hanging.send());
    while caller.simulator.calls().peak_concurrency == 0 {
        tokio::task::yield_now().await;
    }
    let (_, answer) = read(caller.ask_cisco(DEVICES)).await;
    assert_eq!(answer["errorCode"], "40000029");
    assert_eq!(caller.simulator.calls_of(0).peak_concurrency, 2);
    hanging.abort();
    // Once its caller has hung up, the next one is served.
    while !caller.simulator.calls().by_status.contains_key(&0) {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(caller.ask_cisco(DEVICES)).await.0, 200);
}

/// What two accounts are answered that take turns, two calls each.
async fn statuses_in_turn(caller: &Caller, path: &str) -> Vec<u16> {
    let tokens = [caller.token(0).await, caller.token(1).await];
    let mut statuses = Vec::new();
    for token in [&tokens[0], &tokens[0], &tokens[1], &tokens[1]] {
        statuses.push(read(caller.get(path, token)).await.0);
    }
    statuses
}

#[tokio::test]
async fn onence_counts_calls_by_customer_and_emnify_by_address() {
    let one = Limit::of(1, Duration::from_secs(3_600));
    let onence = Caller::of(two_accounts(Dialect::OneNce, one));
    assert_eq!(
        statuses_in_turn(&onence, "v2/sims").await,
        [200, 429, 200, 429]
    );
    let calls = onence.simulator.calls();
    assert_eq!(
        (calls.token_calls(), calls.data_calls(), calls.refusals),
        (2, 4, 2)
    );
    assert_eq!(onence.simulator.calls_of(1).data_calls(), 2);
    // By address, the calls that buy the two tokens count as well.
    let three = Limit::of(3, Duration::from_secs(3_600)).shared();
    let emnify = Caller::of(two_accounts(Dialect::Emnify, three));
    assert_eq!(
        statuses_in_turn(&emnify, "api/v1/endpoint").await,
        [200, 429, 429, 429]
    );
}

/// By address, so that wrong credentials use up what right ones need.
#[tokio::test]
async fn tokens_are_sold_within_the_published_limit_of_an_address() {
    for (dialect, limit, refused) in [(Dialect::OneNce, 600, 400), (Dialect::Emnify, 100, 200)] {
        let caller = Caller::of(DialectConfig::of(dialect, 3));
        let account = caller.simulator.config().accounts[0].clone();
        // At 1NCE by nobody; at emnify, whose login three failures lock, by its own account.
        let (key, secret) = match dialect {
            Dialect::OneNce => ("nobody", Some("x")),
            _ => (account.key.as_str(), None),
        };
        let (first, _) = read(caller.purchase(key, secret)).await;
        assert_eq!(first, refused, "{dialect:?}");
        for _ in 1..limit {
            caller.purchase(key, secret).send().await.unwrap();
        }
        let right = caller.purchase(&account.key, account.secret.as_deref());
        assert_eq!(read(right).await, (429, Value::Null), "{dialect:?}");
        let calls = caller.simulator.calls();
        assert_eq!((calls.token_calls(), calls.refusals), (limit + 1, 1));
    }
}

#[tokio::test]
async fn emnify_locks_the_login_after_three_failures_in_a_row() {
    let caller = Caller::of(config(Dialect::Emnify, 3));
    let fail = async |times: usize| {
        for _ in 0..times {
            let refused = read(caller.purchase("nobody", None)).await;
            assert_eq!(refused, (401, Value::Null));
        }
    };
    fail(2).await;
    let token = caller.token(0).await;
    fail(3).await;
    let key = caller.simulator.config().accounts[0].key.clone();
    let (status, answer) = read(caller.purchase(&key, None)).await;
    assert_eq!(
        (status, &answer["error_token"]),
        (401, &json!("TooManyRequests"))
    );
    let data = caller.get("api/v1/endpoint", &token);
    assert_eq!(read(data).await.0, 200, "what was sold opens still");
}

#[tokio::test]
async fn a_call_without_a_token_that_is_known_counts_for_the_address_only() {
    for (limit, statuses) in [
        (Limit::of(1, Duration::from_secs(3_600)), [401, 401, 401]),
        (
            Limit::of(1, Duration::from_secs(3_600)).shared(),
            [401, 429, 429],
        ),
    ] {
        let caller = Caller::of(two_accounts(Dialect::Emnify, limit));
        let mut answered = Vec::new();
        for token in ["old", "old", "other"] {
            answered.push(read(caller.get("api/v1/endpoint", token)).await.0);
        }
        assert_eq!(answered, statuses, "{limit:?}");
    }
}
