//! When to call again: reading `Retry-After` and spacing retries. Pure; the caller waits.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// First retry waits at most this, each further one up to twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// No retry waits longer than this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// A carrier that says "now" has just said "too fast": wait at least this.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a `Retry-After` header asks to wait from `now`.
///
/// Seconds or an HTTP date (RFC 9110 §10.2.3). Zero, negative and past values become one second;
/// anything beyond `longest` is cut; garbage and a missing header give `None`.
#[must_use]
pub fn retry_after(
    header: Option<&str>,
    now: DateTime<Utc>,
    longest: Duration,
) -> Option<Duration> {
    let text = header?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => {
            Duration::try_from_secs_f64(seconds.clamp(0.0, longest.as_secs_f64())).ok()?
        }
        Ok(_) => return None,
        Err(_) => {
            let at = DateTime::<Utc>::from(httpdate::parse_http_date(text).ok()?);
            (at - now).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.clamp(SHORTEST_PAUSE.min(longest), longest))
}

/// Wait before retry number `retry` (from 1): full jitter over a doubling ceiling.
///
/// `dice` is uniform in `[0, 1)`; the caller rolls it, so the spread can be tested.
#[must_use]
pub fn backoff(retry: u32, dice: f64) -> Duration {
    let doublings = retry.saturating_sub(1).min(16);
    let ceiling = (FIRST_BACKOFF * 2u32.pow(doublings)).min(LONGEST_BACKOFF);
    ceiling.mul_f64(dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn retry_after_survives_whatever_a_carrier_sends() {
        let now = Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap();
        let wait = |header| retry_after(Some(header), now, HOUR);
        let seconds = |n| Some(Duration::from_secs(n));
        let table = [
            ("7", seconds(7)),
            (" 7 ", seconds(7)),
            ("2.5", Some(Duration::from_millis(2500))),
            ("0", seconds(1)),
            ("-5", seconds(1)),
            ("315360000", seconds(3600)),
            ("1e300", seconds(3600)),
            ("99999999999999999999999999", seconds(3600)),
            ("NaN", None),
            ("inf", None),
            ("", None),
            ("soon", None),
            ("Mon, 23 Nov 2026 12:00:30 GMT", seconds(30)),
            ("Mon, 23 Nov 2026 11:00:00 GMT", seconds(1)),
            ("Sun, 23 Nov 2036 12:00:00 GMT", seconds(3600)),
            ("Monday, 23-Nov-26 12:00:09 GMT", seconds(9)),
        ];
        for (header, expected) in table {
            assert_eq!(wait(header), expected, "Retry-After: {header}");
        }
        assert_eq!(retry_after(None, now, HOUR), None);
    }

    #[test]
    fn backoff_doubles_up_to_a_ceiling_and_spreads_over_all_of_it() {
        let most: Vec<_> = (1..=8)
            .map(|retry| backoff(retry, 1.0).as_millis())
            .collect();
        assert_eq!(most, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
        assert_eq!(backoff(3, 0.0), Duration::ZERO);
        assert_eq!(backoff(u32::MAX, 1.0), LONGEST_BACKOFF);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_header_asks_for_less_than_a_second_or_more_than_allowed(
            header in "\\PC{0,40}|-?[0-9]{1,25}(\\.[0-9]{0,9})?",
            longest_s in 1_u64..100_000,
            now_s in 0_i64..4_102_444_800,
        ) {
            let now = DateTime::from_timestamp(now_s, 0).unwrap();
            let longest = Duration::from_secs(longest_s);
            let wait = retry_after(Some(&header), now, longest);
            prop_assert!(wait.is_none_or(|wait| wait >= SHORTEST_PAUSE && wait <= longest));
        }

        #[test]
        fn a_date_means_the_time_until_then(
            now_s in 0_i64..4_000_000_000,
            ahead_s in -100_000_i64..100_000,
        ) {
            let now = DateTime::from_timestamp(now_s + 200_000, 0).unwrap();
            let then = now + chrono::TimeDelta::seconds(ahead_s);
            let header = httpdate::fmt_http_date(then.into());
            let expected = Duration::from_secs(ahead_s.clamp(1, 3_600).unsigned_abs());
            prop_assert_eq!(retry_after(Some(&header), now, HOUR), Some(expected));
        }
    }
}
