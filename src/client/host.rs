//! One host: what our address as a whole does to it, in fair parts for the tenants that call it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::gate::{Gate, Head, Price, Tier};
use super::limiter::Paused;
use super::line::{Door, Doors, Line, LineTurn};

/// What all accounts at one host share.
#[derive(Debug)]
pub(super) struct Host {
    gate: Gate,
    line: Line,
    pub(super) doors: Doors,
    /// Processes that call from this address; what the host allows is for all of them.
    processes: Arc<AtomicU32>,
}

impl Host {
    /// A host that is first met now.
    pub(super) fn new(tier: &Tier, processes: Arc<AtomicU32>) -> Self {
        let gate = Gate::new(&tier.evened_out());
        // The burst is one for all: others may have just used it.
        if processes.load(Ordering::Relaxed) > 1 {
            gate.drain();
        }
        Self {
            gate,
            line: Line::default(),
            doors: Doors::default(),
            processes,
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
        let price = Price {
            permits: 1,
            processes: self.processes.load(Ordering::Relaxed),
        };
        self.gate.opens(price, patience, turn).await
    }
}
