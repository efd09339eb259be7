//! Limits that change while calls wait, in simulated time: what was used stays used, whoever waits goes by
//! the new limit, and nothing comes at once that could not have come before.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(3_600);
const ANY: Endpoint<'_> = Endpoint {
    class: "",
    path: "",
};

fn limits(requests_per_second: f64, burst: u32, windows: &[&str]) -> CarrierLimits {
    let fast = RateLimit {
        requests_per_second: 1e6,
        burst: NonZeroU32::MAX,
    };
    CarrierLimits {
        account: Tier {
            rate: RateLimit {
                requests_per_second,
                burst: NonZeroU32::new(burst).unwrap(),
            },
            windows: windows.iter().map(|text| text.parse().unwrap()).collect(),
        },
        host: fast.into(),
        classes: BTreeMap::new(),
        host_classes: BTreeMap::new(),
        max_concurrency: 1_000,
    }
}

fn caller(all: &Limits, limits: &CarrierLimits) -> Caller {
    all.account(("c", "h"), "key", "tenant", limits)
}

/// When each of so many calls left, after the first moment.
async fn calls(caller: &Caller, began: Instant, number: usize) -> Vec<Duration> {
    let mut left = Vec::new();
    for _ in 0..number {
        caller.acquire(ANY, PATIENCE).await.unwrap();
        left.push(began.elapsed());
    }
    left
}

#[tokio::test(start_paused = true)]
async fn a_lower_rate_holds_for_the_very_next_call() {
    let all = Limits::default();
    let caller = caller(&all, &limits(100.0, 1, &[]));
    let began = Instant::now();
    calls(&caller, began, 5).await;
    all.change("c", &limits(1.0, 1, &[]));
    let changed = began.elapsed();
    let next = calls(&caller, began, 1).await[0];
    assert!(
        next - changed >= Duration::from_secs(1),
        "{:?}",
        next - changed
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slow_rate_goes_by_a_faster_one_at_once() {
    let all = Limits::default();
    let caller = caller(&all, &limits(0.001, 1, &[]));
    let began = Instant::now();
    calls(&caller, began, 1).await;
    let mut waiting = Box::pin(caller.acquire(ANY, PATIENCE));
    assert!(poll!(&mut waiting).is_pending());
    all.change("c", &limits(10.0, 100, &[]));
    assert!(waiting.await.is_ok());
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_larger_burst_is_not_there_before_it_has_been_earned() {
    let all = Limits::default();
    let caller = caller(&all, &limits(1.0, 5, &[]));
    let began = Instant::now();
    calls(&caller, began, 2).await;
    all.change("c", &limits(1.0, 1_000, &[]));
    let left = calls(&caller, began, 6).await;
    let at_once = left.iter().filter(|at| at.is_zero()).count();
    assert_eq!(at_once, 3, "what the old burst had left: {left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_window_keeps_what_has_left_whatever_becomes_of_it() {
    for (before, after, at_once) in [
        (&["10/1h"] as &[_], &["12/1h"] as &[_], 2),
        (&["10/1h"], &["4/1h"], 0),
        (&["10/1h"], &["12/30m"], 2),
        (&["10/1h"], &["12/2h"], 2),
        (&["10/1h", "20/3h"], &["12/3h"], 2),
    ] {
        let all = Limits::default();
        let caller = caller(&all, &limits(1e6, 1_000_000, before));
        let began = Instant::now();
        calls(&caller, began, 10).await;
        all.change("c", &limits(1e6, 1_000_000, after));
        let mut more = 0;
        while let Poll::Ready(Ok(_)) = poll!(Box::pin(caller.acquire(ANY, Duration::ZERO))) {
            more += 1;
        }
        assert_eq!(more, at_once, "{before:?} → {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_carriers_limits_stay() {
    let all = Limits::default();
    let caller = caller(&all, &limits(0.001, 1, &[]));
    calls(&caller, Instant::now(), 1).await;
    all.change("other", &limits(1e6, 1_000, &[]));
    assert!(poll!(Box::pin(caller.acquire(ANY, PATIENCE))).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_host_of_all_accounts_is_changed_as_well() {
    let all = Limits::default();
    let with_host = |requests_per_second, burst| CarrierLimits {
        host: limits(requests_per_second, burst, &[]).account,
        ..limits(1e6, 1_000_000, &[])
    };
    let caller = caller(&all, &with_host(1000.0, 100));
    let began = Instant::now();
    calls(&caller, began, 3).await;
    all.change("c", &with_host(1.0, 1));
    let left = calls(&caller, began, 3).await;
    assert!(left[2] - left[0] >= Duration::from_secs(2), "{left:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The carrier's view of any changes at any time: in no interval do more calls leave than the largest
    /// burst of the limits in force during it, and what their rates let grow.
    #[test]
    fn no_interval_holds_more_calls_than_the_limits_in_force_allow(
        first in (0.5_f64..50.0, 1_u32..20),
        changes in proptest::collection::vec((1_usize..12, 0_u64..3_000, 0.5_f64..50.0, 1_u32..20), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        let (left, forces) = runtime.block_on(async {
            let (all, began) = (Limits::default(), Instant::now());
            let caller = caller(&all, &limits(first.0, first.1, &[]));
            let (mut left, mut forces) = (Vec::new(), vec![(Duration::ZERO, first.0, first.1)]);
            for (number, rest_ms, rate, burst) in changes {
                left.extend(calls(&caller, began, number).await);
                tokio::time::advance(Duration::from_millis(rest_ms)).await;
                all.change("c", &limits(rate, burst, &[]));
                forces.push((began.elapsed(), rate, burst));
            }
            (left, forces)
        });
        for (first, from) in left.iter().enumerate() {
            for (last, to) in left.iter().enumerate().skip(first) {
                let (mut burst, mut grown) = (0, 0.0);
                for (number, (begin, rate, size)) in forces.iter().enumerate() {
                    let end = forces.get(number + 1).map_or(Duration::MAX, |next| next.0);
                    let (begin, end) = ((*begin).max(*from), end.min(*to));
                    if begin <= end {
                        burst = burst.max(*size);
                        grown += rate * (end - begin).as_secs_f64();
                    }
                }
                let allowed = f64::from(burst) + grown;
                prop_assert!((last - first + 1) as f64 <= allowed + 1e-6, "{first}..={last}: {allowed}");
            }
        }
    }
}
