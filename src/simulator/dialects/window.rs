//! Exact limits: at most so many calls in any interval of a length, measured as they arrive.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::config::Limit;

/// Which limit, and whose calls it counts; `None` where it counts all accounts together.
type Scope = (usize, Option<usize>);

/// All limits of one carrier.
#[derive(Debug)]
pub(super) struct Windows {
    limits: Vec<Limit>,
    windows: Mutex<HashMap<Scope, Window>>,
}

impl Windows {
    pub(super) fn new(limits: Vec<Limit>) -> Self {
        Self {
            limits,
            windows: Mutex::default(),
        }
    }

    /// Whether a call that arrives now is within every limit. One that is not costs none of them anything, and
    /// one of no account is counted by shared limits only.
    pub(super) fn admit(&self, account: Option<usize>, endpoint: &str, now: Instant) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |limit: &Limit| {
            let is_meant = limit.only_endpoint.is_none_or(|only| only == endpoint);
            is_meant && (limit.is_shared || account.is_some())
        };
        let scopes: Vec<(Scope, Limit)> = self
            .limits
            .iter()
            .enumerate()
            .filter(|(_, limit)| counts(limit))
            .map(|(number, limit)| {
                let whose = account.filter(|_| !limit.is_shared);
                ((number, whose), *limit)
            })
            .collect();
        let is_within = scopes
            .iter()
            .all(|(scope, limit)| windows.entry(*scope).or_default().has_room(limit, now));
        if is_within {
            for (scope, _) in scopes {
                windows.entry(scope).or_default().admitted.push_back(now);
            }
        }
        is_within
    }
}

/// Arrivals that a limit has admitted, the oldest first.
#[derive(Debug, Default)]
struct Window {
    admitted: VecDeque<Instant>,
}

impl Window {
    fn has_room(&mut self, limit: &Limit, now: Instant) -> bool {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= limit.per;
        while self.admitted.front().is_some_and(is_old) {
            self.admitted.pop_front();
        }
        self.admitted.len() < limit.calls
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Which of these calls, as account, endpoint and milliseconds, are admitted.
    fn admitted(limits: &[Limit], calls: &[(usize, &str, u64)]) -> Vec<bool> {
        let (windows, start) = (Windows::new(limits.to_vec()), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        calls
            .iter()
            .map(|(account, endpoint, ms)| windows.admit(Some(*account), endpoint, at(*ms)))
            .collect()
    }

    const TWO: Limit = Limit::of(2, Duration::from_millis(100));

    #[test]
    fn no_interval_of_the_length_holds_more() {
        let calls = [0, 50, 99, 100, 101, 150].map(|ms| (0, "a", ms));
        assert_eq!(
            admitted(&[TWO], &calls),
            [true, true, false, true, false, true]
        );
    }

    #[test]
    fn accounts_have_limits_of_their_own_unless_the_limit_is_shared() {
        let calls = [(0, "a", 0), (0, "a", 1), (1, "a", 2), (0, "a", 3)];
        assert_eq!(admitted(&[TWO], &calls), [true, true, true, false]);
        assert_eq!(
            admitted(&[TWO.shared()], &calls),
            [true, true, false, false]
        );
    }

    #[test]
    fn a_call_of_no_account_is_counted_by_shared_limits_only() {
        let now = Instant::now();
        for (limit, is_third_admitted) in [(TWO, true), (TWO.shared(), false)] {
            let windows = Windows::new(vec![limit]);
            let admitted = [None, None, Some(0)].map(|account| windows.admit(account, "a", now));
            assert_eq!(admitted, [true, true, is_third_admitted]);
        }
    }

    #[test]
    fn a_limit_of_one_endpoint_counts_no_other() {
        let limit = Limit {
            only_endpoint: Some("a"),
            ..TWO
        };
        let calls = [
            (0, "a", 0),
            (0, "b", 1),
            (0, "a", 2),
            (0, "a", 3),
            (0, "b", 4),
        ];
        assert_eq!(admitted(&[limit], &calls), [true, true, true, false, true]);
    }

    #[test]
    fn a_call_that_one_limit_refuses_costs_the_others_nothing() {
        let narrow = Limit {
            only_endpoint: Some("a"),
            ..Limit::of(1, Duration::from_millis(100))
        };
        let calls = [(0, "a", 0), (0, "a", 1), (0, "b", 2), (0, "b", 3)];
        assert_eq!(admitted(&[TWO, narrow], &calls), [true, false, true, false]);
    }
}
