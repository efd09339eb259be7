//! One account's permits: who may call when. A call waits out a pause and then needs its class of
//! endpoints, the account and the host to be open at once.
//!
//! ```text
//!  pause ─► class: turn, open ─► account: turn, slot, open ─► class at the host: turn, open ─┐
//!    ▲                                                                                       ▼
//!    ├── a pause or a hint came while it waited ◄──────────────────────────────── host: turn, open
//!                                                                                            ▼
//!                                                                            takes from all, leaves
//! ```
//!
//! Nothing is taken before everything is open, so a call that gives up or meets a pause has cost nothing,
//! and what is counted as sent was sent then. Turns are taken in this order by everyone, and a slot is
//! held by calls in flight and by the next one only: no two calls wait for each other. Limiters outlive the
//! actors that use them (`remembered.rs`), so that a restarted integration neither gets a fresh burst nor
//! forgets a pause.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::gate::{Head, Tier};
use super::hint::{AccountHints, LimitHint};
use super::host::Host;
use super::limits::CarrierLimits;
use super::line::LineTurn;
use super::monotonic::now;
use super::remembered::Forgettable;
use super::scope::{Lane, Scope};
use super::slots::{Slot, Slots};
use super::throttle::UnnamedPause;

/// Permits of one account, shared by every integration that uses the same key.
#[derive(Debug)]
pub struct AccountLimiter {
    /// Whose limits it keeps.
    pub(super) carrier: String,
    slots: Slots,
    scope: Arc<Scope>,
    classes: BTreeMap<String, Arc<Scope>>,
    host: Arc<Host>,
    hints: Mutex<AccountHints>,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
}

/// What a call asks for, as limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// Of endpoints that one limit may be for; where there is none, any name will do.
    pub class: &'a str,
    /// The endpoint itself.
    pub path: &'a str,
}

/// One tenant's ways through all that a call passes.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    account: Lane,
    classes: BTreeMap<String, Lane>,
    host: Lane,
    host_classes: BTreeMap<String, Lane>,
}

/// The right to make one call; gives its slot back when dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    _slot: Slot<'a>,
    _in_flight: Counted<'a>,
    /// When the call may be taken as sent.
    pub sent: Instant,
}

/// No call may leave for longer than the caller would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused {
    /// How long it still is.
    pub left: Duration,
    /// Whose word it is.
    pub by: PausedBy,
}

/// Why no call may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PausedBy {
    /// The carrier said "too fast".
    Carrier,
    /// What is allowed is used up: nothing went wrong.
    OwnLimit,
}

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimiterSnapshot {
    /// The steady rate as it is configured now, before anything slows it.
    pub requests_per_second: f64,
    /// How long it must still be silent.
    pub paused_for: Option<Duration>,
    /// 1 at full pace; more after throttlings.
    pub permits_per_call: u32,
    /// Calls that wait for a permit.
    pub waiting: usize,
}

impl AccountLimiter {
    pub(super) fn new(carrier: &str, limits: &CarrierLimits, host: Arc<Host>) -> Self {
        let scope = |tier: &Tier| Arc::new(Scope::new(tier));
        let classes = limits.classes.iter();
        Self {
            carrier: carrier.to_owned(),
            slots: Slots::new(limits.max_concurrency),
            scope: scope(&limits.account),
            classes: classes
                .map(|(name, rate)| (name.clone(), scope(&(*rate).into())))
                .collect(),
            host,
            hints: Mutex::default(),
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Allows something else from now on. Pauses, pace and hints stay: they are the carrier's word.
    pub(super) fn change(&self, limits: &CarrierLimits) {
        self.slots.change(limits.max_concurrency);
        self.scope.change(&limits.account);
        for (name, class) in &self.classes {
            if let Some(rate) = limits.classes.get(name) {
                class.change(&(*rate).into());
            }
        }
    }

    pub(super) fn lanes(&self, tenant: &str) -> Lanes {
        let each = |scopes: &BTreeMap<String, Arc<Scope>>| {
            let lane = |(name, scope): (&String, _)| (name.clone(), Lane::of(tenant, scope));
            scopes.iter().map(lane).collect()
        };
        Lanes {
            account: Lane::of(tenant, &self.scope),
            classes: each(&self.classes),
            host: Lane::of(tenant, &self.host.scope),
            host_classes: each(&self.host.classes),
        }
    }

    /// Waits for the right to make one call to `endpoint`.
    pub(super) async fn acquire(
        &self,
        lanes: &Lanes,
        endpoint: Endpoint<'_>,
        patience: Duration,
    ) -> Result<Permit<'_>, Paused> {
        let _waiting = Counted::one_more(&self.waiting);
        let in_class = lanes.classes.get(endpoint.class);
        let in_host_class = lanes.host_classes.get(endpoint.class);
        loop {
            self.wait_out_pause(endpoint, patience).await?;
            let permits = self.permits(endpoint.class);
            let class = head(in_class, permits.account, patience).await?;
            let price = (permits.account, class.is_some());
            let (account, slot) = self.head(&lanes.account, price, patience).await?;
            let host_class = head(in_host_class, permits.host_class, patience).await?;
            let host = lanes.host.head((1, host_class.is_some()), patience).await?;
            // A call of this account may have been throttled while this one waited for its turns.
            if let Some(sent) = self.leaves_at(endpoint, permits) {
                let classes = class.into_iter().chain(host_class);
                classes.chain([account, host]).for_each(Head::pass);
                return Ok(Permit {
                    _slot: slot,
                    _in_flight: Counted::one_more(&self.in_flight),
                    sent,
                });
            }
        }
    }

    /// Waits to be the next call of the account that may leave.
    async fn head<'a: 'd, 'd>(
        &'a self,
        lane: &'d Lane,
        (permits, holds_another): (u32, bool),
        patience: Duration,
    ) -> Result<(Head<'d, LineTurn<'d>>, Slot<'a>), Paused> {
        let turn = lane.turn(holds_another).await;
        let slot = self.slots.take().await;
        let head = lane.opens(turn, permits, patience).await?;
        Ok((head, slot))
    }

