//! How the limits of accounts and hosts play together.

#![allow(clippy::unwrap_used)]
use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::poll;

use super::super::monotonic::now;
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);
const AT: (&str, &str) = ("c", "h");
const TENANT: &str = "t";

fn limits(requests_per_second: f64, burst: u32, max_concurrency: usize) -> CarrierLimits {
    let burst = NonZeroU32::new(burst).unwrap();
    let fast = RateLimit {
        requests_per_second: 1e6,
        burst: NonZeroU32::MAX,
    };
    CarrierLimits {
        account: RateLimit {
            requests_per_second,
            burst,
        }
        .into(),
        host: fast.into(),
        classes: BTreeMap::new(),
        host_classes: BTreeMap::new(),
        max_concurrency,
    }
}

fn of(class: &str) -> Endpoint<'_> {
    Endpoint { class, path: class }
}

#[tokio::test]
async fn one_key_is_one_account_whoever_calls() {
    let all = Limits::default();
    let limiter = |key, tenant| all.account(AT, key, tenant, &limits(1.0, 1, 1));
    let first = limiter("k1", "1");
    assert!(first.shares_account_with(&limiter("k1", "2")));
    assert!(!first.shares_account_with(&limiter("k2", "1")));
}

#[tokio::test]
async fn a_pause_outlives_the_actor_that_met_it() {
    let all = Limits::default();
    let limiter = all.account(AT, "k", TENANT, &limits(100.0, 1, 1));
    limiter.throttled("", now(), Duration::from_secs(600));
    drop(limiter);
    let again = all.account(AT, "k", TENANT, &limits(100.0, 1, 1));
    assert!(again.acquire(of(""), PATIENCE).await.is_err());
}

#[tokio::test]
async fn a_restarted_actor_gets_no_fresh_burst() {
    let all = Limits::default();
    let limiter = || all.account(AT, "k", TENANT, &limits(0.001, 1, 1));
    assert!(limiter().acquire(of(""), PATIENCE).await.is_ok());
    let _other = all.account(AT, "k2", TENANT, &limits(0.001, 1, 1));
    let again = limiter();
    let mut second = Box::pin(again.acquire(of(""), PATIENCE));
    assert!(poll!(&mut second).is_pending());
}

#[tokio::test]
async fn no_more_calls_at_once_than_configured() {
    let all = Limits::default();
    let limiter = all.account(AT, "k", TENANT, &limits(1e6, 100, 2));
    let (first, _second) = (
        limiter.acquire(of(""), PATIENCE).await.unwrap(),
        limiter.acquire(of(""), PATIENCE).await.unwrap(),
    );
    let mut third = Box::pin(limiter.acquire(of(""), PATIENCE));
    assert!(poll!(&mut third).is_pending());
    drop(first);
    assert!(third.await.is_ok());
}

#[tokio::test]
async fn accounts_on_one_host_share_its_rate() {
    let all = Limits::default();
    let mut shared = limits(1e6, 100, 100);
    shared.host = RateLimit {
        requests_per_second: 0.001,
        burst: NonZeroU32::new(1).unwrap(),
    }
    .into();
    let one = all.account(AT, "k1", TENANT, &shared);
    let two = all.account(AT, "k2", TENANT, &shared);
    assert!(one.acquire(of(""), PATIENCE).await.is_ok());
    let mut other = Box::pin(two.acquire(of(""), PATIENCE));
    assert!(
        poll!(&mut other).is_pending(),
        "the host's burst is used up"
    );
}

/// How many calls go out at once.
async fn at_once(limiter: &Caller) -> usize {
    let mut calls = 0;
    while poll!(Box::pin(limiter.acquire(of(""), PATIENCE))).is_ready() {
        calls += 1;
        // The runtime lets a task take so many locks only before it must give way.
        tokio::task::yield_now().await;
    }
    calls
}

fn host_of_ten() -> CarrierLimits {
    let host = RateLimit {
        requests_per_second: 0.001,
        burst: NonZeroU32::new(10).unwrap(),
    };
    CarrierLimits {
        host: host.into(),
        ..limits(1e6, 100, 100)
    }
}

#[tokio::test]
async fn processes_that_share_a_host_share_its_burst() {
    for (processes, calls) in [(0, 10), (1, 10), (2, 5), (3, 3), (10, 1), (11, 0)] {
        let all = Limits::default();
        let limiter = all.account(AT, "k", TENANT, &host_of_ten());
        all.share_hosts_with(processes);
        assert_eq!(at_once(&limiter).await, calls, "{processes} processes");
    }
}

#[tokio::test]
async fn a_class_of_the_host_is_one_for_all_accounts_and_keeps_no_other_call_waiting() {
    let slow = RateLimit {
        requests_per_second: 0.001,
        burst: NonZeroU32::new(3).unwrap(),
    };
    let limits = CarrierLimits {
        host_classes: BTreeMap::from([("token".to_owned(), slow)]),
        ..limits(1e6, 100, 100)
    };
    let all = Limits::default();
    let account = |number: usize| all.account(AT, number, &format!("t{number}"), &limits);
    let accounts: Vec<_> = (0..5).map(account).collect();
    for (number, limiter) in accounts.iter().enumerate() {
        let mut login = Box::pin(limiter.acquire(of("token"), PATIENCE));
        assert_eq!(poll!(&mut login).is_ready(), number < 3, "account {number}");
    }
    let mut other = Box::pin(accounts[4].acquire(of(""), PATIENCE));
    assert!(poll!(&mut other).is_ready(), "another class");
}

