//! One account's permits in simulated time: what holds a call back, and what it has cost if it did not go.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;
use std::task::Poll;

use futures_util::poll;
use tokio::time::{Instant as Moment, advance};

use super::super::caller::Caller;
use super::super::hint::HintOf;
use super::super::limits::Limits;
use super::super::rate::RateLimit;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);

fn rate(requests_per_second: f64, burst: u32) -> RateLimit {
    RateLimit {
        requests_per_second,
        burst: NonZeroU32::new(burst).unwrap(),
    }
}

fn tier(rate: RateLimit, windows: &[&str]) -> Tier {
    Tier {
        rate,
        windows: windows.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn free() -> Tier {
    rate(1e6, 1_000_000).into()
}

fn limits(account: Tier, host: Tier) -> CarrierLimits {
    CarrierLimits {
        account,
        host,
        classes: BTreeMap::from([("slow".to_owned(), rate(0.001, 2))]),
        host_classes: BTreeMap::new(),
        max_concurrency: 100,
    }
}

fn caller_of(all: &Limits, key: &str, limits: &CarrierLimits) -> Caller {
    all.account(("c", "h"), key, "t", limits)
}

fn of(class: &str) -> Endpoint<'_> {
    Endpoint { class, path: class }
}

fn caller(limits: &CarrierLimits) -> Caller {
    caller_of(&Limits::default(), "k", limits)
}

fn hint(remaining: u64, resets_in: Duration) -> LimitHint {
    LimitHint {
        remaining: Some(remaining),
        resets_in: Some(resets_in),
        of: HintOf::Account,
    }
}

/// How many calls go out at once, each answered at once, up to fifty.
async fn at_once(caller: &Caller, class: &str) -> usize {
    let mut calls = 0;
    while calls < 50
        && matches!(
            poll!(Box::pin(caller.acquire(of(class), PATIENCE))),
            Poll::Ready(Ok(_))
        )
    {
        calls += 1;
        // The runtime lets a task take so many locks only before it must give way.
        tokio::task::yield_now().await;
    }
    calls
}

#[tokio::test(start_paused = true)]
async fn a_window_is_waited_for_or_told_where_that_takes_too_long() {
    let caller = caller(&limits(tier(rate(1e6, 1_000), &["2/50s", "4/10m"]), free()));
    let start = Moment::now();
    assert_eq!(at_once(&caller, "").await, 2);
    assert!(caller.acquire(of(""), PATIENCE).await.is_ok());
    assert_eq!(start.elapsed(), 51 * SECOND);
    assert!(caller.acquire(of(""), PATIENCE).await.is_ok());
    let paused = caller.acquire(of(""), PATIENCE).await.unwrap_err();
    assert_eq!(paused.left, 602 * SECOND - start.elapsed());
    assert_eq!(paused.by, PausedBy::OwnLimit);
    assert_eq!(start.elapsed(), 51 * SECOND, "told at once");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_leave_than_a_carrier_says_are_left() {
    let caller = caller(&limits(free(), free()));
    caller.learn("", hint(3, 30 * SECOND));
    assert_eq!(at_once(&caller, "").await, 3);
    assert_eq!(caller.snapshot().paused_for, Some(30 * SECOND));
    let start = Moment::now();
    assert!(caller.acquire(of(""), PATIENCE).await.is_ok());
    assert_eq!(start.elapsed(), 30 * SECOND);
    assert_eq!(at_once(&caller, "").await, 50, "forgotten after the reset");
}

#[tokio::test(start_paused = true)]
async fn a_word_of_one_endpoint_keeps_no_other_waiting() {
    let caller = caller(&limits(free(), free()));
    let of_endpoint = LimitHint {
        of: HintOf::Endpoint,
        ..hint(3, 90 * SECOND)
    };
    caller.learn("list", of_endpoint);
    assert_eq!(at_once(&caller, "list").await, 3);
    assert_eq!(at_once(&caller, "device").await, 50);
    let paused = caller.acquire(of("list"), PATIENCE).await.unwrap_err();
    assert_eq!((paused.left, paused.by), (90 * SECOND, PausedBy::OwnLimit));
    // One that the carrier has told is told as such, where it lasts longer.
    caller.throttled("", now(), 100 * SECOND);
    let paused = caller.acquire(of("list"), PATIENCE).await.unwrap_err();
    assert_eq!((paused.left, paused.by), (100 * SECOND, PausedBy::Carrier));
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_taken_off_what_is_left() {
    let caller = caller(&limits(free(), free()));
    let permits = [
        caller.acquire(of(""), PATIENCE).await.unwrap(),
        caller.acquire(of(""), PATIENCE).await.unwrap(),
    ];
    caller.learn("", hint(3, 30 * SECOND));
    assert_eq!(at_once(&caller, "").await, 1);
    drop(permits);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gives_up_or_meets_a_pause_has_cost_nothing() {
    let (all, shared) = (Limits::default(), rate(0.01, 1));
    let limits = limits(tier(rate(0.000_1, 1), &["1/1h"]), shared.into());
    let (one, two) = (caller_of(&all, "1", &limits), caller_of(&all, "2", &limits));
    assert!(one.acquire(of(""), PATIENCE).await.is_ok());
    let mut gives_up = Box::pin(two.acquire(of("slow"), PATIENCE));
    assert!(poll!(&mut gives_up).is_pending(), "the host is not open");
    drop(gives_up);
    // And now one that is paused just before the host opens.
    let start = Moment::now();
    let call = two.acquire(of("slow"), Duration::from_secs(300));
    let pause = async {
        tokio::time::sleep(100 * SECOND).await;
        two.learn("", hint(0, 200 * SECOND));
    };
    let (permit, ()) = tokio::join!(call, pause);
    assert!(permit.is_ok());
    assert_eq!(start.elapsed(), 300 * SECOND, "no permit was lost");
}

#[tokio::test(start_paused = true)]
async fn a_paused_account_does_not_hold_up_its_host() {
    let (all, limits) = (Limits::default(), limits(free(), rate(1.0, 1).into()));
    let (one, two) = (caller_of(&all, "1", &limits), caller_of(&all, "2", &limits));
    assert!(one.acquire(of(""), PATIENCE).await.is_ok());
    let start = Moment::now();
    let mut waits = Box::pin(one.acquire(of(""), PATIENCE));
    assert!(poll!(&mut waits).is_pending());
    one.throttled("", now(), 50 * SECOND);
    let (first, second) = tokio::join!(waits, two.acquire(of(""), PATIENCE));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(start.elapsed().as_secs(), 50);
    let waited_ms = (second.unwrap().sent - start.into_std()).as_millis();
    assert!(waited_ms < 1_100, "{waited_ms} ms for the other account");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_account_has_half_of_its_windows_and_classes() {
    let caller = caller(&limits(tier(rate(1e6, 1_000), &["10/50s"]), free()));
    caller.throttled("", now(), SECOND);
    advance(2 * SECOND).await;
    assert_eq!(at_once(&caller, "slow").await, 1, "of two");
    assert_eq!(at_once(&caller, "").await, 4, "and that is five of ten");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_while_its_account_was_slowed_pays_the_new_price() {
    let mut limits = limits(tier(rate(1e6, 1_000), &["6/1h"]), free());
    limits.max_concurrency = 1;
    let caller = caller(&limits);
    let first = caller.acquire(of(""), PATIENCE).await.unwrap();
    let mut second = Box::pin(caller.acquire(of(""), PATIENCE));
    assert!(poll!(&mut second).is_pending(), "one at once");
    caller.throttled("", now(), SECOND);
    advance(10 * SECOND).await;
    drop(first);
    drop(second.await.unwrap());
    assert_eq!(
        at_once(&caller, "").await,
        1,
        "three of six are left, at two each"
    );
}

#[tokio::test(start_paused = true)]
async fn unnamed_pauses_lengthen_until_the_account_is_back_at_its_pace() {
    let caller = caller(&limits(free(), free()));
    let unnamed = UnnamedPause {
        shortest: 5 * SECOND,
        longest: 100 * SECOND,
    };
    for least in [5, 10, 20, 40, 80, 100] {
        let pause = caller.throttled_unnamed("", now(), unnamed);
        let most = (2 * least).min(100);
        assert!(
            (least * SECOND..=most * SECOND).contains(&pause),
            "{pause:?}"
        );
        assert_eq!(caller.pause_left(), Some(pause));
        advance(pause).await;
    }
    for _ in 0..60 {
        caller.answered("", now());
    }
    assert_eq!(caller.snapshot().permits_per_call, 1);
    assert!(caller.throttled_unnamed("", now(), unnamed) <= 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_account_taken_over_leaves_its_windows_and_classes_alone_for_their_length() {
    let caller = caller(&limits(tier(rate(1e6, 1_000), &["10/50s"]), free()));
    caller.forgo_burst();
    advance(SECOND).await;
    assert_eq!(
        at_once(&caller, "").await,
        0,
        "a second is enough for the rate"
    );
    advance(50 * SECOND).await;
    assert_eq!(at_once(&caller, "slow").await, 0);
    assert_eq!(at_once(&caller, "").await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_who_waits_and_for_how_long_all_pause() {
    let caller = caller(&limits(tier(rate(1e6, 1_000), &["1/50s"]), free()));
    assert!(caller.acquire(of(""), PATIENCE).await.is_ok());
    let mut two = [
        Box::pin(caller.acquire(of(""), PATIENCE)),
        Box::pin(caller.acquire(of(""), PATIENCE)),
    ];
    for waits in &mut two {
        assert!(poll!(waits).is_pending());
    }
    assert_eq!(caller.snapshot().waiting, 2);
    drop(two);
    caller.throttled("", now(), 7 * SECOND);
    let expected = LimiterSnapshot {
        requests_per_second: 1e6,
        paused_for: Some(7 * SECOND),
        permits_per_call: 2,
        waiting: 0,
    };
    assert_eq!(caller.snapshot(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_forgotten_when_a_new_limiter_would_be_no_different() {
    let hour = 3_600 * SECOND;
    let long = limits(tier(rate(1e6, 1_000), &["10/1h"]), free());
    let called = caller(&long);
    assert!(called.acquire(of(""), PATIENCE).await.is_ok());
    let told = caller(&long);
    told.learn("", hint(5, hour / 2));
    let paused = caller(&long);
    paused.throttled("", now(), hour / 2);
    assert!(caller(&long).is_forgettable());
    for busy in [&called, &told, &paused] {
        assert!(!busy.is_forgettable());
    }
    advance(hour).await;
    assert!(told.is_forgettable() && !called.is_forgettable());
    assert!(!paused.is_forgettable(), "it is slow still");
    advance(hour).await;
    assert!(called.is_forgettable());
}
