//! What a carrier says is left: `x-ratelimit-remaining` and its kin, in one form. Until the reset no more
//! calls leave than that; a word of the carrier only ever lowers what we allow ourselves. Pure, over a
//! monotonic clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use crate::carriers::{HintOf, LimitHint};

/// A reset that is further off is cut to this: a slip in a header must not silence an account for years.
const LONGEST_RESET: Duration = Duration::from_secs(3600);
/// A reset that is not named. Carriers that tell what is left count per minute; the next answer tells anew.
const UNNAMED_RESET: Duration = Duration::from_secs(60);
/// Words that are kept. More differ in their reset by jitter, and the last two become one.
const MOST_WORDS: usize = 8;

/// What an account's carrier has said, of all its calls and of those to one endpoint.
#[derive(Debug, Default)]
pub struct AccountHints {
    of_all: Hints,
    /// Those that hold. The endpoints of a carrier are few: templates, not addresses.
    by_path: BTreeMap<String, Hints>,
}

impl AccountHints {
    /// The carrier said so in an answer of `path` that came at `now`, while `in_flight` other calls were under
    /// way, which it may not have counted yet.
    pub fn learn(&mut self, path: &str, hint: LimitHint, in_flight: u64, now: Instant) {
        match hint.of {
            HintOf::Account => self.of_all.learn(hint, in_flight, now),
            HintOf::Endpoint => {
                self.by_path.retain(|_, hints| !hints.are_over(now));
                let hints = self.by_path.entry(path.to_owned()).or_default();
                hints.learn(hint, in_flight, now);
            }
        }
    }

    /// How long no call to `path` may leave.
    #[must_use]
    pub fn pause_left(&self, path: &str, now: Instant) -> Option<Duration> {
        let of_path = self.by_path.get(path);
        let of_path = of_path.and_then(|hints| hints.pause_left(now));
        self.of_all.pause_left(now).max(of_path)
    }

    /// How long no call may leave to the endpoint that must be silent the longest.
    #[must_use]
    pub fn longest_pause(&self, now: Instant) -> Option<Duration> {
        let each = self.by_path.values().map(|hints| hints.pause_left(now));
        each.fold(self.of_all.pause_left(now), Option::max)
    }

    /// A call to `path` leaves.
    pub fn leaves(&mut self, path: &str, now: Instant) {
        self.of_all.leaves(now);
        if let Some(hints) = self.by_path.get_mut(path) {
            hints.leaves(now);
        }
    }

    /// Whether nothing that was said holds any more.
    #[must_use]
    pub fn are_over(&self, now: Instant) -> bool {
        self.of_all.are_over(now) && self.by_path.values().all(|hints| hints.are_over(now))
    }
}

/// What has been said of one count, until it no longer holds.
#[derive(Debug, Default)]
pub struct Hints {
    /// The sooner a word ends, the fewer calls it leaves: what allows more and ends sooner says nothing.
    words: Vec<Word>,
}

#[derive(Debug, Clone, Copy)]
struct Word {
    left: u64,
    until: Instant,
}

impl Hints {
    /// The carrier said so in an answer that came at `now`, while `in_flight` other calls were under way,
    /// which it may not have counted yet.
    pub fn learn(&mut self, hint: LimitHint, in_flight: u64, now: Instant) {
        self.forget_until(now);
        let Some(remaining) = hint.remaining else {
            return;
        };
        let resets_in = hint.resets_in.unwrap_or(UNNAMED_RESET).min(LONGEST_RESET);
        let word = Word {
            left: remaining.saturating_sub(in_flight),
            until: now + resets_in,
        };
        if resets_in.is_zero() || self.words.iter().any(|known| known.covers(&word)) {
            return;
        }
        self.words.retain(|known| !word.covers(known));
        self.words.push(word);
        self.words.sort_by_key(|word| word.until);
        if self.words.len() > MOST_WORDS {
            self.join_last_two();
        }
    }

