//! Permits: who may call when. An account has a rate, a number of calls at once and perhaps a pause;
//! all accounts on one host share that host's rate.
//!
//! governor keeps the steady rate; ours is the policy around it. Waiters queue first come, first
//! served. Limiters outlive the actors that use them, so that a restarted integration neither gets a
//! fresh burst nor forgets a pause.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::throttle::Throttle;
use crate::carriers::Account;

/// The published rate is used to this part. Calls leave evenly spaced but arrive with the network's
/// jitter; at the full rate two could arrive closer together than the carrier allows.
const USED_PART_OF_RATE: f64 = 0.97;

/// An account that has not called for this long, at least, may be forgotten.
const LEAST_REST: Duration = Duration::from_secs(600);

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
        let period = Duration::from_secs_f64(1.0 / (self.requests_per_second * USED_PART_OF_RATE));
        // `with_period` refuses only a zero period: rates above 10⁹/s are no limit.
        Quota::with_period(period.max(Duration::from_nanos(1)))
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
            .allow_burst(self.burst)
    }
}

/// A rate whose waiters queue in order.
#[derive(Debug)]
struct Rate {
    governor: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// Held while waiting, so that one waiter at a time watches the governor.
    turn: tokio::sync::Mutex<()>,
}

impl Rate {
    fn new(limit: RateLimit) -> Self {
        let clock = DefaultClock::default();
        let governor = DefaultDirectRateLimiter::direct_with_clock(limit.quota(), clock.clone());
        Self {
            governor,
            clock,
            turn: tokio::sync::Mutex::new(()),
        }
    }

    async fn take(&self, permits: u32) {
        let _turn = self.turn.lock().await;
        for _ in 0..permits {
            while let Err(not_yet) = self.governor.check() {
                tokio::time::sleep(not_yet.wait_time_from(self.clock.now())).await;
            }
        }
    }
}

/// Permits of one account, shared by every integration that uses the same key.
#[derive(Debug)]
pub struct AccountLimiter {
    rate: Rate,
    slots: Semaphore,
    throttle: Mutex<Throttle>,
    host: Arc<Rate>,
    /// A rested account has its whole burst again after this.
    rest: Duration,
    last_call: Mutex<Option<Instant>>,
}

/// The right to make one call; gives its slot back when dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    _slot: SemaphorePermit<'a>,
    /// When the call may be taken as sent.
    pub sent: Instant,
}

/// The account is paused for longer than the caller would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused {
    /// How long it still is.
    pub left: Duration,
}

impl AccountLimiter {
    fn new(account: RateLimit, max_concurrency: usize, host: Arc<Rate>) -> Self {
        Self {
            rate: Rate::new(account),
            slots: Semaphore::new(max_concurrency),
            throttle: Mutex::default(),
            host,
            rest: Duration::try_from_secs_f64(
                f64::from(account.burst.get()) / account.requests_per_second,
            )
            .unwrap_or(Duration::MAX)
            .max(LEAST_REST),
            last_call: Mutex::default(),
        }
    }

    /// Waits for the right to make one call.
    ///
    /// # Errors
    /// [`Paused`] when the account is paused for longer than `patience`.
    pub async fn acquire(&self, patience: Duration) -> Result<Permit<'_>, Paused> {
        #[expect(
            clippy::expect_used,
            reason = "the semaphore is private and never closed"
        )]
        let slot = self.slots.acquire().await.expect("never closed");
        loop {
            self.wait_out_pause(patience).await?;
            let permits = self.throttle().permits_per_call();
            self.rate.take(permits).await;
            self.host.take(1).await;
            // A call of this account may have been throttled while this one waited for its turn.
            if self.pause_left().is_none() {
                let sent = Instant::now();
                *unpoisoned(&self.last_call) = Some(sent);
                return Ok(Permit { _slot: slot, sent });
            }
        }
    }

    async fn wait_out_pause(&self, patience: Duration) -> Result<(), Paused> {
        while let Some(left) = self.pause_left() {
            if left > patience {
                return Err(Paused { left });
            }
            tokio::time::sleep(left).await;
        }
        Ok(())
    }

    /// How long the account must still be silent.
    #[must_use]
    pub fn pause_left(&self) -> Option<Duration> {
        self.throttle().pause_left(Instant::now())
    }

    /// The carrier said "too fast" to a call sent at `sent`: every call of the account waits.
    pub fn throttled(&self, sent: Instant, pause: Duration) {
        self.throttle().throttled(sent, Instant::now(), pause);
    }

    /// The carrier answered: a slowed account grows back.
    pub fn answered(&self) {
        self.throttle().answered();
    }

    /// Whether a new limiter would be no different: no pause, full pace, and long at rest.
    fn is_forgettable(&self) -> bool {
        let throttle = self.throttle();
        let rested = unpoisoned(&self.last_call).is_none_or(|last| last.elapsed() >= self.rest);
        rested && throttle.permits_per_call() == 1 && throttle.pause_left(Instant::now()).is_none()
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        unpoisoned(&self.throttle)
    }
}

