//! One host: what our address as a whole does to it, in fair parts for the tenants that call it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::MutexGuard;

use super::class::Class;
use super::gate::{Gate, Head, Price};
use super::limiter::Paused;
use super::limits::CarrierLimits;
use super::line::{Door, Doors, Line, LineTurn};
use super::rate::RateLimit;

/// What all accounts at one host share.
#[derive(Debug)]
pub(super) struct Host {
    gate: Gate,
    line: Line,
    pub(super) doors: Doors,
    /// Classes of endpoints that the host limits for our address, whoever calls.
    classes: BTreeMap<String, Class>,
    /// Processes that call from this address; what the host allows is for all of them.
    processes: Arc<AtomicU32>,
}

impl Host {
    /// A host that is first met now.
    pub(super) fn new(limits: &CarrierLimits, processes: Arc<AtomicU32>) -> Self {
        let gate = Gate::new(&limits.host.evened_out());
        let class =
            |(name, rate): (&String, &RateLimit)| (name.clone(), Class::new(&(*rate).into()));
        let classes: BTreeMap<_, _> = limits.host_classes.iter().map(class).collect();
        // The burst is one for all: others may have just used it.
        if processes.load(Ordering::Relaxed) > 1 {
            gate.drain();
            classes.values().for_each(Class::drain);
        }
        Self {
            gate,
            line: Line::default(),
            doors: Doors::default(),
            classes,
            processes,
        }
    }

    /// Waits until a call of `class` is next among all of its class; `None` where the class has no limit here.
    ///
    /// # Errors
    /// [`Paused`] as [`Gate::opens`].
    pub(super) async fn class_head(
        &self,
        class: &str,
        patience: Duration,
    ) -> Result<Option<Head<'_, MutexGuard<'_, ()>>>, Paused> {
        match self.classes.get(class) {
            Some(class) => class.head(self.price(), patience).await.map(Some),
            None => Ok(None),
        }
    }

    fn price(&self) -> Price {
        Price {
            permits: 1,
            processes: self.processes.load(Ordering::Relaxed),
        }
    }

    /// Waits until a call from behind `door` is next and the host lets it.
    ///
    /// # Errors
    /// [`Paused`] where a window of the host is used up for longer than `patience`.
    pub(super) async fn head<'a>(
        &'a self,
        door: &'a Door,
        patience: Duration,
    ) -> Result<Head<'a, LineTurn<'a>>, Paused> {
        let turn = self.line.turn(door).await;
        self.gate.opens(self.price(), patience, turn).await
    }
}
