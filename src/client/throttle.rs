//! What "too fast" does to an account: it pauses, resumes slower, and grows back. A pure state
//! machine over a monotonic clock, so that a jump of the wall clock neither frees nor jails anyone.

use std::time::{Duration, Instant};

/// Each throttling halves the pace, down to this many permits' worth of waiting per call.
const DEAREST_CALL: u32 = 8;
/// Answers in a row that earn the next doubling of the pace.
const CALLS_TO_RECOVER: u32 = 20;
/// A throttling that is so long ago says nothing any more.
const LONG_AGO: Duration = Duration::from_secs(24 * 3600);

/// A pause that the carrier does not name doubles this often at most.
const MOST_DOUBLINGS: u32 = 5;

/// The pause after "too fast" where the carrier does not say how long: it grows with each that follows,
/// and is spread so that accounts that were throttled together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnnamedPause {
    /// The first is from this long to twice as long.
    pub shortest: Duration,
    /// None is longer.
    pub longest: Duration,
}

impl UnnamedPause {
    /// How long, after so many throttlings before it. `dice` is uniform in `[0, 1)`; the caller rolls it.
    #[must_use]
    pub fn length(self, throttlings: u32, dice: f64) -> Duration {
        let doublings = throttlings.min(MOST_DOUBLINGS);
        let floor = self
            .shortest
            .saturating_mul(1 << doublings)
            .min(self.longest);
        let spread = floor.mul_f64(dice.clamp(0.0, 1.0));
        floor.saturating_add(spread).min(self.longest)
    }
}

/// The state of one account.
#[derive(Debug)]
pub struct Throttle {
    paused_until: Option<Instant>,
    /// When the last throttling was met that was not known yet.
    met_at: Option<Instant>,
    permits_per_call: u32,
    answers_in_a_row: u32,
    /// Since it was last at full pace.
    throttlings: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            paused_until: None,
            met_at: None,
            permits_per_call: 1,
            answers_in_a_row: 0,
            throttlings: 0,
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
    /// Several calls in flight meet the same limit: only a call sent after the last throttling was met
    /// slows the account further, every one may lengthen the pause.
    pub fn throttled(&mut self, sent: Instant, now: Instant, pause: Duration) {
        if !self.is_known(sent) {
            self.permits_per_call = (self.permits_per_call * 2).min(DEAREST_CALL);
            self.throttlings = self.throttlings.saturating_add(1);
            self.met_at = Some(now);
        }
        self.answers_in_a_row = 0;
        let until = now + pause;
        self.paused_until = Some(self.paused_until.map_or(until, |old| old.max(until)));
    }

    /// How many throttlings there were before the one of a call that was sent at `sent`, since the
    /// account last had its full pace.
    #[must_use]
    pub fn throttlings_before(&self, sent: Instant) -> u32 {
        let this_one = u32::from(self.is_known(sent));
        self.throttlings.saturating_sub(this_one)
    }

    /// Whether it is as if the carrier had never said "too fast".
    #[must_use]
    pub fn is_forgettable(&self, now: Instant) -> bool {
        let is_long_ago = |met: Instant| now.saturating_duration_since(met) >= LONG_AGO;
        let is_past = self.permits_per_call == 1 || self.met_at.is_none_or(is_long_ago);
        is_past && self.pause_left(now).is_none()
    }

    /// Sent before the last throttling was met: it met the same limit. Nothing is sent in the pause that
    /// follows; and a late word of the same limit, which lengthens the pause, hides no new one.
    fn is_known(&self, sent: Instant) -> bool {
        self.met_at.is_some_and(|met| sent <= met)
    }

