//! What one sync spends: calls, purchases of tokens, time spent waiting for permits. Makes no call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::allowance::{Allowance, Unit, Units};
use super::error::CallError;

/// Counts what one sync spends, and stops it at its budget.
#[derive(Debug)]
pub struct CallMeter {
    budget: u64,
    /// Where every call is booked before; `None`: the account has no budget over many syncs.
    units: Option<Units>,
    calls: AtomicU64,
    token_calls: AtomicU64,
    /// Why there is no token, once there is none.
    tokenless: OnceLock<CallError>,
    answers: AtomicU64,
    waited_ms: AtomicU64,
}

impl CallMeter {
    /// A meter that allows `budget` attempts.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        Self {
            budget,
            units: None,
            calls: AtomicU64::new(0),
            token_calls: AtomicU64::new(0),
            tokenless: OnceLock::new(),
            answers: AtomicU64::new(0),
            waited_ms: AtomicU64::new(0),
        }
    }

    /// The same, with every call booked at `allowance` before it is made, purchases of tokens included.
    #[must_use]
    pub fn booking(self, allowance: Arc<dyn Allowance>) -> Self {
        Self {
            units: Some(Units::of(allowance)),
            ..self
        }
    }

    /// Whether a call may be made at all; books the first ones.
    ///
    /// # Errors
    /// As [`Allowance::book_beyond`].
    pub async fn open(&self) -> Result<(), CallError> {
        self.unit().await.map(drop)
    }

    /// All that counts against a budget of days and months.
    #[must_use]
    pub fn booked_calls(&self) -> u64 {
        self.calls() + self.token_calls()
    }

    /// Attempts made so far, retries included; those to buy a token are counted apart.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Attempts to buy a token.
    #[must_use]
    pub fn token_calls(&self) -> u64 {
        self.token_calls.load(Ordering::Relaxed)
    }

    /// Whether the carrier has answered at all: its address and our credentials work.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answers.load(Ordering::Relaxed) > 0
    }

    /// Time spent waiting for permits, of all calls together.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms.load(Ordering::Relaxed))
    }

    pub(super) fn was_answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// The right to one call; taken before its permit, and used when it leaves.
    pub(super) async fn unit(&self) -> Result<Unit<'_>, CallError> {
        match &self.units {
            Some(units) => units.take().await,
            None => Ok(Unit::free()),
        }
    }

    pub(super) fn spend(&self) -> Result<(), CallError> {
        let spent = self
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| {
                (calls < self.budget).then_some(calls + 1)
            });
        spent.map(drop).map_err(|_| CallError::BudgetSpent {
            budget: self.budget,
        })
    }

    pub(super) fn counts_token_call(&self) {
        self.token_calls.fetch_add(1, Ordering::Relaxed);
    }

    /// There is no token to be had: everyone of this sync is told so, and nobody asks again.
    pub(super) fn has_no_token(&self, error: &CallError) {
        let _ = self.tokenless.set(error.clone());
    }

    pub(super) fn expects_a_token(&self) -> Result<(), CallError> {
        self.tokenless
            .get()
            .map_or(Ok(()), |error| Err(error.clone()))
    }

    pub(super) fn has_waited(&self, waited: Duration) {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_add(waited_ms, Ordering::Relaxed);
    }
}
