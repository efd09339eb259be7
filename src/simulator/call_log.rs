//! Counts calls as they arrive and are answered or abandoned, for [`Calls`] to tell.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    calls::{Arrival, Calls},
    fault::Endpoint,
};

/// Most arrivals kept; older ones are dropped and counted.
const MAX_ARRIVALS: usize = 100_000;

/// The sliding window of the peak rates.
const WINDOW: Duration = Duration::from_secs(1);

/// Counts calls as they come and go. Clones share the counts.
#[derive(Debug, Clone)]
pub(super) struct CallLog(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    since: Instant,
    /// Tells a call that began before a reset from those after it.
    generation: u64,
    calls: Calls,
    arrivals: VecDeque<Arrival>,
    all: Gauge,
    by_account: BTreeMap<u64, Gauge>,
}

/// Watches one stream of calls.
#[derive(Debug, Default)]
struct Gauge {
    in_flight: usize,
    window: VecDeque<Duration>,
}

impl Gauge {
    /// Counts an arrival; answers concurrency and calls within the last second, this one included.
    fn arrive(&mut self, at: Duration) -> (usize, usize) {
        self.in_flight += 1;
        self.window.push_back(at);
        while self
            .window
            .front()
            .is_some_and(|oldest| *oldest + WINDOW <= at)
        {
            self.window.pop_front();
        }
        (self.in_flight, self.window.len())
    }
}

impl CallLog {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Log::new(0))))
    }

    /// Counts a call until the guard is finished or dropped.
    pub(super) fn arrive(
        &self,
        endpoint: Endpoint,
        account: Option<u64>,
        page_size: Option<u64>,
    ) -> OngoingCall {
        let mut log = self.lock();
        let number = log.arrive(endpoint, account, page_size);
        let generation = log.generation;
        OngoingCall {
            log: self.clone(),
            endpoint,
            account,
            number,
            generation,
            status: None,
        }
    }

    pub(super) fn snapshot(&self) -> Calls {
        let log = self.lock();
        Calls {
            arrivals: log.arrivals.iter().cloned().collect(),
            ..log.calls.clone()
        }
    }

    pub(super) fn age_micros(&self) -> u64 {
        micros(self.lock().since.elapsed())
    }

    /// Forgets everything; calls still under way are no longer counted.
    pub(super) fn reset(&self) {
        let mut log = self.lock();
        *log = Log::new(log.generation + 1);
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn new(generation: u64) -> Self {
        Self {
            since: Instant::now(),
            generation,
            calls: Calls::default(),
            arrivals: VecDeque::new(),
            all: Gauge::default(),
            by_account: BTreeMap::new(),
        }
    }

    fn arrive(&mut self, endpoint: Endpoint, account: Option<u64>, page_size: Option<u64>) -> u64 {
        let at = self.since.elapsed();
        let number = self.calls.total;
        self.calls.total += 1;
        self.calls.endpoints.entry(endpoint).or_default().total += 1;
        let (concurrency, per_second) = self.all.arrive(at);
        self.calls.peak_concurrency = self.calls.peak_concurrency.max(concurrency);
        self.calls.peak_per_second = self.calls.peak_per_second.max(per_second);
        if let Some(org_id) = account {
            let (concurrency, per_second) = self.by_account.entry(org_id).or_default().arrive(at);
            let calls = self.calls.accounts.entry(org_id).or_default();
            calls.total += 1;
            calls.peak_concurrency = calls.peak_concurrency.max(concurrency);
            calls.peak_per_second = calls.peak_per_second.max(per_second);
        }
        if self.arrivals.len() == MAX_ARRIVALS {
            self.arrivals.pop_front();
            self.calls.arrivals_dropped += 1;
        }
        self.arrivals.push_back(Arrival {
            at_micros: micros(at),
            orgid: account,
            endpoint,
            page_size,
            status: None,
        });
        number
    }

    fn leave(&mut self, call: &OngoingCall) {
        if call.generation != self.generation {
            return;
        }
        self.all.in_flight -= 1;
        if let Some(gauge) = call
            .account
            .and_then(|org_id| self.by_account.get_mut(&org_id))
        {
            gauge.in_flight -= 1;
        }
        let calls = self.calls.endpoints.entry(call.endpoint).or_default();
        match call.status {
            Some(status) => *calls.answered.entry(status).or_default() += 1,
            None => calls.abandoned += 1,
        }
        let place = call.number.checked_sub(self.calls.arrivals_dropped);
        if let Some(arrival) = place.and_then(|place| self.arrivals.get_mut(place as usize)) {
            arrival.status = call.status;
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A call under way. Dropped without [`finish`](OngoingCall::finish), it was abandoned.
#[derive(Debug)]
pub(super) struct OngoingCall {
    log: CallLog,
    endpoint: Endpoint,
    account: Option<u64>,
    number: u64,
    generation: u64,
    status: Option<u16>,
}

impl OngoingCall {
    /// The call's number since the last reset, from 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn finish(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for OngoingCall {
    fn drop(&mut self) {
        self.log.lock().leave(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_counts_any_second_not_the_clocks_seconds() {
        let mut gauge = Gauge::default();
        let counted = [0, 700, 900, 1_300, 1_699, 1_700, 5_000]
            .map(|millis| gauge.arrive(Duration::from_millis(millis)).1);
        assert_eq!(counted, [1, 2, 3, 3, 4, 4, 1]);
    }

    #[test]
    fn an_abandoned_call_is_told_from_an_answered_one() {
        let log = CallLog::new();
        let first = log.arrive(Endpoint::Devices, Some(7), None);
        let second = log.arrive(Endpoint::Devices, None, Some(100));
        first.finish(200);
        drop(second);
        let calls = log.snapshot();
        assert_eq!((calls.total, calls.peak_concurrency), (2, 2));
        assert_eq!(
            (
                calls.answered(200),
                calls.endpoints[&Endpoint::Devices].abandoned
            ),
            (1, 1)
        );
        assert_eq!(calls.accounts[&7].total, 1);
        assert_eq!(
            calls.arrivals.iter().map(|a| a.status).collect::<Vec<_>>(),
            [Some(200), None]
        );
    }

    #[test]
    fn a_call_from_before_a_reset_is_not_counted_after_it() {
        let log = CallLog::new();
        let call = log.arrive(Endpoint::Devices, Some(7), None);
        log.reset();
        call.finish(200);
        let calls = log.snapshot();
        assert_eq!((calls.total, calls.answered(200)), (0, 0));
    }
}