    /// The carrier answered a call that was sent at `sent`. One that was under way when the limit was met
    /// says nothing of the pace since then.
    pub fn answered(&mut self, sent: Instant) {
        if self.permits_per_call == 1 || self.is_known(sent) {
            return;
        }
        self.answers_in_a_row += 1;
        if self.answers_in_a_row >= CALLS_TO_RECOVER {
            self.answers_in_a_row = 0;
            self.permits_per_call /= 2;
        }
        if self.permits_per_call == 1 {
            self.throttlings = 0;
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
            account.answered(start + 1_000 * SECOND);
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
    fn a_late_word_of_the_same_limit_hides_no_new_one() {
        let start = Instant::now();
        let mut account = Throttle::default();
        account.throttled(start, start, SECOND);
        let sent = start + 2 * SECOND;
        account.throttled(start, start + 3 * SECOND, 10 * SECOND);
        assert_eq!(account.permits_per_call(), 2, "sent before the first");
        account.throttled(sent, start + 4 * SECOND, SECOND);
        assert_eq!(account.permits_per_call(), 4, "sent after its pause");
        account.throttled(sent, start + 4 * SECOND, SECOND);
        assert_eq!(account.permits_per_call(), 4, "and another sent with it");
    }

    #[test]
    fn an_answer_to_a_call_that_was_under_way_earns_no_pace() {
        let start = Instant::now();
        let mut account = Throttle::default();
        account.throttled(start, start + SECOND, SECOND);
        for _ in 0..2 * CALLS_TO_RECOVER {
            account.answered(start + SECOND);
        }
        assert_eq!(account.permits_per_call(), 2);
        for _ in 0..CALLS_TO_RECOVER {
            account.answered(start + 3 * SECOND);
        }
        assert_eq!(account.permits_per_call(), 1);
    }

    #[test]
    fn what_was_throttled_may_be_forgotten_at_full_pace_or_after_long() {
        let start = Instant::now();
        let mut account = Throttle::default();
        assert!(account.is_forgettable(start));
        account.throttled(start, start, 10 * SECOND);
        assert!(!account.is_forgettable(start + 11 * SECOND), "it is slow");
        assert!(account.is_forgettable(start + LONG_AGO));
        for _ in 0..CALLS_TO_RECOVER {
            account.answered(start + 1_000 * SECOND);
        }
        assert!(!account.is_forgettable(start + SECOND), "it pauses");
        assert!(account.is_forgettable(start + 11 * SECOND));
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

    #[test]
    fn an_unnamed_pause_begins_at_its_base_grows_and_is_spread_up_to_its_longest() {
        let unnamed = UnnamedPause {
            shortest: 5 * SECOND,
            longest: 200 * SECOND,
        };
        let lengths = |dice: f64| (0..8).map(move |n| unnamed.length(n, dice).as_secs());
        let shortest: Vec<_> = lengths(0.0).collect();
        assert_eq!(shortest, [5, 10, 20, 40, 80, 160, 160, 160]);
        let longest: Vec<_> = lengths(1.0).collect();
        assert_eq!(longest, [10, 20, 40, 80, 160, 200, 200, 200]);
        let absurd = UnnamedPause {
            shortest: Duration::MAX,
            longest: SECOND,
        };
        assert_eq!(absurd.length(u32::MAX, f64::NAN.max(1.0)), SECOND);
    }

    #[test]
    fn throttlings_count_once_per_limit_met_and_are_forgotten_at_full_pace() {
        let start = Instant::now();
        let mut account = Throttle::default();
        assert_eq!(account.throttlings_before(start), 0);
        account.throttled(start, start, SECOND);
        assert_eq!(account.throttlings_before(start), 0, "in flight with it");
        let later = start + 2 * SECOND;
        assert_eq!(account.throttlings_before(later), 1);
        account.throttled(later, later, SECOND);
        account.throttled(later, later, SECOND);
        let last = later + 2 * SECOND;
        assert_eq!(account.throttlings_before(last), 2);
        for _ in 0..CALLS_TO_RECOVER {
            account.answered(start + 1_000 * SECOND);
        }
        assert_eq!(account.throttlings_before(last), 2, "not at full pace yet");
        for _ in 0..CALLS_TO_RECOVER {
            account.answered(start + 1_000 * SECOND);
        }
        assert_eq!(account.throttlings_before(last), 0);
    }

    /// What may happen to an account.
    #[derive(Debug, Clone)]
    enum Event {
        /// Time goes by.
        Wait(u64),
        /// A call sent so long ago is told "too fast", with this pause.
        TooFast { sent_ago_s: u64, pause_s: u64 },
        /// A call that was sent so long ago is answered.
        Answer { sent_ago_s: u64 },
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_u64..100).prop_map(Event::Wait),
            (0_u64..50, 1_u64..100).prop_map(|(sent_ago_s, pause_s)| Event::TooFast {
                sent_ago_s,
                pause_s
            }),
            (0_u64..50).prop_map(|sent_ago_s| Event::Answer { sent_ago_s }),
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
            // The model, in seconds since the origin: when the pause ends, the halvings, the streak, what
            // throttled it since it had its full pace, and when the last of that was met.
            let (mut now, mut silent_until, mut halvings, mut streak) = (1_000_u64, 0, 0_u32, 0);
            let (mut met, mut met_at) = (0, 0);
            for event in events {
                let at = |second: u64| origin + Duration::from_secs(second);
                match event {
                    Event::Wait(seconds) => now += seconds,
                    Event::TooFast { sent_ago_s, pause_s } => {
                        let sent = now - sent_ago_s;
                        let is_new = sent > met_at;
                        let before = if is_new { met } else { met.max(1) - 1 };
                        prop_assert_eq!(account.throttlings_before(at(sent)), before);
                        if is_new {
                            halvings = (halvings + 1).min(3);
                            (met, met_at) = (met + 1, now);
                        }
                        silent_until = silent_until.max(now + pause_s);
                        streak = 0;
                        account.throttled(at(sent), at(now), Duration::from_secs(pause_s));
                    }
                    Event::Answer { sent_ago_s } => {
                        let sent = now - sent_ago_s;
                        if halvings > 0 && sent > met_at {
                            streak += 1;
                        }
                        if streak == CALLS_TO_RECOVER {
                            (halvings, streak) = (halvings - 1, 0);
                            met *= u32::from(halvings > 0);
                        }
                        account.answered(at(sent));
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
