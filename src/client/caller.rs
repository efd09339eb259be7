//! An account as one tenant calls it: its limiter, and the tenant's place among those who share it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::limiter::{AccountLimiter, Paused, Permit};
use super::line::Door;

/// What a client needs to ask for permits. Integrations of one tenant go through the same doors.
#[derive(Debug, Clone)]
pub struct Caller {
    limiter: Arc<AccountLimiter>,
    door: Arc<Door>,
    host_door: Arc<Door>,
}

impl Caller {
    pub(super) fn new(limiter: Arc<AccountLimiter>, tenant: &str) -> Self {
        Self {
            door: limiter.doors.of(tenant),
            host_door: limiter.host.doors.of(tenant),
            limiter,
        }
    }

    /// Waits for the right to make one call to an endpoint of `class`; a class without a limit of its
    /// own may have any name.
    ///
    /// # Errors
    /// [`Paused`] when no call may leave for longer than `patience`: the account pauses, what the
    /// carrier says is left is spent, or a window is used up.
    pub async fn acquire(&self, class: &str, patience: Duration) -> Result<Permit<'_>, Paused> {
        let doors = (&*self.door, &*self.host_door);
        self.limiter.acquire(doors, class, patience).await
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
