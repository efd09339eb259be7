//! A steady rate with a burst. governor keeps it; here it can be looked at before anything is taken. Knows
//! nothing of accounts, hosts and queues, and does not wait.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::monotonic::RuntimeClock;

/// The published rate is used to this part. Calls leave evenly spaced but arrive with the network's
/// jitter; at the full rate two could arrive closer together than the carrier allows.
const USED_PART_OF_RATE: f64 = 0.97;

/// Time between two calls of a rate that is no limit any more.
const SHORTEST_PERIOD: Duration = Duration::from_nanos(1);
/// A burst that takes longer to come back is cut: a century. governor counts nanoseconds in 64 bits.
const LONGEST_REFILL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A steady rate with a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Calls per second in the long run; finite and above zero.
    pub requests_per_second: f64,
    /// Calls that may follow each other at once.
    pub burst: NonZeroU32,
}

impl RateLimit {
    /// After a rest this long the whole burst is there again.
    pub(super) fn refill(self) -> Duration {
        let seconds = f64::from(self.burst.get()) / (self.requests_per_second * USED_PART_OF_RATE);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

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

/// A rate that one caller at a time asks and takes from: whoever asks holds that scope's turn.
#[derive(Debug)]
pub(super) struct Rate {
    governor: RateLimiter<NotKeyed, Tally, RuntimeClock, NoOpMiddleware<Instant>>,
    /// The governor's own.
    tally: Tally,
    /// As it is configured.
    limit: RateLimit,
    burst: NonZeroU32,
    /// Taken already for a call that costs more than a burst, and so can never have it all at once.
    prepaid: u32,
}

/// Where governor keeps its count. Ours, so that a look can be undone.
#[derive(Debug, Clone, Default)]
struct Tally(Arc<Mutex<Option<Nanos>>>);

impl Tally {
    fn get(&self) -> Option<Nanos> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, count: Option<Nanos>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = count;
    }
}

impl StateStore for Tally {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, replacement) = measure(*count)?;
        *count = Some(replacement);
        Ok(outcome)
    }
}

impl Rate {
    pub(super) fn new(limit: RateLimit) -> Self {
        let (quota, tally) = (limit.quota(), Tally::default());
        Self {
            governor: RateLimiter::new(quota, tally.clone(), RuntimeClock),
            tally,
            limit,
            burst: quota.burst_size(),
            prepaid: 0,
        }
    }

    /// As it is configured now.
    pub(super) fn limit(&self) -> RateLimit {
        self.limit
    }

    /// How long until a call that costs `permits` may leave; zero: now. Takes nothing, but for what a
    /// call costs beyond a burst, which the next call finds again.
    pub(super) fn wait(&mut self, permits: u32) -> Duration {
        let beyond = permits.saturating_sub(self.burst.get());
        while self.prepaid < beyond {
            match self.take_some(NonZeroU32::MIN) {
                Ok(()) => self.prepaid += 1,
                Err(wait) => return wait,
            }
        }
        let before = self.tally.get();
        let outcome = self.take_some(self.within_burst(permits));
        self.tally.set(before);
        outcome.err().unwrap_or_default()
    }

    /// A call that costs `permits` and need not wait leaves.
    pub(super) fn take(&mut self, permits: u32) {
        let _ = self.take_some(self.within_burst(permits));
        self.prepaid = 0;
    }

    /// Takes all permits that are there.
    pub(super) fn drain(&mut self) {
        self.prepaid = 0;
        let mut cells = Some(self.burst);
        while let Some(some) = cells {
            // At most twice this number is there: of the size before, none was left.
            for _ in 0..2 {
                let _ = self.take_some(some);
            }
            cells = NonZeroU32::new(some.get() / 2);
        }
    }

    /// Goes on with another limit, and with no more than is left of this one: what was used stays used.
    pub(super) fn change(&mut self, limit: RateLimit) {
        let left = self.left();
        let next = Self::new(limit);
        let used = next.burst.get().saturating_sub(left);
        if let Some(used) = NonZeroU32::new(used) {
            let _ = next.take_some(used);
        }
        *self = next;
    }

    /// The most permits that could be taken now.
    fn left(&self) -> u32 {
        let before = self.tally.get();
        let (mut there, mut too_many) = (0, self.burst.get().saturating_add(1));
        while too_many - there > 1 {
            let some = there + (too_many - there) / 2;
            let taken = NonZeroU32::new(some).map(|some| self.take_some(some));
            self.tally.set(before);
            match taken {
                Some(Err(_)) => too_many = some,
                _ => there = some,
            }
        }
        there
    }

    fn within_burst(&self, permits: u32) -> NonZeroU32 {
        NonZeroU32::new(permits).map_or(NonZeroU32::MIN, |permits| permits.min(self.burst))
    }

    fn take_some(&self, permits: NonZeroU32) -> Result<(), Duration> {
        match self.governor.check_n(permits) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_yet)) => Err(not_yet.wait_time_from(RuntimeClock.now())),
            // No one asks for more than a burst.
            Err(_) => Err(LONGEST_REFILL),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    fn limit(requests_per_second: f64, burst: u32) -> RateLimit {
        RateLimit {
            requests_per_second,
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn no_rate_and_burst_that_can_be_configured_is_too_much_to_count() {
        for requests_per_second in [f64::MIN_POSITIVE, 1e-9, 0.001, 1.0, 1e9, f64::MAX] {
            for burst in [1, 1_000, u32::MAX] {
                let mut rate = Rate::new(limit(requests_per_second, burst));
                assert_eq!(rate.wait(1), Duration::ZERO);
                rate.take(1);
                rate.drain();
            }
        }
    }

    #[test]
    fn a_drained_rate_has_nothing_left_whatever_was_taken_before() {
        for burst in 1..70 {
            for taken in 0..=burst {
                let mut rate = Rate::new(limit(0.001, burst));
                for _ in 0..taken {
                    rate.take(1);
                }
                rate.drain();
                assert!(rate.wait(1) > Duration::ZERO, "{taken} of {burst}");
            }
        }
    }

    #[test]
    fn what_is_left_is_what_can_be_taken() {
        for burst in 1..30 {
            for taken in 0..=burst {
                let mut rate = Rate::new(limit(0.001, burst));
                (0..taken).for_each(|_| rate.take(1));
                assert_eq!(rate.left(), burst - taken);
                for next in [1, 2, 7, 100] {
                    let mut changed = Rate::new(limit(0.001, burst));
                    (0..taken).for_each(|_| changed.take(1));
                    changed.change(limit(0.002, next));
                    assert_eq!(
                        changed.left(),
                        next.min(burst - taken),
                        "{taken} of {burst} → {next}"
                    );
                }
            }
        }
        assert_eq!(
            Rate::new(limit(1e-9, u32::MAX)).left(),
            Rate::new(limit(1e-9, u32::MAX)).burst.get()
        );
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
