//! The limiters of a process's accounts, and which of them may be forgotten. Knows no credentials, only
//! their hash.

use std::collections::HashMap;
use std::sync::Arc;

use super::limiter::AccountLimiter;

/// Accounts that are kept without looking which of them may be forgotten.
const FEW_ACCOUNTS: usize = 64;

/// Limiters of accounts, by the hash of their credentials.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    limiters: HashMap<u64, Arc<AccountLimiter>>,
    /// How many were left when it was last looked which may be forgotten.
    kept: usize,
}

impl Accounts {
    /// The limiter of these credentials.
    pub(super) fn find_or_add(
        &mut self,
        key: u64,
        new: impl FnOnce() -> AccountLimiter,
    ) -> Arc<AccountLimiter> {
        if let Some(known) = self.limiters.get(&key) {
            return Arc::clone(known);
        }
        self.forget_the_rested();
        let limiter = Arc::new(new());
        self.limiters.insert(key, Arc::clone(&limiter));
        limiter
    }

    /// Forgets what nobody uses and what a new limiter would not differ from; says whether it looked.
    /// That is only when there are twice as many as it left the last time, so that ten thousand starts
    /// do not look at ten thousand accounts each.
    fn forget_the_rested(&mut self) -> bool {
        if self.limiters.len() < FEW_ACCOUNTS.max(2 * self.kept) {
            return false;
        }
        self.limiters
            .retain(|_, limiter| Arc::strong_count(limiter) > 1 || !limiter.is_forgettable());
        self.kept = self.limiters.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU32;
    use std::sync::atomic::AtomicU32;

    use super::super::host::Host;
    use super::super::limits::CarrierLimits;
    use super::super::rate::RateLimit;
    use super::*;

    fn limiter() -> AccountLimiter {
        let limit = RateLimit {
            requests_per_second: 1.0,
            burst: NonZeroU32::MIN,
        };
        let limits = CarrierLimits {
            account: limit.into(),
            host: limit.into(),
            classes: BTreeMap::new(),
            host_classes: BTreeMap::new(),
            max_concurrency: 1,
        };
        let host = Host::new(&limits, Arc::new(AtomicU32::new(1)));
        AccountLimiter::new(&limits, Arc::new(host))
    }

    #[test]
    fn ten_thousand_accounts_are_looked_through_a_few_times_and_not_ten_thousand() {
        let (mut accounts, mut held, mut looks) = (Accounts::default(), Vec::new(), 0);
        for key in 0..10_000 {
            looks += u32::from(accounts.forget_the_rested());
            held.push(accounts.find_or_add(key, limiter));
        }
        assert!(looks <= 8, "{looks} looks");
        assert_eq!(accounts.limiters.len(), 10_000, "none that is used is lost");
    }

    #[test]
    fn accounts_that_nobody_uses_are_forgotten() {
        let mut accounts = Accounts::default();
        for key in 0..10_000 {
            drop(accounts.find_or_add(key, limiter));
        }
        let left = accounts.limiters.len();
        assert!(left <= FEW_ACCOUNTS, "{left} are left");
    }
}