    /// How long no call may leave.
    #[must_use]
    pub fn pause_left(&self, now: Instant) -> Option<Duration> {
        let spent = self.words.iter().filter(|word| word.left == 0);
        let until = spent.map(|word| word.until).max()?;
        until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// A call leaves.
    pub fn leaves(&mut self, now: Instant) {
        self.forget_until(now);
        for word in &mut self.words {
            word.left = word.left.saturating_sub(1);
        }
    }

    /// Whether nothing that was said holds any more.
    #[must_use]
    pub fn are_over(&self, now: Instant) -> bool {
        self.words.iter().all(|word| word.until <= now)
    }

    fn forget_until(&mut self, now: Instant) {
        self.words.retain(|word| word.until > now);
    }

    /// The lower one, for as long as the longer one.
    fn join_last_two(&mut self) {
        if let (Some(last), Some(before)) = (self.words.pop(), self.words.last_mut()) {
            before.until = last.until;
        }
    }
}

impl Word {
    fn covers(&self, other: &Self) -> bool {
        self.left <= other.left && self.until >= other.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn hint(remaining: u64, resets_in: Duration) -> LimitHint {
        LimitHint {
            remaining: Some(remaining),
            resets_in: Some(resets_in),
            of: HintOf::Account,
        }
    }

    /// How many calls leave at once, up to a hundred.
    fn at_once(hints: &mut Hints, now: Instant) -> u64 {
        let mut calls = 0;
        while calls < 100 && hints.pause_left(now).is_none() {
            hints.leaves(now);
            calls += 1;
        }
        calls
    }

    #[test]
    fn no_more_calls_leave_than_the_carrier_says_are_left() {
        let ten_years = 10 * 365 * 24 * 3600 * SECOND;
        let half = 1 << 63;
        // What was said, calls in flight: calls at once, and the pause after them.
        let table = [
            (hint(5, 10 * SECOND), 0, 5, Some(10 * SECOND)),
            (hint(5, 10 * SECOND), 2, 3, Some(10 * SECOND)),
            (hint(5, 10 * SECOND), 9, 0, Some(10 * SECOND)),
            (hint(0, 10 * SECOND), 0, 0, Some(10 * SECOND)),
            (hint(0, Duration::ZERO), 0, 100, None),
            (hint(0, ten_years), 0, 0, Some(LONGEST_RESET)),
            (hint(0, Duration::MAX), 0, 0, Some(LONGEST_RESET)),
            (hint(half, ten_years), u64::MAX, 0, Some(LONGEST_RESET)),
            (hint(half, ten_years), 0, 100, None),
            (LimitHint::default(), 3, 100, None),
            (
                LimitHint {
                    remaining: Some(1),
                    ..LimitHint::default()
                },
                0,
                1,
                Some(UNNAMED_RESET),
            ),
            (
                LimitHint {
                    resets_in: Some(SECOND),
                    ..LimitHint::default()
                },
                0,
                100,
                None,
            ),
        ];
        for (hint, in_flight, calls, pause) in table {
            let (mut hints, now) = (Hints::default(), Instant::now());
            hints.learn(hint, in_flight, now);
            assert_eq!(at_once(&mut hints, now), calls, "{hint:?}");
            assert_eq!(hints.pause_left(now), pause, "{hint:?}");
            assert!(hints.are_over(now + LONGEST_RESET), "{hint:?}");
        }
    }

    #[test]
    fn a_word_only_lowers_and_ends_at_its_reset() {
        let (mut hints, now) = (Hints::default(), Instant::now());
        hints.learn(hint(2, 10 * SECOND), 0, now);
        hints.learn(hint(50, 10 * SECOND), 0, now);
        assert_eq!(at_once(&mut hints, now), 2);
        hints.learn(hint(30, 60 * SECOND), 0, now);
        assert_eq!(at_once(&mut hints, now), 0, "a later reset frees nobody");
        assert_eq!(hints.pause_left(now), Some(10 * SECOND));
        let reset = now + 10 * SECOND;
        assert_eq!(at_once(&mut hints, reset), 30, "what still holds, holds");
        assert_eq!(at_once(&mut hints, now + 60 * SECOND), 100);
    }

    #[test]
    fn a_word_of_one_endpoint_holds_no_other_back_and_one_of_the_account_all() {
        let (mut hints, now) = (AccountHints::default(), Instant::now());
        let of_list = LimitHint {
            of: HintOf::Endpoint,
            ..hint(1, 10 * SECOND)
        };
        hints.learn("list", of_list, 0, now);
        hints.leaves("device", now);
        assert_eq!(hints.pause_left("list", now), None);
        hints.leaves("list", now);
        assert_eq!(hints.pause_left("list", now), Some(10 * SECOND));
        assert_eq!(hints.pause_left("device", now), None);
        assert_eq!(hints.longest_pause(now), Some(10 * SECOND));
        assert!(!hints.are_over(now) && hints.are_over(now + 10 * SECOND));
        hints.learn("list", hint(0, 5 * SECOND), 0, now);
        assert_eq!(hints.pause_left("device", now), Some(5 * SECOND));
        assert_eq!(hints.pause_left("list", now), Some(10 * SECOND));
    }

    /// What happens to an account.
    #[derive(Debug, Clone)]
    enum Event {
        Wait(u64),
        Word {
            left: u64,
            in_flight: u64,
            secs: u64,
        },
        Call,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_u64..20).prop_map(Event::Wait),
            (0_u64..30, 0_u64..5, 0_u64..100).prop_map(|(left, in_flight, secs)| Event::Word {
                left,
                in_flight,
                secs
            }),
            Just(Event::Call),
            Just(Event::Call),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// The plain model keeps every word and counts each down by itself.
        #[test]
        fn every_word_is_kept_until_its_reset_and_not_longer_than_the_last(
            events in proptest::collection::vec(event(), 1..300),
        ) {
            let origin = Instant::now();
            let mut hints = Hints::default();
            let (mut now, mut model) = (0, Vec::new());
            for event in events {
                let at = |second: u64| origin + Duration::from_secs(second);
                match event {
                    Event::Wait(secs) => now += secs,
                    Event::Word { left, in_flight, secs } => {
                        hints.learn(hint(left, Duration::from_secs(secs)), in_flight, at(now));
                        model.push((left.saturating_sub(in_flight), now + secs));
                    }
                    Event::Call => {
                        let goes = hints.pause_left(at(now)).is_none();
                        model.retain(|(_, until)| *until > now);
                        let may = model.iter().all(|(left, _)| *left > 0);
                        prop_assert!(may || !goes, "a word was broken");
                        prop_assert!(goes || !model.is_empty(), "held by nothing");
                        if goes {
                            hints.leaves(at(now));
                            model.iter_mut().for_each(|(left, _)| *left -= 1);
                        }
                    }
                }
                prop_assert!(hints.words.len() <= MOST_WORDS);
                let last = model.iter().map(|(_, until)| *until).max().unwrap_or(0);
                prop_assert!(hints.are_over(at(last.max(now))));
            }
        }
    }
}
