//! Tokens that were sold, until they end or are revoked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tokens in force, by their text: whose, and until when.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    sold: Mutex<HashMap<String, (usize, Instant)>>,
}

impl Tokens {
    /// Puts a token of `account` in force.
    pub(super) fn sell(&self, token: String, account: usize, lifetime: Duration) {
        self.sold()
            .insert(token, (account, Instant::now() + lifetime));
    }

    /// Whose token it is; `None` when it is unknown, ended or revoked.
    pub(super) fn account(&self, token: &str) -> Option<usize> {
        let (account, until) = *self.sold().get(token)?;
        (Instant::now() < until).then_some(account)
    }

    /// Ends every token now.
    pub(super) fn revoke(&self) {
        self.sold().clear();
    }

    fn sold(&self) -> MutexGuard<'_, HashMap<String, (usize, Instant)>> {
        self.sold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
