//! Permits: who may call when. An account has a rate, a number of calls at once and perhaps a pause;
//! all accounts on one host share that host's rate.
//!
//! `rate.rs` keeps the steady rate; here is the policy around it. Limiters outlive the actors that use them, so that a restarted integration neither gets a
//! fresh burst nor forgets a pause.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::accounts::Accounts;
use super::rate::{Rate, RateLimit};
use super::throttle::Throttle;
use crate::carriers::Account;

/// An account that has not called for this long, at least, may be forgotten.
const LEAST_REST: Duration = Duration::from_secs(600);

/// Permits of one account, shared by every integration that uses the same key.
#[derive(Debug)]
pub struct AccountLimiter {
    rate: Rate,
    slots: Semaphore,
    throttle: Mutex<Throttle>,
    host: Arc<Rate>,
    /// Processes that call from this address; the host's rate is for all of them.
    processes: Arc<AtomicU32>,
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
    pub(super) fn new(
        account: RateLimit,
        max_concurrency: usize,
        (host, processes): (Arc<Rate>, Arc<AtomicU32>),
    ) -> Self {
        Self {
            rate: Rate::new(account),
            slots: Semaphore::new(max_concurrency),
            throttle: Mutex::default(),
            host,
            processes,
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
            self.host.take(self.processes.load(Ordering::Relaxed)).await;
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

    /// Leaves nothing of the burst. For an account that another process has called until now: that one
    /// may have made these calls already, and the carrier counts both.
    pub fn forgo_burst(&self) {
        self.rate.drain();
    }

    /// Whether a new limiter would be no different: no pause, full pace, and long at rest.
    pub(super) fn is_forgettable(&self) -> bool {
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
#[derive(Debug)]
pub struct Limits {
    hasher: RandomState,
    accounts: Mutex<Accounts>,
    hosts: Mutex<HashMap<String, Arc<Rate>>>,
    processes: Arc<AtomicU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            accounts: Mutex::default(),
            hosts: Mutex::default(),
            processes: Arc::new(AtomicU32::new(1)),
        }
    }
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
        accounts.find_or_add(key, || {
            let host = self.host(host, limits.host);
            AccountLimiter::new(
                limits.account,
                limits.max_concurrency,
                (host, Arc::clone(&self.processes)),
            )
        })
    }

    /// So many processes, this one included, call the same hosts from now on: each call takes as many
    /// permits of its host, so that all of them together keep the host's rate and its burst.
    pub fn share_hosts_with(&self, processes: usize) {
        let processes = u32::try_from(processes.max(1)).unwrap_or(u32::MAX);
        self.processes.store(processes, Ordering::Relaxed);
    }

    fn host(&self, host: &str, limit: RateLimit) -> Arc<Rate> {
        let new = || {
            let rate = Rate::new(limit);
            // The burst is one for all: others may have just used it.
            if self.processes.load(Ordering::Relaxed) > 1 {
                rate.drain();
            }
            Arc::new(rate)
        };
        let mut hosts = unpoisoned(&self.hosts);
        Arc::clone(hosts.entry(host.to_owned()).or_insert_with(new))
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
    use std::num::NonZeroU32;

    use futures_util::poll;

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
            settings: serde_json::Map::new(),
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
        assert!(poll!(&mut second).is_pending());
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
        };
        let one = all.account("c", "h", &account("k1", "1"), shared);
        let two = all.account("c", "h", &account("k2", "2"), shared);
        assert!(one.acquire(PATIENCE).await.is_ok());
        let mut other = Box::pin(two.acquire(PATIENCE));
        assert!(
            poll!(&mut other).is_pending(),
            "the host's burst is used up"
        );
    }

    /// How many calls go out at once.
    async fn at_once(limiter: &AccountLimiter) -> usize {
        let mut calls = 0;
        while poll!(Box::pin(limiter.acquire(PATIENCE))).is_ready() {
            calls += 1;
        }
        calls
    }

    fn host_of_ten() -> CarrierLimits {
        let host = RateLimit {
            requests_per_second: 0.001,
            burst: NonZeroU32::new(10).unwrap(),
        };
        CarrierLimits {
            host,
            ..limits(1e6, 100, 100)
        }
    }

    #[tokio::test]
    async fn processes_that_share_a_host_share_its_burst() {
        for (processes, calls) in [(0, 10), (1, 10), (2, 5), (3, 3), (10, 1), (11, 0)] {
            let all = Limits::default();
            let limiter = all.account("c", "h", &account("k", "1"), host_of_ten());
            all.share_hosts_with(processes);
            assert_eq!(at_once(&limiter).await, calls, "{processes} processes");
        }
    }

    #[tokio::test]
    async fn a_process_that_leaves_gives_its_part_back() {
        let all = Limits::default();
        let limiter = all.account("c", "h", &account("k", "1"), host_of_ten());
        all.share_hosts_with(4);
        assert!(limiter.acquire(PATIENCE).await.is_ok());
        all.share_hosts_with(1);
        assert_eq!(at_once(&limiter).await, 6);
    }

    #[tokio::test]
    async fn a_host_first_met_while_others_may_call_it_has_no_burst() {
        let all = Limits::default();
        all.share_hosts_with(2);
        let limiter = all.account("c", "h", &account("k", "1"), host_of_ten());
        assert_eq!(at_once(&limiter).await, 0);
    }

    #[tokio::test]
    async fn an_account_taken_over_begins_at_its_steady_rate() {
        for burst in [1, 2, 5, 100, u32::MAX] {
            let all = Limits::default();
            let limiter = all.account("c", "h", &account("k", "1"), limits(0.001, burst, 100));
            limiter.forgo_burst();
            assert_eq!(at_once(&limiter).await, 0, "{burst}");
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_burst_is_given_up_too() {
        for spent in 1..5 {
            let all = Limits::default();
            let limiter = all.account("c", "h", &account("k", "1"), limits(0.001, 5, 100));
            for _ in 0..spent {
                assert!(limiter.acquire(PATIENCE).await.is_ok());
            }
            limiter.forgo_burst();
            assert_eq!(at_once(&limiter).await, 0, "{spent} of 5 spent");
        }
    }
}
