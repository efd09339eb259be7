//! One scope that calls pass: a host, an account, a class of endpoints of either. What it allows, which
//! tenant is next, and what the carrier's "too fast" has made of its pace. Knows no credentials and no HTTP.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::gate::{Gate, Head, Price, Tier};
use super::limiter::Paused;
use super::line::{Door, Doors, Line, LineTurn};
use super::monotonic::now;
use super::rate::RateLimit;
use super::throttle::Throttle;

/// A scope; shared by all who pass it.
#[derive(Debug)]
pub(super) struct Scope {
    gate: Gate,
    line: Line,
    doors: Doors,
    throttle: Mutex<Throttle>,
    /// Processes that share it.
    processes: Arc<AtomicU32>,
}

impl Scope {
    /// One that is this process's own.
    pub(super) fn new(tier: &Tier) -> Self {
        Self::shared_by(Arc::new(AtomicU32::new(1)), tier)
    }

    /// One that so many processes share. Where they are several, the others may have just used its burst.
    pub(super) fn shared_by(processes: Arc<AtomicU32>, tier: &Tier) -> Self {
        let gate = Gate::new(tier);
        if processes.load(Ordering::Relaxed) > 1 {
            gate.drain();
        }
        Self {
            gate,
            line: Line::default(),
            doors: Doors::default(),
            throttle: Mutex::default(),
            processes,
        }
    }

    /// Allows something else from now on; its pauses and its pace stay.
    pub(super) fn change(&self, tier: &Tier) {
        self.gate.change(tier);
    }

    /// The rate as it is configured now.
    pub(super) fn rate(&self) -> RateLimit {
        self.gate.rate()
    }

    /// Leaves nothing of a burst and of a window.
    pub(super) fn drain(&self) {
        self.gate.drain();
    }

    /// How its pace stands.
    ///
    /// Every change under this lock leaves the state whole, so a panic elsewhere cannot have broken it.
    pub(super) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Permits that a call must take.
    pub(super) fn permits_per_call(&self) -> u32 {
        self.throttle().permits_per_call()
    }

    /// How long it must still be silent.
    pub(super) fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.throttle().pause_left(now)
    }

    /// Whether a call that means to take so many `permits` may still leave: the scope may have been told
    /// "too fast" while the call waited elsewhere.
    pub(super) fn lets(&self, permits: u32, now: Instant) -> bool {
        let throttle = self.throttle();
        throttle.pause_left(now).is_none() && throttle.permits_per_call() <= permits
    }

    /// Whether a new one would be no different.
    pub(super) fn is_forgettable(&self) -> bool {
        self.gate.is_rested() && self.throttle().is_forgettable(now())
    }
}

/// One tenant's way through a scope; held for as long as the tenant may call, so that it keeps its place.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) scope: Arc<Scope>,
    door: Arc<Door>,
}

impl Lane {
    pub(super) fn of(tenant: &str, scope: &Arc<Scope>) -> Self {
        Self {
            door: scope.doors.of(tenant),
            scope: Arc::clone(scope),
        }
    }

    /// Waits to be the next call that may pass, for so many `permits`; `holds_another` as [`Line::turn`].
    ///
    /// # Errors
    /// [`Paused`] as [`Gate::opens`].
    pub(super) async fn head(
        &self,
        (permits, holds_another): (u32, bool),
        patience: Duration,
    ) -> Result<Head<'_, LineTurn<'_>>, Paused> {
        let turn = self.turn(holds_another).await;
        self.opens(turn, permits, patience).await
    }

    /// Waits for the tenant's turn.
    pub(super) async fn turn(&self, holds_another: bool) -> LineTurn<'_> {
        self.scope.line.turn(&self.door, holds_another).await
    }

    /// Waits until a call that has the turn may pass.
    ///
    /// # Errors
    /// [`Paused`] as [`Gate::opens`].
    pub(super) async fn opens<'a>(
        &'a self,
        turn: LineTurn<'a>,
        permits: u32,
        patience: Duration,
    ) -> Result<Head<'a, LineTurn<'a>>, Paused> {
        let processes = self.scope.processes.load(Ordering::Relaxed);
        let price = Price { permits, processes };
        self.scope.gate.opens(price, patience, turn).await
    }
}
