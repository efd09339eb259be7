//! A steady rate with a burst, whose waiters queue first come, first served. governor keeps the rate; it
//! knows no order. Knows nothing of accounts and hosts.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};

/// The published rate is used to this part. Calls leave evenly spaced but arrive with the network's
/// jitter; at the full rate two could arrive closer together than the carrier allows.
const USED_PART_OF_RATE: f64 = 0.97;

/// Time between two calls of a rate that is no limit any more.
const SHORTEST_PERIOD: Duration = Duration::from_nanos(1);
/// A burst that takes longer to come back is cut: a century. governor counts nanoseconds in 64 bits.
const LONGEST_REFILL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The runtime's timer counts in these: no sleep is shorter.
const TIMER_STEP: Duration = Duration::from_millis(1);

/// A steady rate with a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Calls per second in the long run; finite and above zero.
    pub requests_per_second: f64,
    /// Calls that may follow each other at once.
    pub burst: NonZeroU32,
}

impl RateLimit {
    fn quota(self) -> Quota {
        let period = 1.0 / (self.requests_per_second * USED_PART_OF_RATE);
        let period = Duration::try_from_secs_f64(period)
            .unwrap_or(LONGEST_REFILL)
            .clamp(SHORTEST_PERIOD, LONGEST_REFILL);
        let most = LONGEST_REFILL.as_nanos() / period.as_nanos();
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let burst = self.burst.min(NonZeroU32::new(most).unwrap_or(self.burst));
        // Refused is only a zero period.
        Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
            .allow_burst(burst)
    }
}

/// A rate whose waiters queue in order.
#[derive(Debug)]
pub(super) struct Rate {
    governor: DefaultDirectRateLimiter,
    clock: DefaultClock,
    burst: NonZeroU32,
    /// Held while waiting, so that one waiter at a time watches the governor.
    turn: tokio::sync::Mutex<()>,
}

impl Rate {
    pub(super) fn new(limit: RateLimit) -> Self {
        let clock = DefaultClock::default();
        let quota = limit.quota();
        let governor = DefaultDirectRateLimiter::direct_with_clock(quota, clock.clone());
        Self {
            governor,
            clock,
            burst: quota.burst_size(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits for `permits`, one after the other.
    pub(super) async fn take(&self, permits: u32) {
        let _turn = self.turn.lock().await;
        for _ in 0..permits {
            while let Err(not_yet) = self.governor.check() {
                match not_yet.wait_time_from(self.clock.now()) {
                    // Slept away, a rate of thousands per second would become one of hundreds.
                    wait if wait < TIMER_STEP => tokio::task::yield_now().await,
                    wait => tokio::time::sleep(wait).await,
                }
            }
        }
    }

    /// Takes all permits that are there.
    pub(super) fn drain(&self) {
        let mut cells = Some(self.burst);
        while let Some(some) = cells {
            // At most twice this number is there: of the size before, none was left.
            for _ in 0..2 {
                let _ = self.governor.check_n(some);
            }
            cells = NonZeroU32::new(some.get() / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Instant;

    use governor::RateLimiter;
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    fn limit(requests_per_second: f64, burst: u32) -> RateLimit {
        RateLimit {
            requests_per_second,
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_rate_of_thousands_is_not_slowed_by_the_timer_that_it_waits_with() {
        let rate = Rate::new(limit(200_000.0, 1));
        let start = Instant::now();
        for _ in 0..2_000 {
            rate.take(1).await;
        }
        // A hundredth of a second; with one timer step for each it would be two seconds at least.
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_millis(1_900), "{elapsed:?}");
        assert!(elapsed >= Duration::from_millis(10), "{elapsed:?}");
    }

    #[test]
    fn no_rate_and_burst_that_can_be_configured_is_too_much_to_count() {
        for requests_per_second in [f64::MIN_POSITIVE, 1e-9, 0.001, 1.0, 1e9, f64::MAX] {
            for burst in [1, 1_000, u32::MAX] {
                let rate = Rate::new(limit(requests_per_second, burst));
                assert!(rate.governor.check().is_ok());
                rate.drain();
            }
        }
    }

    #[test]
    fn a_drained_rate_has_nothing_left_whatever_was_taken_before() {
        for burst in 1..70 {
            for taken in 0..=burst {
                let rate = Rate::new(limit(0.001, burst));
                for _ in 0..taken {
                    rate.governor.check().unwrap();
                }
                rate.drain();
                assert!(rate.governor.check().is_err(), "{taken} of {burst}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// The carrier's view: in no window do more calls arrive than burst + rate × its length.
        #[test]
        fn no_window_holds_more_calls_than_the_rate_allows(
            requests_per_second in 0.5_f64..50.0,
            burst in 1_u32..20,
            waits_ms in proptest::collection::vec(0_u64..400, 1..200),
        ) {
            let limit = RateLimit { requests_per_second, burst: NonZeroU32::new(burst).unwrap() };
            let clock = FakeRelativeClock::default();
            let limiter = RateLimiter::direct_with_clock(limit.quota(), clock.clone());
            let (mut now, mut calls) = (0_u64, Vec::new());
            for wait_ms in waits_ms {
                clock.advance(Duration::from_millis(wait_ms));
                now += wait_ms;
                while limiter.check().is_ok() {
                    calls.push(now);
                }
            }
            for (first, from) in calls.iter().enumerate() {
                for (last, to) in calls.iter().enumerate().skip(first) {
                    let seconds = (to - from) as f64 / 1_000.0;
                    let allowed = f64::from(burst) + requests_per_second * seconds;
                    prop_assert!((last - first + 1) as f64 <= allowed + 1e-6);
                }
            }
        }
    }
}
