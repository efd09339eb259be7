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
//! held by calls in flight and by the next one only: no two calls wait for each other. Limiters outlive the actors that use them, so that a restarted integration
//! neither gets a fresh burst nor forgets a pause.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::class::Class;
use super::gate::{Gate, Head, Price, Tier};
use super::hint::{Hints, LimitHint};
use super::host::Host;
use super::limits::CarrierLimits;
use super::line::{Door, Doors, Line, LineTurn};
use super::monotonic::now;
use super::rate::RateLimit;
use super::throttle::{Throttle, UnnamedPause};

/// An account that has not called for this long, at least, may be forgotten.
const LEAST_REST: Duration = Duration::from_secs(600);

/// Permits of one account, shared by every integration that uses the same key.
#[derive(Debug)]
pub struct AccountLimiter {
    slots: Semaphore,
    gate: Gate,
    /// Tenants that share the account take turns.
    line: Line,
    pub(super) doors: Doors,
    classes: BTreeMap<String, Class>,
    pub(super) host: Arc<Host>,
    silence: Mutex<Silence>,
    /// A rested account is allowed everything again after this.
    rest: Duration,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
}

/// Why an account must be silent, and since when it is.
#[derive(Debug, Default)]
struct Silence {
    throttle: Throttle,
    hints: Hints,
    last_call: Option<Instant>,
}

/// The right to make one call; gives its slot back when dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    _slot: SemaphorePermit<'a>,
    _in_flight: Counted<'a>,
    /// When the call may be taken as sent.
    pub sent: Instant,
}

/// No call may leave for longer than the caller would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused {
    /// How long it still is.
    pub left: Duration,
}

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterSnapshot {
    /// How long it must still be silent.
    pub paused_for: Option<Duration>,
    /// 1 at full pace; more after throttlings.
    pub permits_per_call: u32,
    /// Calls that wait for a permit.
    pub waiting: usize,
}

impl AccountLimiter {
    pub(super) fn new(limits: &CarrierLimits, host: Arc<Host>) -> Self {
        let class = |(name, rate): (&String, &RateLimit)| {
            let tier = Tier::from(*rate);
            (name.clone(), tier.rest(), Class::new(&tier))
        };
        let classes: Vec<_> = limits.classes.iter().map(class).collect();
        let rests = classes.iter().map(|(_, rest, _)| *rest);
        let rest = rests.fold(limits.account.rest().max(LEAST_REST), Duration::max);
        Self {
            slots: Semaphore::new(limits.max_concurrency),
            gate: Gate::new(&limits.account),
            line: Line::default(),
            doors: Doors::default(),
            classes: classes
                .into_iter()
                .map(|(name, _, class)| (name, class))
                .collect(),
            host,
            silence: Mutex::default(),
            rest,
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Waits for the right to make one call to an endpoint of `class`.
    pub(super) async fn acquire(
        &self,
        (door, host_door): (&Door, &Door),
        class: &str,
        patience: Duration,
    ) -> Result<Permit<'_>, Paused> {
        let _waiting = Counted::one_more(&self.waiting);
        loop {
            self.wait_out_pause(patience).await?;
            let permits = self.silence().throttle.permits_per_call();
            let price = Price::own(permits);
            let own_class = match self.classes.get(class) {
                Some(class) => Some(class.head(price, patience).await?),
                None => None,
            };
            let (account, slot) = self.head(door, price, patience).await?;
            let host_class = self.host.class_head(class, patience).await?;
            let host = self.host.head(host_door, patience).await?;
            // A call of this account may have been throttled while this one waited for its turns.
            if let Some(sent) = self.leaves_at(permits) {
                for class in own_class.into_iter().chain(host_class) {
                    class.pass();
                }
                account.pass();
                host.pass();
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
        door: &'d Door,
        price: Price,
        patience: Duration,
    ) -> Result<(Head<'d, LineTurn<'d>>, SemaphorePermit<'a>), Paused> {
        let turn = self.line.turn(door).await;
        #[expect(
            clippy::expect_used,
            reason = "the semaphore is private and never closed"
        )]
        let slot = self.slots.acquire().await.expect("never closed");
        let head = self.gate.opens(price, patience, turn).await?;
        Ok((head, slot))
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

    /// Now, unless a call must wait or pay more than it thought.
    fn leaves_at(&self, permits: u32) -> Option<Instant> {
        let (now, mut silence) = (now(), self.silence());
        let may =
            silence.pause_left(now).is_none() && silence.throttle.permits_per_call() <= permits;
        may.then(|| {
            silence.hints.leaves(now);
            silence.last_call = Some(now);
            now
        })
    }

    /// How long the account must still be silent.
    #[must_use]
    pub fn pause_left(&self) -> Option<Duration> {
        self.silence().pause_left(now())
    }

    /// The carrier said "too fast" to a call sent at `sent`: every call of the account waits.
    pub fn throttled(&self, sent: Instant, pause: Duration) {
        self.silence().throttle.throttled(sent, now(), pause);
    }

    /// The same where the carrier did not say how long; tells what was made of it.
    pub fn throttled_unnamed(&self, sent: Instant, unnamed: UnnamedPause) -> Duration {
        let mut silence = self.silence();
        let pause = unnamed.length(silence.throttle.throttlings_before(sent), rand::random());
        silence.throttle.throttled(sent, now(), pause);
        pause
    }

    /// The carrier answered: a slowed account grows back.
    pub fn answered(&self) {
        self.silence().throttle.answered();
    }

    /// The carrier said what is left. Calls that still have a permit may not have been counted by it and are
    /// taken off; so is the one that was answered, where it still has its own: careful by one.
    pub fn learn(&self, hint: LimitHint) {
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        let in_flight = u64::try_from(in_flight).unwrap_or(u64::MAX);
        self.silence().hints.learn(hint, in_flight, now());
    }

    /// Leaves nothing of the burst and of the windows. For an account that another process has called
    /// until now: that one may have made these calls already, and the carrier counts both.
    pub fn forgo_burst(&self) {
        self.gate.drain();
        for class in self.classes.values() {
            class.drain();
        }
    }

    /// How the account stands; cheap.
    #[must_use]
    pub fn snapshot(&self) -> LimiterSnapshot {
        let silence = self.silence();
        LimiterSnapshot {
            paused_for: silence.pause_left(now()),
            permits_per_call: silence.throttle.permits_per_call(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Whether a new limiter would be no different: nothing that the carrier said holds, full pace, and
    /// long at rest.
    pub(super) fn is_forgettable(&self) -> bool {
        let (now, silence) = (now(), self.silence());
        let rested = silence
            .last_call
            .is_none_or(|last| now.saturating_duration_since(last) >= self.rest);
        rested
            && silence.throttle.is_at_full_pace()
            && silence.pause_left(now).is_none()
            && silence.hints.are_over(now)
    }

    /// Every change under this lock leaves the state whole, so a panic elsewhere cannot have broken it.
    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Silence {
    fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.throttle
            .pause_left(now)
            .max(self.hints.pause_left(now))
    }
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
