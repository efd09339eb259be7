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
    use proptest::prelude::*;

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

    /// What may happen to an account.
    #[derive(Debug, Clone)]
    enum Event {
        /// Time goes by.
        Wait(u64),
        /// A call sent so long ago is told "too fast", with this pause.
        TooFast { sent_ago_s: u64, pause_s: u64 },
        /// A call is answered.
        Answer,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_u64..100).prop_map(Event::Wait),
            (0_u64..50, 1_u64..100).prop_map(|(sent_ago_s, pause_s)| Event::TooFast {
                sent_ago_s,
                pause_s
            }),
            Just(Event::Answer),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn any_history_leaves_the_account_as_the_plain_model_says(
            events in proptest::collection::vec(event(), 1..200),
        ) {
            let origin = Instant::now();
            let mut account = Throttle::default();
            // The model, in seconds since the origin: when the pause ends, the halvings, the streak.
            let (mut now, mut silent_until, mut halvings, mut streak) = (1_000_u64, 0, 0_u32, 0);
            for event in events {
                let at = |second: u64| origin + Duration::from_secs(second);
                match event {
                    Event::Wait(seconds) => now += seconds,
                    Event::TooFast { sent_ago_s, pause_s } => {
                        let sent = now - sent_ago_s;
                        if sent >= silent_until {
                            halvings = (halvings + 1).min(3);
                        }
                        silent_until = silent_until.max(now + pause_s);
                        streak = 0;
                        account.throttled(at(sent), at(now), Duration::from_secs(pause_s));
                    }
                    Event::Answer => {
                        streak = if halvings == 0 { 0 } else { streak + 1 };
                        if streak == CALLS_TO_RECOVER {
                            (halvings, streak) = (halvings - 1, 0);
                        }
                        account.answered();
                    }
                }
                let left = silent_until.saturating_sub(now);
                let left = (left > 0).then(|| Duration::from_secs(left));
                prop_assert_eq!(account.pause_left(at(now)), left);
                prop_assert_eq!(account.permits_per_call(), 1 << halvings);
            }
        }
    }
}