#[test]
fn an_account_is_taken_over_once_under_each_ownership() {
    let all = Limits::default();
    let told = [("a", 2), ("a", 2), ("b", 2), ("a", 3), ("a", 3), ("b", 2)];
    let told = told.map(|(integration, ownership)| all.takes_over(integration, ownership));
    assert_eq!(told, [true, false, true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn too_fast_to_a_class_of_the_host_pauses_that_class_for_all_accounts() {
    let four = RateLimit {
        requests_per_second: 1.0,
        burst: NonZeroU32::new(4).unwrap(),
    };
    let limits = CarrierLimits {
        host_classes: BTreeMap::from([("token".to_owned(), four)]),
        ..limits(1e6, 100, 100)
    };
    let all = Limits::default();
    let [one, two] = ["1", "2"].map(|key| all.account(AT, key, key, &limits));
    let start = tokio::time::Instant::now();
    one.throttled("token", now(), Duration::from_secs(30));
    assert!(two.acquire(of(""), PATIENCE).await.is_ok());
    assert!(start.elapsed().is_zero(), "no login");
    assert!(two.acquire(of("token"), PATIENCE).await.is_ok());
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    let hasty = two.acquire(of("token"), Duration::ZERO);
    one.throttled("token", now(), Duration::from_secs(90));
    assert_eq!(hasty.await.unwrap_err().by, PausedBy::Carrier);
    // It resumes slower, and grows back with the answers that any account has.
    let logins = async || {
        let mut logins = 0;
        while poll!(Box::pin(two.acquire(of("token"), PATIENCE))).is_ready() {
            logins += 1;
        }
        logins
    };
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(logins().await, 1, "at four permits each");
    for _ in 0..40 {
        one.answered("token", now());
    }
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(logins().await, 4);
    // A call of another class says nothing of logins.
    one.throttled("", now(), Duration::from_secs(30));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(logins().await, 4);
}

#[test]
fn hosts_and_accounts_that_nobody_calls_any_more_are_forgotten() {
    let all = Limits::default();
    for number in 0..1_000 {
        let host = number.to_string();
        drop(all.account(("c", &host), "k", TENANT, &limits(1.0, 1, 1)));
    }
    let accounts = unpoisoned(&all.accounts).len();
    let hosts = unpoisoned(&all.hosts).len();
    assert!(accounts <= 130 && hosts <= 130, "{accounts} at {hosts}");
}

#[tokio::test]
async fn a_host_that_a_row_of_another_carrier_meets_first_keeps_its_own_limits() {
    let all = Limits::default();
    let other = all.account(("other", "h"), "k", TENANT, &limits(1e6, 100, 100));
    assert!(other.acquire(of(""), PATIENCE).await.is_ok());
    let limiter = all.account(("own", "h"), "k", TENANT, &host_of_ten());
    assert_eq!(at_once(&limiter).await, 10);
}

#[tokio::test]
async fn a_process_that_leaves_gives_its_part_back() {
    let all = Limits::default();
    let limiter = all.account(AT, "k", TENANT, &host_of_ten());
    all.share_hosts_with(4);
    assert!(limiter.acquire(of(""), PATIENCE).await.is_ok());
    all.share_hosts_with(1);
    assert_eq!(at_once(&limiter).await, 6);
}

#[tokio::test]
async fn a_host_first_met_while_others_may_call_it_has_no_burst() {
    let all = Limits::default();
    all.share_hosts_with(2);
    let limiter = all.account(AT, "k", TENANT, &host_of_ten());
    assert_eq!(at_once(&limiter).await, 0);
}

#[tokio::test]
async fn an_account_taken_over_begins_at_its_steady_rate() {
    for burst in [1, 2, 5, 100, u32::MAX] {
        let all = Limits::default();
        let limiter = all.account(AT, "k", TENANT, &limits(0.001, burst, 100));
        limiter.forgo_burst();
        assert_eq!(at_once(&limiter).await, 0, "{burst}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_burst_is_given_up_too() {
    for spent in 1..5 {
        let all = Limits::default();
        let limiter = all.account(AT, "k", TENANT, &limits(0.001, 5, 100));
        for _ in 0..spent {
            assert!(limiter.acquire(of(""), PATIENCE).await.is_ok());
        }
        limiter.forgo_burst();
        assert_eq!(at_once(&limiter).await, 0, "{spent} of 5 spent");
    }
}

#[tokio::test]
async fn a_rate_of_thousands_is_not_slowed_by_the_timer_that_it_waits_with() {
    let limiter = Limits::default().account(AT, "k", TENANT, &limits(200_000.0, 1, 1));
    let start = std::time::Instant::now();
    for _ in 0..2_000 {
        assert!(limiter.acquire(of(""), PATIENCE).await.is_ok());
    }
    // A hundredth of a second; with one timer step for each it would be two seconds at least.
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_millis(1_900), "{elapsed:?}");
    assert!(elapsed >= Duration::from_millis(10), "{elapsed:?}");
}
