//! What was asked: the witness of limits and budgets. Counts are kept for ever, times of the latest calls only:
//! a simulator that runs for weeks must not grow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most calls whose times are kept.
const MOST_ARRIVALS: usize = 100_000;
/// Most endpoints by name: whoever asks decides what a path says.
const MOST_ENDPOINTS: usize = 64;
/// All further ones together.
const ELSEWHERE: &str = "elsewhere";

/// One call.
#[derive(Debug)]
struct Arrival {
    account: Option<usize>,
    at: Instant,
    is_too_fast: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended {
    pub(super) endpoint: String,
    /// 0: the caller has hung up.
    pub(super) status: u16,
    /// Refused by a limit, with whatever status.
    pub(super) is_too_fast: bool,
}

/// Calls of one account.
#[derive(Debug, Default)]
struct Counts {
    by_endpoint: BTreeMap<String, usize>,
    by_status: BTreeMap<u16, usize>,
    refusals: usize,
}

impl Counts {
    fn count(&mut self, ended: Ended) {
        let is_known = self.by_endpoint.contains_key(&ended.endpoint);
        let is_named = is_known || self.by_endpoint.len() < MOST_ENDPOINTS;
        let name = match is_named {
            true => ended.endpoint,
            false => ELSEWHERE.to_owned(),
        };
        *self.by_endpoint.entry(name).or_default() += 1;
        *self.by_status.entry(ended.status).or_default() += 1;
        self.refusals += usize::from(ended.is_too_fast);
    }
}

/// Calls since the start or the last reset.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    counts: BTreeMap<Option<usize>, Counts>,
    /// Of the calls that have ended last.
    arrivals: VecDeque<Arrival>,
    dropped: usize,
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
    /// Calls that a limit refused, in the carrier's words and with whatever status.
    pub refusals: usize,
    /// When each came, since the first; the latest 100,000 of all accounts.
    pub arrivals: Vec<Duration>,
    /// When those came that were refused, on the same clock.
    pub refused_at: Vec<Duration>,
    /// Older calls, of all accounts, whose times are forgotten.
    pub arrivals_dropped: usize,
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

    /// It was answered, or its caller has hung up. One from before a reset is not counted.
    pub(super) fn end(&self, call: Begun, ended: Ended) {
        let mut kept = self.kept();
        if let Some(open) = kept.open.get_mut(&call.account) {
            *open = open.saturating_sub(1);
        }
        if call.resets != kept.resets {
            return;
        }
        kept.arrivals.push_back(Arrival {
            account: call.account,
            at: call.at,
            is_too_fast: ended.is_too_fast,
        });
        if kept.arrivals.len() > MOST_ARRIVALS {
            kept.arrivals.pop_front();
            kept.dropped += 1;
        }
        kept.counts.entry(call.account).or_default().count(ended);
    }

    pub(super) fn reset(&self) {
        let mut kept = self.kept();
        *kept = Kept {
            open: std::mem::take(&mut kept.open),
            resets: kept.resets + 1,
            ..Kept::default()
        };
    }

    pub(super) fn snapshot(&self, only: Option<usize>) -> DialectCalls {
        let kept = self.kept();
        let is_meant = |account: Option<usize>| only.is_none() || account == only;
        let peaks = kept.peaks.iter().filter(|(account, _)| is_meant(**account));
        let mut calls = DialectCalls {
            peak_concurrency: peaks.map(|(_, peak)| *peak).max().unwrap_or(0),
            arrivals_dropped: kept.dropped,
            ..DialectCalls::default()
        };
        for (_, counts) in kept.counts.iter().filter(|(of, _)| is_meant(**of)) {
            calls.refusals += counts.refusals;
            for (endpoint, count) in &counts.by_endpoint {
                *calls.by_endpoint.entry(endpoint.clone()).or_default() += count;
            }
            for (status, count) in &counts.by_status {
                *calls.by_status.entry(*status).or_default() += count;
            }
        }
        let arrivals = kept.arrivals.iter();
        let mut times: Vec<(Instant, bool)> = arrivals
            .filter(|arrival| is_meant(arrival.account))
            .map(|arrival| (arrival.at, arrival.is_too_fast))
            .collect();
        times.sort_unstable();
        if let Some((first, _)) = times.first().copied() {
            let refused = times.iter().filter(|(_, is_too_fast)| *is_too_fast);
            calls.refused_at = refused.map(|(at, _)| *at - first).collect();
            calls.arrivals = times.iter().map(|(at, _)| *at - first).collect();
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

    fn ended(endpoint: &str, status: u16) -> Ended {
        Ended {
            endpoint: endpoint.to_owned(),
            status,
            is_too_fast: status == 429,
        }
    }

    #[test]
    fn counts_outlive_the_times_and_neither_grows_for_ever() {
        let (log, start) = (CallLog::default(), Instant::now());
        let more = 500;
        for number in 0..MOST_ARRIVALS + more {
            let begun = log.begin(Some(0), start);
            log.end(begun, ended(&format!("path-{}", number % 1_000), 200));
        }
        let calls = log.snapshot(Some(0));
        assert_eq!(
            (calls.arrivals.len(), calls.arrivals_dropped),
            (MOST_ARRIVALS, more)
        );
        assert_eq!(calls.data_calls(), MOST_ARRIVALS + more);
        assert_eq!(calls.by_endpoint.len(), MOST_ENDPOINTS + 1);
        assert!(calls.by_endpoint[ELSEWHERE] > MOST_ARRIVALS / 2);
        log.reset();
        assert_eq!(log.snapshot(None), DialectCalls::default());
    }

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
        log.end(before, ended("devices", 200));
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
            log.end(begun, ended(endpoint, status));
        }
        let all = log.snapshot(None);
        assert_eq!((all.token_calls(), all.data_calls()), (1, 3));
        assert_eq!(all.refusals, 1);
        assert_eq!(all.refused_at, [Duration::from_millis(1_500)]);
        assert_eq!(
            [900, 1_000].map(|ms| all.most_in(Duration::from_millis(ms))),
            [2, 3]
        );
        assert_eq!(log.snapshot(Some(0)).data_calls(), 2);
    }
}
