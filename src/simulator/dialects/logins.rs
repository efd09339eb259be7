//! emnify's lock of the login after failures (docs.emnify.com/developers/api-guidelines/rate-limits). Of whom it
//! keeps count is not published; by the harsher reading it is the address, so that one wrong token locks out all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many failures in a row lock.
const FAILURES: usize = 3;
/// For so long.
pub(super) const LOCKED: Duration = Duration::from_secs(300);

/// The failures of late.
#[derive(Debug, Default)]
pub(super) struct Logins {
    failed: Mutex<Vec<Instant>>,
}

impl Logins {
    /// Whether no login is looked at.
    pub(super) fn is_locked(&self, now: Instant) -> bool {
        let mut failed = self.failed();
        failed.retain(|at| now.saturating_duration_since(*at) < LOCKED);
        failed.len() >= FAILURES
    }

    /// One was refused.
    pub(super) fn fail(&self, now: Instant) {
        self.failed().push(now);
    }

    /// One was accepted: failures count in a row.
    pub(super) fn succeed(&self) {
        self.failed().clear();
    }

    fn failed(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_lock_for_five_minutes() {
        let (logins, start) = (Logins::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        logins.fail(at(0));
        logins.fail(at(0));
        logins.succeed();
        logins.fail(at(1));
        logins.fail(at(2));
        assert!(!logins.is_locked(at(2)));
        logins.fail(at(3));
        assert!(logins.is_locked(at(3)) && logins.is_locked(at(300)));
        assert!(!logins.is_locked(at(301)), "the first is forgotten");
    }
}
