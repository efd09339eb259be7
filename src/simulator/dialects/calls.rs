//! What was asked: the witness of limits and budgets.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One call.
#[derive(Debug)]
struct Arrival {
    endpoint: String,
    account: Option<usize>,
    status: u16,
    at: Instant,
}

/// Calls since the start or the last reset.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    arrivals: Vec<Arrival>,
    /// Under way, by account. A reset does not end calls.
    open: BTreeMap<Option<usize>, usize>,
    /// The most under way at once since the reset, by account.
    peaks: BTreeMap<Option<usize>, usize>,
    /// Tells calls that came before a reset from those after it.
    resets: usize,
}

/// A call that has come and is not answered yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    /// Calls of its account under way, this one included.
    pub(super) open: usize,
    account: Option<usize>,
    resets: usize,
    at: Instant,
}

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialectCalls {
    /// By endpoint, `{id}` in the place of names; token calls are `oauth/token` and `api/v1/authenticate`.
    pub by_endpoint: BTreeMap<String, usize>,
    /// By status of the answer.
    pub by_status: BTreeMap<u16, usize>,
    /// Most calls of one account at once.
    pub peak_concurrency: usize,
    /// When each came, since the first.
    pub arrivals: Vec<Duration>,
}

impl DialectCalls {
    /// Calls that bought a token.
    #[must_use]
    pub fn token_calls(&self) -> usize {
        let is_token = |name: &str| name == "oauth/token" || name == "api/v1/authenticate";
        let calls = self.by_endpoint.iter();
        calls
            .filter(|(name, _)| is_token(name))
            .map(|(_, calls)| calls)
            .sum()
    }

    /// All other calls.
    #[must_use]
    pub fn data_calls(&self) -> usize {
        self.by_endpoint.values().sum::<usize>() - self.token_calls()
    }

    /// Answers that said "too fast" with a status.
    #[must_use]
    pub fn throttled(&self) -> usize {
        self.by_status.get(&429).copied().unwrap_or(0)
    }

    /// The most calls in any interval of this length.
    #[must_use]
    pub fn most_in(&self, per: Duration) -> usize {
        let mut most = 0;
        let mut first = 0;
        for (last, at) in self.arrivals.iter().enumerate() {
            while *at - self.arrivals[first] >= per {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }
}

impl CallLog {
    /// A call of `account` has come.
    pub(super) fn begin(&self, account: Option<usize>, at: Instant) -> Begun {
        let mut kept = self.kept();
        let open = kept.open.entry(account).or_default();
        *open += 1;
        let open = *open;
        let peak = kept.peaks.entry(account).or_default();
        *peak = open.max(*peak);
        Begun {
            open,
            account,
            resets: kept.resets,
            at,
        }
    }

    /// It was answered, or its caller has hung up (status 0). One from before a reset is not counted.
    pub(super) fn end(&self, call: Begun, endpoint: String, status: u16) {
        let mut kept = self.kept();
        if let Some(open) = kept.open.get_mut(&call.account) {
            *open = open.saturating_sub(1);
        }
        if call.resets == kept.resets {
            kept.arrivals.push(Arrival {
                endpoint,
                account: call.account,
                status,
                at: call.at,
            });
        }
    }

    pub(super) fn reset(&self) {
        let mut kept = self.kept();
        kept.arrivals.clear();
        kept.peaks.clear();
        kept.resets += 1;
    }

    pub(super) fn snapshot(&self, only: Option<usize>) -> DialectCalls {
        let kept = self.kept();
        let is_meant = |account: Option<usize>| only.is_none() || account == only;
        let peaks = kept.peaks.iter().filter(|(account, _)| is_meant(**account));
        let mut calls = DialectCalls {
            peak_concurrency: peaks.map(|(_, peak)| *peak).max().unwrap_or(0),
            ..DialectCalls::default()
        };
        let arrivals = kept.arrivals.iter();
        let mut times = Vec::new();
        for arrival in arrivals.filter(|arrival| is_meant(arrival.account)) {
            *calls
                .by_endpoint
                .entry(arrival.endpoint.clone())
                .or_default() += 1;
            *calls.by_status.entry(arrival.status).or_default() += 1;
            times.push(arrival.at);
        }
        times.sort_unstable();
        if let Some(first) = times.first().copied() {
            calls.arrivals = times.iter().map(|at| *at - first).collect();
        }
        calls
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "oauth/token";

    #[test]
    fn the_peak_of_an_account_is_its_own() {
        let (log, now) = (CallLog::default(), Instant::now());
        let [first, second] = [0, 0].map(|account| log.begin(Some(account), now));
        let other = log.begin(Some(1), now);
        assert_eq!((first.open, second.open, other.open), (1, 2, 1));
        let peaks = [None, Some(0), Some(1), Some(2)].map(|of| log.snapshot(of).peak_concurrency);
        assert_eq!(peaks, [2, 2, 1, 0]);
    }

    #[test]
    fn a_call_from_before_a_reset_is_under_way_but_not_counted() {
        let (log, now) = (CallLog::default(), Instant::now());
        let before = log.begin(Some(0), now);
        log.reset();
        assert_eq!(log.begin(Some(0), now).open, 2);
        log.end(before, "devices".to_owned(), 200);
        assert_eq!(log.snapshot(None).data_calls(), 0);
        assert_eq!(log.begin(Some(0), now).open, 2);
    }

    #[test]
    fn tokens_are_counted_apart_and_any_interval_is_looked_at() {
        let (log, start) = (CallLog::default(), Instant::now());
        let calls = [
            (TOKEN, None, 200, 0),
            ("v2/sims", Some(0), 200, 600),
            ("v2/sims", Some(0), 429, 1_500),
            ("v2/sims", Some(1), 200, 1_599),
        ];
        for (endpoint, account, status, ms) in calls {
            let begun = log.begin(account, start + Duration::from_millis(ms));
            log.end(begun, endpoint.to_owned(), status);
        }
        let all = log.snapshot(None);
        assert_eq!((all.token_calls(), all.data_calls()), (1, 3));
        assert_eq!(all.throttled(), 1);
        assert_eq!(
            [900, 1_000].map(|ms| all.most_in(Duration::from_millis(ms))),
            [2, 3]
        );
        assert_eq!(log.snapshot(Some(0)).data_calls(), 2);
    }
}