    async fn wait_out_pause(
        &self,
        endpoint: Endpoint<'_>,
        patience: Duration,
    ) -> Result<(), Paused> {
        while let Some(paused) = self.paused(endpoint) {
            if paused.left > patience {
                return Err(paused);
            }
            tokio::time::sleep(paused.left).await;
        }
        Ok(())
    }

    /// What holds a call to `endpoint` back the longest.
    fn paused(&self, endpoint: Endpoint<'_>) -> Option<Paused> {
        let now = now();
        let told = |left| Paused {
            left,
            by: PausedBy::Carrier,
        };
        let class = self.host.classes.get(endpoint.class);
        let class = class.and_then(|class| class.pause_left(now));
        let used_up = self.hints().pause_left(endpoint.path, now);
        let used_up = used_up.map(|left| Paused {
            left,
            by: PausedBy::OwnLimit,
        });
        let told = self.scope.pause_left(now).max(class).map(told);
        told.into_iter()
            .chain(used_up)
            .max_by_key(|paused| paused.left)
    }

    fn permits(&self, class: &str) -> Permits {
        let host_class = self.host.classes.get(class);
        Permits {
            account: self.scope.permits_per_call(),
            host_class: host_class.map_or(1, |class| class.permits_per_call()),
        }
    }

    /// Now, unless a call must wait or pay more than it thought.
    fn leaves_at(&self, endpoint: Endpoint<'_>, permits: Permits) -> Option<Instant> {
        let (now, mut hints) = (now(), self.hints());
        let host_class = self.host.classes.get(endpoint.class);
        let may = hints.pause_left(endpoint.path, now).is_none()
            && self.scope.lets(permits.account, now)
            && host_class.is_none_or(|class| class.lets(permits.host_class, now));
        may.then(|| {
            hints.leaves(endpoint.path, now);
            now
        })
    }

    /// How long the account must still be silent.
    #[must_use]
    pub fn pause_left(&self) -> Option<Duration> {
        self.scope.pause_left(now())
    }

    /// The carrier said "too fast" to a call sent at `sent`: every call of the account waits, and where the
    /// host limits the class for all accounts, every call of that class.
    pub fn throttled(&self, class: &str, sent: Instant, pause: Duration) {
        for scope in self.throttled_by(class) {
            scope.throttle().throttled(sent, now(), pause);
        }
    }

    /// The same where the carrier did not say how long; tells what was made of it.
    pub fn throttled_unnamed(&self, class: &str, sent: Instant, unnamed: UnnamedPause) -> Duration {
        let before = |scope: &Scope| scope.throttle().throttlings_before(sent);
        let before = self.throttled_by(class).map(before).max().unwrap_or(0);
        let pause = unnamed.length(before, rand::random());
        self.throttled(class, sent, pause);
        pause
    }

    /// The carrier answered a call of `class` that was sent at `sent`: what was slowed grows back.
    pub fn answered(&self, class: &str, sent: Instant) {
        for scope in self.throttled_by(class) {
            scope.throttle().answered(sent);
        }
    }

    fn throttled_by<'a>(&'a self, class: &str) -> impl Iterator<Item = &'a Scope> + use<'a> {
        let host_class = self.host.classes.get(class);
        [Some(&self.scope), host_class]
            .into_iter()
            .flatten()
            .map(Arc::as_ref)
    }

    /// The carrier said what is left, in an answer of `path`. Calls that still have a permit may not have been
    /// counted by it and are taken off; so is the one that was answered, where it still has its own: careful
    /// by one.
    pub fn learn(&self, path: &str, hint: LimitHint) {
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        let in_flight = u64::try_from(in_flight).unwrap_or(u64::MAX);
        self.hints().learn(path, hint, in_flight, now());
    }

    /// Leaves nothing of the burst and of the windows. For an account that another process has called
    /// until now: that one may have made these calls already, and the carrier counts both.
    pub fn forgo_burst(&self) {
        self.scope.drain();
        self.classes.values().for_each(|class| class.drain());
    }

    /// How the account stands; cheap.
    #[must_use]
    pub fn snapshot(&self) -> LimiterSnapshot {
        LimiterSnapshot {
            requests_per_second: self.scope.rate().requests_per_second,
            paused_for: self.pause_left().max(self.hints().longest_pause(now())),
            permits_per_call: self.scope.permits_per_call(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    fn hints(&self) -> MutexGuard<'_, AccountHints> {
        unpoisoned(&self.hints)
    }
}

impl Forgettable for AccountLimiter {
    fn is_forgettable(&self) -> bool {
        self.scope.is_forgettable()
            && self.classes.values().all(|class| class.is_forgettable())
            && self.hints().are_over(now())
    }
}

/// What a call must take, where its account or its class at the host has been slowed.
#[derive(Debug, Clone, Copy)]
struct Permits {
    account: u32,
    host_class: u32,
}

/// Waits to be the next call in `lane`, where the class has one.
async fn head(
    lane: Option<&Lane>,
    permits: u32,
    patience: Duration,
) -> Result<Option<Head<'_, LineTurn<'_>>>, Paused> {
    match lane {
        Some(lane) => lane.head((permits, false), patience).await.map(Some),
        None => Ok(None),
    }
}

/// Every change under these locks leaves the state whole, so a panic elsewhere cannot have broken it.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of those that are counted, until it is dropped.
#[derive(Debug)]
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn one_more(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
