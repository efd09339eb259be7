//! What one scope allows (a host, an account, a class of endpoints): a rate, and windows beside it. A call
//! passes when all of them let it. Knows no account and no host.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::limiter::{Paused, PausedBy};
use super::monotonic::now;
use super::rate::{Rate, RateLimit};
use super::window::{SlidingWindow, Window};

/// The runtime's timer counts in these: no sleep is shorter.
const TIMER_STEP: Duration = Duration::from_millis(1);

/// What nobody has passed for this long, at least, may be forgotten.
const LEAST_REST: Duration = Duration::from_secs(600);

/// What a scope allows, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Tier {
    /// The steady rate.
    pub rate: RateLimit,
    /// What must hold beside it, all at once.
    pub windows: Vec<Window>,
}

impl From<RateLimit> for Tier {
    fn from(rate: RateLimit) -> Self {
        Self {
            rate,
            windows: Vec::new(),
        }
    }
}

/// Part of a window that may be used at once where it is evened out.
const BURST_DIVISOR: u32 = 10;

impl Tier {
    /// The same windows, and no rate faster than they last: used up by whoever is fastest, a window would
    /// leave the others nothing.
    pub(super) fn evened_out(&self) -> Self {
        let mut even = self.clone();
        for Window { calls, per } in &self.windows {
            let lasting = f64::from(calls.get()) / per.as_secs_f64();
            let rate = &mut even.rate;
            rate.requests_per_second = rate.requests_per_second.min(lasting);
            let at_once = NonZeroU32::new(calls.get() / BURST_DIVISOR).unwrap_or(NonZeroU32::MIN);
            rate.burst = rate.burst.min(at_once);
        }
        even
    }

    /// After a rest this long everything is allowed again.
    fn rest(&self) -> Duration {
        let windows = self.windows.iter().map(|window| window.per * 2);
        windows.fold(self.rate.refill().max(LEAST_REST), Duration::max)
    }
}

/// What a call costs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Price {
    /// More than one for an account that has been slowed.
    pub(super) permits: u32,
    /// Processes that share the scope.
    pub(super) processes: u32,
}

impl Price {
    /// At the rate; a window is divided instead.
    fn in_all(self) -> u32 {
        self.permits.saturating_mul(self.processes)
    }
}

/// One scope. Waiting and taking are apart, so that a call that passes several takes from none before
/// all are open; in between it holds the turn, and nobody else takes.
#[derive(Debug)]
pub(super) struct Gate {
    counts: Mutex<Counts>,
    /// Wakes who waits: with another limit the wait is another.
    changed: Notify,
}

#[derive(Debug)]
struct Counts {
    rate: Rate,
    windows: Vec<SlidingWindow>,
    last_taken: Option<Instant>,
    /// After this everything is allowed again.
    rest: Duration,
}

impl Gate {
    pub(super) fn new(tier: &Tier) -> Self {
        let windows = tier.windows.iter().copied().map(SlidingWindow::new);
        Self {
            counts: Mutex::new(Counts {
                rate: Rate::new(tier.rate),
                windows: windows.collect(),
                last_taken: None,
                rest: tier.rest(),
            }),
            changed: Notify::new(),
        }
    }

    /// Allows something else from now on. What has been used stays used, and nothing is there at once that
    /// was not there before.
    pub(super) fn change(&self, tier: &Tier) {
        {
            let mut counts = self.counts();
            counts.rate.change(tier.rate);
            counts.windows = SlidingWindow::changed(&counts.windows, &tier.windows);
            // What was used under the old limit must not be forgotten sooner than by it.
            counts.rest = counts.rest.max(tier.rest());
        }
        self.changed.notify_waiters();
    }

    /// The rate as it is configured now.
    pub(super) fn rate(&self) -> RateLimit {
        self.counts().rate.limit()
    }

    /// Waits until a call that has the turn may pass; takes nothing.
    ///
    /// # Errors
    /// [`Paused`] where a window is used up for longer than `patience`.
    pub(super) async fn opens<Turn>(
        &self,
        price: Price,
        patience: Duration,
        turn: Turn,
    ) -> Result<Head<'_, Turn>, Paused> {
        let mut looked_at = None;
        loop {
            let changed = self.changed.notified();
            let (rate, window) = self.waits(price);
            if window > patience {
                return Err(Paused {
                    left: window,
                    by: PausedBy::OwnLimit,
                });
            }
            let wait = rate.max(window);
            if wait.is_zero() {
                return Ok(Head {
                    gate: self,
                    price,
                    _turn: turn,
                });
            }
            // Slept away, a rate of thousands per second would become one of hundreds. Where time
            // stands still until everyone sleeps, looking again is in vain.
            let moves = looked_at.replace(now()) != Some(now());
            if wait < TIMER_STEP && moves {
                tokio::task::yield_now().await;
            } else {
                let _ = tokio::time::timeout(wait, changed).await;
            }
        }
    }

    /// A call passes.
    pub(super) fn take(&self, price: Price) {
        let (now, mut counts) = (now(), self.counts());
        counts.rate.take(price.in_all());
        for window in &mut counts.windows {
            window.take(price.permits, now);
        }
        counts.last_taken = Some(now);
    }

    /// Leaves nothing of a burst, and nothing of a window.
    pub(super) fn drain(&self) {
        let (now, mut counts) = (now(), self.counts());
        counts.rate.drain();
        for window in &mut counts.windows {
            window.drain(now);
        }
        counts.last_taken = Some(now);
    }

    /// Whether everything is allowed again, and has been for a while.
    pub(super) fn is_rested(&self) -> bool {
        let counts = self.counts();
        let rested = |last| now().saturating_duration_since(last) >= counts.rest;
        counts.last_taken.is_none_or(rested)
    }

    /// For the rate, and for the windows.
    fn waits(&self, price: Price) -> (Duration, Duration) {
        let (now, mut counts) = (now(), self.counts());
        let rate = counts.rate.wait(price.in_all());
        let windows = counts.windows.iter_mut().map(|window| {
            window.share_among(price.processes, now);
            window.wait(price.permits, now)
        });
        (rate, windows.fold(Duration::ZERO, Duration::max))
    }

    /// Every change under this lock leaves the counts whole.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that stands before an open gate and holds the turn there. Dropped, it has taken nothing.
#[derive(Debug)]
pub(super) struct Head<'a, Turn> {
    gate: &'a Gate,
    price: Price,
    _turn: Turn,
}

impl<Turn> Head<'_, Turn> {
    /// The call leaves.
    pub(super) fn pass(self) {
        self.gate.take(self.price);
    }
}
