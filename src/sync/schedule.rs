//! When an integration syncs next. Pure: given times and outcomes, never reading a clock.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::outcome::Halt;
use crate::device::IntegrationId;
use crate::integration::Outcome;

/// First wait after a failed sync; each further failure doubles it, up to the interval itself.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// Spread added to a wait that ends at a time other accounts may wait for too, as a part of it.
const JITTER_PART: f64 = 0.1;

/// What an integration does until its next sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The timer as configured.
    OnTime(Duration),
    /// Earlier or later than the timer, because the last sync failed.
    BackOff(Duration),
    /// Nothing, until its row changes.
    AwaitChange,
}

/// When the sync was started that the first wait after a start is counted from.
///
/// One that failed does not count: the row has been changed or the service started anew, so what
/// stood in its way may be gone, and whoever has just replaced a key should not wait out an interval.
#[must_use]
pub fn last_that_counts(
    last_sync_at: Option<DateTime<Utc>>,
    last_sync_status: &str,
) -> Option<DateTime<Utc>> {
    last_sync_at.filter(|_| last_sync_status != Outcome::Error.as_str())
}

/// Wait from `now` until the first sync after a start.
///
/// An integration that is due already waits for its phase, so that a restart does not call every
/// carrier at once; one that is not waits for its time.
#[must_use]
pub fn first_delay(
    last_sync_at: Option<DateTime<Utc>>,
    interval: Duration,
    now: DateTime<Utc>,
    phase: Duration,
) -> Duration {
    let Some(last) = last_sync_at else {
        return phase;
    };
    let Ok(age) = (now - last).to_std() else {
        // The last sync lies in the future: a clock has jumped. One interval is the honest guess.
        return interval;
    };
    if age >= interval {
        phase
    } else {
        interval - age
    }
}

/// From the first sync after a start to the second. What was due together at the start would stay
/// together for ever, so there the second comes early, up to half an interval, by a fixed place of the
/// integration's own; whoever kept its time keeps it.
#[must_use]
pub fn first_interval(
    last_sync_at: Option<DateTime<Utc>>,
    interval: Duration,
    now: DateTime<Utc>,
    id: &IntegrationId,
) -> Duration {
    let age = last_sync_at.map(|last| (now - last).to_std().unwrap_or(Duration::ZERO));
    if age.is_some_and(|age| age < interval) {
        interval
    } else {
        interval - phase(id, interval / 2)
    }
}

/// A fixed place in `[0, spread)` for each integration.
#[must_use]
pub fn phase(id: &IntegrationId, spread: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let place = (hasher.finish() >> 11) as f64 / (1u64 << 53) as f64;
    spread.mul_f64(place)
}

/// What follows a sync that was started at `started_at`, after `failures` failed ones in a row (the
/// last one included). `dice` is uniform in `[0, 1)`.
#[must_use]
pub fn next(
    halt: Option<&Halt>,
    failures: u32,
    interval: Duration,
    (started_at, now): (DateTime<Utc>, DateTime<Utc>),
    dice: f64,
) -> Next {
    let on_time = Next::OnTime(until(started_at, interval, now));
    match halt {
        None | Some(Halt::BudgetSpent { .. } | Halt::Stopped | Halt::LeaseLost) => on_time,
        Some(Halt::Credentials { .. } | Halt::Misconfigured { .. }) => Next::AwaitChange,
        Some(Halt::LimitUsedUp { until: free }) => {
            let used_up = (*free - now).to_std().unwrap_or(Duration::ZERO);
            let wait = until(started_at, interval, now);
            Next::OnTime(wait.max(used_up.mul_f64(1.0 + JITTER_PART * dice)))
        }
        Some(Halt::Throttled { until }) => {
            let pause = (*until - now).to_std().unwrap_or(Duration::ZERO);
            let retry = retry_delay(failures, interval);
            Next::BackOff(pause.max(retry).mul_f64(1.0 + JITTER_PART * dice))
        }
        Some(Halt::Outage { .. } | Halt::Store { .. }) => {
            Next::BackOff(retry_delay(failures, interval).mul_f64(1.0 + JITTER_PART * dice))
        }
    }
}

