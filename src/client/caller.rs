//! An account as one tenant calls it: its limiter, and the tenant's place among those who share it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::limiter::{AccountLimiter, Endpoint, Lanes, Paused, Permit};

/// What a client needs to ask for permits. Integrations of one tenant go through the same lanes.
#[derive(Debug, Clone)]
pub struct Caller {
    limiter: Arc<AccountLimiter>,
    lanes: Lanes,
}

impl Caller {
    pub(super) fn new(limiter: Arc<AccountLimiter>, tenant: &str) -> Self {
        Self {
            lanes: limiter.lanes(tenant),
            limiter,
        }
    }

    /// Waits for the right to make one call to `endpoint`.
    ///
    /// # Errors
    /// [`Paused`] when no call may leave for longer than `patience`: the account pauses, what the
    /// carrier says is left is spent, or a window is used up.
    pub async fn acquire(
        &self,
        endpoint: Endpoint<'_>,
        patience: Duration,
    ) -> Result<Permit<'_>, Paused> {
        self.limiter.acquire(&self.lanes, endpoint, patience).await
    }

    /// Whether both call the same account.
    #[must_use]
    pub fn shares_account_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.limiter, &other.limiter)
    }
}

impl Deref for Caller {
    type Target = AccountLimiter;

    fn deref(&self) -> &AccountLimiter {
        &self.limiter
    }
}