/// Every change under these locks leaves the state whole, so a panic elsewhere cannot have broken it.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every limiter of the process, by account and by host.
#[derive(Debug, Default)]
pub struct Limits {
    hasher: RandomState,
    accounts: Mutex<HashMap<u64, Arc<AccountLimiter>>>,
    hosts: Mutex<HashMap<String, Arc<Rate>>>,
}

/// What a carrier allows, as configured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarrierLimits {
    /// Rate of one account.
    pub account: RateLimit,
    /// Calls of one account at once; at least 1.
    pub max_concurrency: usize,
    /// Rate of all accounts on one host together.
    pub host: RateLimit,
}

impl Limits {
    /// The limiter of `account` at `carrier`, reached at `host`.
    ///
    /// Keyed by the credentials, which is what carriers count on: two integrations with one key and
    /// different account ids share a limit.
    pub fn account(
        &self,
        carrier: &str,
        host: &str,
        account: &Account,
        limits: CarrierLimits,
    ) -> Arc<AccountLimiter> {
        let key = self.key(carrier, host, account);
        let mut accounts = unpoisoned(&self.accounts);
        accounts.retain(|known, limiter| {
            *known == key || Arc::strong_count(limiter) > 1 || !limiter.is_forgettable()
        });
        let new = || {
            let host = self.host(host, limits.host);
            Arc::new(AccountLimiter::new(
                limits.account,
                limits.max_concurrency,
                host,
            ))
        };
        Arc::clone(accounts.entry(key).or_insert_with(new))
    }

    fn host(&self, host: &str, limit: RateLimit) -> Arc<Rate> {
        let mut hosts = unpoisoned(&self.hosts);
        Arc::clone(
            hosts
                .entry(host.to_owned())
                .or_insert_with(|| Arc::new(Rate::new(limit))),
        )
    }

    /// A keyed hash stands for the credentials, so that the map holds no secret.
    fn key(&self, carrier: &str, host: &str, account: &Account) -> u64 {
        let secret = account.api_secret.as_ref().map(ExposeSecret::expose_secret);
        self.hasher
            .hash_one((carrier, host, account.api_key.expose_secret(), secret))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use governor::RateLimiter;
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

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
            },
            max_concurrency,
            host: fast,
        }
    }

    fn account(key: &str, org: &str) -> Account {
        Account {
            api_key: key.into(),
            api_secret: None,
            account_id: Some(org.to_owned()),
        }
    }

    #[tokio::test]
    async fn one_key_is_one_account_whatever_the_integration() {
        let all = Limits::default();
        let limiter = |key, org| all.account("c", "h", &account(key, org), limits(1.0, 1, 1));
        let first = limiter("k1", "1");
        assert!(Arc::ptr_eq(&first, &limiter("k1", "2")));
        assert!(!Arc::ptr_eq(&first, &limiter("k2", "1")));
    }

    #[tokio::test]
    async fn a_pause_outlives_the_actor_that_met_it() {
        let all = Limits::default();
        let limiter = all.account("c", "h", &account("k", "1"), limits(100.0, 1, 1));
        limiter.throttled(Instant::now(), Duration::from_secs(600));
        drop(limiter);
        let again = all.account("c", "h", &account("k", "1"), limits(100.0, 1, 1));
        assert!(again.acquire(PATIENCE).await.is_err());
    }

    #[tokio::test]
    async fn a_restarted_actor_gets_no_fresh_burst() {
        let all = Limits::default();
        let limiter = || all.account("c", "h", &account("k", "1"), limits(0.001, 1, 1));
        assert!(limiter().acquire(PATIENCE).await.is_ok());
        let _other = all.account("c", "h", &account("k2", "1"), limits(0.001, 1, 1));
        let again = limiter();
        let mut second = Box::pin(again.acquire(PATIENCE));
        assert!(futures_util::poll!(&mut second).is_pending());
    }

    #[tokio::test]
    async fn no_more_calls_at_once_than_configured() {
        let all = Limits::default();
        let limiter = all.account("c", "h", &account("k", "1"), limits(1e6, 100, 2));
        let (first, _second) = (
            limiter.acquire(PATIENCE).await.unwrap(),
            limiter.acquire(PATIENCE).await.unwrap(),
        );
        let mut third = Box::pin(limiter.acquire(PATIENCE));
        assert!(futures_util::poll!(&mut third).is_pending());
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
        };
        let one = all.account("c", "h", &account("k1", "1"), shared);
        let two = all.account("c", "h", &account("k2", "2"), shared);
        assert!(one.acquire(PATIENCE).await.is_ok());
        let mut other = Box::pin(two.acquire(PATIENCE));
        assert!(
            futures_util::poll!(&mut other).is_pending(),
            "the host's burst is used up"
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
