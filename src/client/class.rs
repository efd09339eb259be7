//! One class of endpoints of an account, with a rate of its own beside the account's. Its calls go first
//! come, first served, and keep no call of another class waiting.

use std::time::Duration;

use tokio::sync::MutexGuard;

use super::gate::{Gate, Head, Price, Tier};
use super::limiter::Paused;

/// A class of endpoints.
#[derive(Debug)]
pub(super) struct Class {
    gate: Gate,
    turn: tokio::sync::Mutex<()>,
}

impl Class {
    pub(super) fn new(tier: &Tier) -> Self {
        Self {
            gate: Gate::new(tier),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Waits to be the next call of the class that may leave.
    ///
    /// # Errors
    /// [`Paused`] as [`Gate::opens`].
    pub(super) async fn head(
        &self,
        price: Price,
        patience: Duration,
    ) -> Result<Head<'_, MutexGuard<'_, ()>>, Paused> {
        let turn = self.turn.lock().await;
        self.gate.opens(price, patience, turn).await
    }

    /// Leaves nothing of a burst.
    pub(super) fn drain(&self) {
        self.gate.drain();
    }
}
