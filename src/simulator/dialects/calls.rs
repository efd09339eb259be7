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
    /// Under way, by account.
    open: BTreeMap<Option<usize>, usize>,
    peak: usize,
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
    /// A call of `account` has come; answers how many of it are under way, this one included.
    pub(super) fn begin(&self, account: Option<usize>) -> usize {
        let mut kept = self.kept();
        let open = kept.open.entry(account).or_default();
        *open += 1;
        let open = *open;
        kept.peak = kept.peak.max(open);
        open
    }

    /// It was answered, or its caller has hung up (status 0).
    pub(super) fn end(&self, account: Option<usize>, endpoint: String, status: u16, at: Instant) {
        let mut kept = self.kept();
        if let Some(open) = kept.open.get_mut(&account) {
            *open = open.saturating_sub(1);
        }
        kept.arrivals.push(Arrival {
            endpoint,
            account,
            status,
            at,
        });
    }

    pub(super) fn reset(&self) {
        let mut kept = self.kept();
        kept.arrivals.clear();
        kept.peak = 0;
    }

    pub(super) fn snapshot(&self, only: Option<usize>) -> DialectCalls {
        let kept = self.kept();
        let mut calls = DialectCalls {
            peak_concurrency: kept.peak,
            ..DialectCalls::default()
        };
        let arrivals = kept.arrivals.iter();
        let mut times = Vec::new();
        for arrival in arrivals.filter(|arrival| only.is_none() || arrival.account == only) {
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
