//! What "too fast" does to an account: it pauses, resumes slower, and grows back. A pure state
//! machine over a monotonic clock, so that a jump of the wall clock neither frees nor jails anyone.

use std::time::{Duration, Instant};

/// Each throttling halves the pace, down to this many permits' worth of waiting per call.
const DEAREST_CALL: u32 = 8;
/// Answers in a row that earn the next doubling of the pace.
const CALLS_TO_RECOVER: u32 = 20;

/// The state of one account.
#[derive(Debug)]
pub struct Throttle {
    paused_until: Option<Instant>,
    permits_per_call: u32,
    answers_in_a_row: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            paused_until: None,
            permits_per_call: 1,
            answers_in_a_row: 0,
        }
    }
}

impl Throttle {
    /// How long the account must still be silent.
    #[must_use]
    pub fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.paused_until?
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// Permits that a call must take: 1 at full pace, up to `DEAREST_CALL` after throttlings.
    #[must_use]
    pub fn permits_per_call(&self) -> u32 {
        self.permits_per_call
    }

    /// The carrier said "too fast" to a call that was sent at `sent`.
    ///
    /// Several calls in flight meet the same limit: only a call sent after the last pause began
    /// slows the account further, every one may lengthen the pause.
    pub fn throttled(&mut self, sent: Instant, now: Instant, pause: Duration) {
        let known = self.paused_until.is_some_and(|until| sent < until);
        if !known {
            self.permits_per_call = (self.permits_per_call * 2).min(DEAREST_CALL);
        }
        self.answers_in_a_row = 0;
        let until = now + pause;
        self.paused_until = Some(self.paused_until.map_or(until, |old| old.max(until)));
    }

    /// The carrier answered.
    pub fn answered(&mut self) {
        if self.permits_per_call == 1 {
            return;
        }
        self.answers_in_a_row += 1;
        if self.answers_in_a_row >= CALLS_TO_RECOVER {
            self.answers_in_a_row = 0;
            self.permits_per_call /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_throttled_account_pauses_resumes_slower_and_grows_back() {
        let start = Instant::now();
        let mut account = Throttle::default();
        account.throttled(start, start, 10 * SECOND);
        assert_eq!(account.pause_left(start + 4 * SECOND), Some(6 * SECOND));
        assert_eq!(account.pause_left(start + 10 * SECOND), None);
        assert_eq!(account.permits_per_call(), 2);
        for _ in 0..CALLS_TO_RECOVER {
            account.answered();
        }
        assert_eq!(account.permits_per_call(), 1);
    }

    #[test]
    fn calls_in_flight_that_meet_the_same_limit_slow_the_account_once() {
        let start = Instant::now();
        let mut account = Throttle::default();
        account.throttled(start, start, 10 * SECOND);
        account.throttled(start, start + SECOND, 2 * SECOND);
        assert_eq!(account.permits_per_call(), 2);
        assert_eq!(
            account.pause_left(start),
            Some(10 * SECOND),
            "the longer pause holds"
        );
        account.throttled(start + 11 * SECOND, start + 11 * SECOND, SECOND);
        assert_eq!(account.permits_per_call(), 4);
    }

    #[test]
    fn the_pace_never_falls_below_its_floor() {
        let mut now = Instant::now();
        let mut account = Throttle::default();
        for _ in 0..10 {
            account.throttled(now, now, SECOND);
            now += 2 * SECOND;
        }
        assert_eq!(account.permits_per_call(), DEAREST_CALL);
    }
}