/// The next multiple of the interval's beat: a sync that took longer than its interval is followed
/// by the next at once, not by a burst of missed ones.
fn until(started_at: DateTime<Utc>, interval: Duration, now: DateTime<Utc>) -> Duration {
    let interval_delta = TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX);
    let due = started_at
        .checked_add_signed(interval_delta)
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    // A clock that jumped back must not stretch the wait beyond one interval.
    (due - now).to_std().unwrap_or(Duration::ZERO).min(interval)
}

fn retry_delay(failures: u32, interval: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_RETRY * 2u32.pow(doublings)).min(interval)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(minute: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 23, 12, minute, 0).unwrap()
    }

    #[test]
    fn a_failed_sync_does_not_make_the_next_start_wait() {
        for outcome in ["never", "success", "partial"] {
            assert_eq!(last_that_counts(Some(at(0)), outcome), Some(at(0)));
        }
        assert_eq!(last_that_counts(Some(at(0)), "error"), None);
    }

    #[test]
    fn a_start_syncs_what_is_due_in_its_phase_and_the_rest_on_time() {
        let phase = 7 * MINUTE / 60;
        let first = |last, now| first_delay(last, HOUR / 2, now, phase);
        assert_eq!(first(None, at(0)), phase);
        assert_eq!(first(Some(at(0)), at(30)), phase, "exactly due");
        assert_eq!(first(Some(at(0)), at(20)), 10 * MINUTE);
        assert_eq!(
            first(Some(at(20)), at(0)),
            HOUR / 2,
            "last sync in the future"
        );
    }

    #[test]
    fn what_was_due_together_at_a_start_does_not_stay_together() {
        let second = |last, n: u32| {
            let id = IntegrationId::parse(&n.to_string()).unwrap();
            first_interval(last, HOUR, at(30), &id)
        };
        for due in [None, Some(at(30) - TimeDelta::hours(1))] {
            let waits: Vec<_> = (0..1000).map(|n| second(due, n)).collect();
            assert!(waits.iter().all(|wait| (HOUR / 2..=HOUR).contains(wait)));
            let early = waits.iter().filter(|wait| **wait < HOUR * 3 / 4).count();
            assert!((400..600).contains(&early), "{early} of 1000");
        }
        for kept in [at(29), at(31)] {
            assert_eq!(second(Some(kept), 1), HOUR, "not due at the start");
        }
    }

    #[test]
    fn phases_are_fixed_and_spread() {
        let place = |n: u32| phase(&IntegrationId::parse(&n.to_string()).unwrap(), 100 * MINUTE);
        assert_eq!(place(1), place(1));
        let early = (0..1000).filter(|n| place(*n) < 50 * MINUTE).count();
        assert!(
            (400..600).contains(&early),
            "{early} of 1000 in the first half"
        );
        assert!((0..1000).all(|n| place(n) < 100 * MINUTE));
        assert_eq!(
            phase(&IntegrationId::parse("x").unwrap(), Duration::ZERO),
            Duration::ZERO
        );
    }

    #[test]
    fn a_sync_follows_its_beat_without_burst() {
        let next = |now| next(None, 0, HOUR / 2, (at(0), now), 0.0);
        assert_eq!(next(at(10)), Next::OnTime(20 * MINUTE));
        assert_eq!(next(at(30)), Next::OnTime(Duration::ZERO));
        assert_eq!(next(at(59)), Next::OnTime(Duration::ZERO), "one, not many");
        let jumped_back = Utc.with_ymd_and_hms(2026, 11, 23, 11, 0, 0).unwrap();
        assert_eq!(next(jumped_back), Next::OnTime(HOUR / 2));
    }

    #[test]
    fn a_failed_sync_comes_back_before_its_interval_ever_later() {
        let outage = Halt::Outage { reason: "x".into() };
        let wait = |failures| next(Some(&outage), failures, HOUR, (at(0), at(1)), 0.0);
        let minutes = [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60)];
        for (failures, expected) in minutes {
            assert_eq!(
                wait(failures),
                Next::BackOff(expected * MINUTE),
                "{failures}"
            );
        }
        let jittered = next(Some(&outage), 1, HOUR, (at(0), at(1)), 1.0);
        assert_eq!(jittered, Next::BackOff(66 * MINUTE / 60));
    }

    #[test]
    fn a_throttled_account_is_silent_until_its_time() {
        let halt = Halt::Throttled { until: at(30) };
        let wait = next(Some(&halt), 1, 5 * MINUTE, (at(0), at(10)), 0.0);
        assert_eq!(wait, Next::BackOff(20 * MINUTE));
    }

    #[test]
    fn a_window_that_is_used_up_is_waited_for_and_does_not_shorten_the_interval() {
        let wait = |interval| {
            let halt = Halt::LimitUsedUp { until: at(30) };
            next(Some(&halt), 0, interval, (at(0), at(10)), 0.0)
        };
        assert_eq!(wait(5 * MINUTE), Next::OnTime(20 * MINUTE));
        assert_eq!(wait(HOUR), Next::OnTime(50 * MINUTE));
    }

    #[test]
    fn bad_credentials_wait_for_a_person() {
        let halt = Halt::Credentials {
            reason: "401".into(),
        };
        assert_eq!(
            next(Some(&halt), 1, HOUR, (at(0), at(1)), 0.0),
            Next::AwaitChange
        );
    }

    fn halt() -> impl Strategy<Value = Option<Halt>> {
        let reason = String::new;
        prop_oneof![
            Just(None),
            Just(Some(Halt::Stopped)),
            Just(Some(Halt::LeaseLost)),
            Just(Some(Halt::BudgetSpent { reason: reason() })),
            Just(Some(Halt::Credentials { reason: reason() })),
            Just(Some(Halt::Outage { reason: reason() })),
            Just(Some(Halt::Store { reason: reason() })),
            (-100_000_i64..100_000).prop_map(|second| Some(Halt::Throttled {
                until: at(0) + TimeDelta::seconds(second),
            })),
            (-100_000_i64..100_000).prop_map(|second| Some(Halt::LimitUsedUp {
                until: at(0) + TimeDelta::seconds(second),
            })),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// Whatever the clock does between start and end of a sync, jumps of days included.
        #[test]
        fn no_history_makes_an_integration_wait_for_ever_or_run_without_pause(
            halt in halt(),
            failures in 1_u32..100,
            interval_min in 1_u64..100_000,
            jump_s in -1_000_000_i64..1_000_000,
            dice in 0.0_f64..1.0,
        ) {
            let interval = Duration::from_secs(interval_min * 60);
            let now = at(0) + TimeDelta::seconds(jump_s);
            let next = next(halt.as_ref(), failures, interval, (at(0), now), dice);
            match (&halt, next) {
                (Some(Halt::Credentials { .. }), next) => prop_assert_eq!(next, Next::AwaitChange),
                (None | Some(Halt::Stopped | Halt::LeaseLost | Halt::BudgetSpent { .. }), Next::OnTime(wait)) => {
                    prop_assert!(wait <= interval);
                }
                (Some(Halt::LimitUsedUp { until }), Next::OnTime(wait)) => {
                    let used_up = (*until - now).to_std().unwrap_or_default();
                    prop_assert!(wait >= used_up && wait <= used_up.mul_f64(1.11).max(interval));
                }
                (Some(Halt::Throttled { until }), Next::BackOff(wait)) => {
                    let pause = (*until - now).to_std().unwrap_or_default();
                    prop_assert!(wait >= pause && wait <= pause.max(interval).mul_f64(1.11));
                }
                (Some(Halt::Outage { .. } | Halt::Store { .. }), Next::BackOff(wait)) => {
                    prop_assert!(wait >= FIRST_RETRY.min(interval) && wait <= interval.mul_f64(1.11));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn the_first_sync_is_due_within_one_interval_or_its_phase(
            last_s in proptest::option::of(-1_000_000_i64..1_000_000),
            interval_min in 1_u64..100_000,
            phase_ms in 0_u64..100_000,
        ) {
            let interval = Duration::from_secs(interval_min * 60);
            let phase = Duration::from_millis(phase_ms);
            let last = last_s.map(|second| at(0) + TimeDelta::seconds(second));
            let delay = first_delay(last, interval, at(0), phase);
            let age = last.map(|last| at(0) - last);
            match age.map(|age| age.to_std()) {
                None => prop_assert_eq!(delay, phase),
                Some(Err(_)) => prop_assert_eq!(delay, interval, "the last lies in the future"),
                Some(Ok(age)) if age >= interval => prop_assert_eq!(delay, phase),
                Some(Ok(age)) => prop_assert_eq!(delay, interval - age),
            }
        }
    }
}
