//! How often a dying actor is started again. Pure: the clock and the dice are parameters.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bounds on restarting one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Restarts allowed within `window`; one more is too many.
    pub max_restarts: usize,
    /// Restarts older than this are forgotten.
    pub window: Duration,
    /// Ceiling of the first wait; each further one within the window doubles it.
    pub first_delay: Duration,
    /// No wait is longer than this.
    pub longest_delay: Duration,
}

impl RestartPolicy {
    /// At most 5 restarts in 10 minutes, 1 s doubling to 5 min.
    pub const DEFAULT: Self = Self {
        max_restarts: 5,
        window: Duration::from_secs(10 * 60),
        first_delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(5 * 60),
    };
}

/// What to do about an actor that ended without being asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start it again after this wait.
    RestartAfter(Duration),
    /// It dies too often: park an integration, escalate for the writer.
    GiveUp,
}

/// The recent restarts of one actor.
#[derive(Debug, Default, Clone)]
pub struct Restarts {
    recent: VecDeque<Instant>,
    total: u64,
}

impl Restarts {
    /// Decides, and remembers the restart if it is one. `dice` is uniform in `[0, 1)`: full jitter,
    /// so that actors that died together do not come back together.
    pub fn decide(&mut self, policy: &RestartPolicy, now: Instant, dice: f64) -> Decision {
        while self
            .recent
            .front()
            .is_some_and(|at| now.duration_since(*at) >= policy.window)
        {
            self.recent.pop_front();
        }
        if self.recent.len() >= policy.max_restarts {
            return Decision::GiveUp;
        }
        let doublings = u32::try_from(self.recent.len()).unwrap_or(u32::MAX).min(16);
        let ceiling = (policy.first_delay * 2u32.pow(doublings)).min(policy.longest_delay);
        self.recent.push_back(now);
        self.total += 1;
        Decision::RestartAfter(ceiling.mul_f64(dice.clamp(0.0, 1.0)))
    }

    /// Restarts since the process began.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn five_restarts_in_ten_minutes_and_not_one_more() {
        let policy = RestartPolicy::DEFAULT;
        let start = Instant::now();
        let mut restarts = Restarts::default();
        let waits: Vec<_> = (0..6)
            .map(|n| restarts.decide(&policy, start + n * SECOND, 1.0))
            .collect();
        let after = |seconds| Decision::RestartAfter(seconds * SECOND);
        assert_eq!(
            waits,
            [
                after(1),
                after(2),
                after(4),
                after(8),
                after(16),
                Decision::GiveUp
            ]
        );
        assert_eq!(restarts.total(), 5);
    }

    #[test]
    fn restarts_are_forgotten_after_the_window() {
        let policy = RestartPolicy::DEFAULT;
        let start = Instant::now();
        let mut restarts = Restarts::default();
        for _ in 0..5 {
            restarts.decide(&policy, start, 1.0);
        }
        let almost = start + policy.window - SECOND;
        assert_eq!(restarts.decide(&policy, almost, 1.0), Decision::GiveUp);
        let later = start + policy.window;
        assert_eq!(
            restarts.decide(&policy, later, 1.0),
            Decision::RestartAfter(SECOND)
        );
    }

    #[test]
    fn waits_are_spread_over_the_whole_ceiling_and_capped() {
        let policy = RestartPolicy {
            max_restarts: 100,
            ..RestartPolicy::DEFAULT
        };
        let start = Instant::now();
        let mut restarts = Restarts::default();
        assert_eq!(
            restarts.decide(&policy, start, 0.0),
            Decision::RestartAfter(Duration::ZERO)
        );
        let mut last = Decision::GiveUp;
        for _ in 0..20 {
            last = restarts.decide(&policy, start, 1.0);
        }
        assert_eq!(last, Decision::RestartAfter(policy.longest_delay));
    }

    /// The policy said in the plainest way: look at all restarts there ever were.
    fn model(past: &[Duration], now: Duration, policy: &RestartPolicy) -> Option<Duration> {
        let recent = past.iter().filter(|at| now - **at < policy.window).count();
        if recent >= policy.max_restarts {
            return None;
        }
        let doubled = (0..recent).fold(policy.first_delay, |delay, _| delay * 2);
        Some(doubled.min(policy.longest_delay))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn any_history_is_decided_as_the_plain_model_says(
            gaps_s in proptest::collection::vec(0_u64..400, 1..40),
            max_restarts in 1_usize..8,
        ) {
            let policy = RestartPolicy { max_restarts, ..RestartPolicy::DEFAULT };
            let start = Instant::now();
            let (mut restarts, mut past, mut now) = (Restarts::default(), vec![], Duration::ZERO);
            for gap_s in gaps_s {
                now += Duration::from_secs(gap_s);
                let decided = restarts.decide(&policy, start + now, 1.0);
                let expected = model(&past, now, &policy);
                let expected = expected.map_or(Decision::GiveUp, Decision::RestartAfter);
                prop_assert_eq!(decided, expected);
                if decided != Decision::GiveUp {
                    past.push(now);
                }
            }
            prop_assert_eq!(restarts.total(), past.len() as u64);
        }
    }
}
