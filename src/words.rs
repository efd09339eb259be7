//! Times and counts for people, in the same words on the command line and on pages. Pure; knows nothing of what
//! they are about.

use std::time::Duration;

use chrono::TimeDelta;

/// How long ago, in the largest unit that says enough. Clocks differ: the future is now.
#[must_use]
pub fn ago(passed: TimeDelta) -> String {
    format!("{} ago", span(passed))
}

/// A time in the largest unit that says enough; a negative one is none.
#[must_use]
pub fn span(time: TimeDelta) -> String {
    match time.num_seconds().max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// How long something took.
#[must_use]
pub fn took(time: Duration) -> String {
    match time.as_secs() {
        0..100 => format!("{:.1}s", time.as_secs_f64()),
        seconds @ 100..6_000 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A count with its thousands apart: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_a_unit_that_says_enough() {
        for (seconds, text) in [
            (-5, "0s ago"),
            (119, "119s ago"),
            (120, "2m ago"),
            (7_199, "119m ago"),
            (7_200, "2h ago"),
            (172_800, "2d ago"),
        ] {
            assert_eq!(ago(TimeDelta::seconds(seconds)), text);
        }
    }

    #[test]
    fn a_time_is_told_in_a_unit_that_says_enough() {
        for (ms, text) in [
            (0, "0.0s"),
            (1_250, "1.2s"),
            (99_900, "99.9s"),
            (100_000, "1m40s"),
            (5_999_000, "99m59s"),
            (7_260_000, "2h01m"),
        ] {
            assert_eq!(took(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_count_has_its_thousands_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (100_000, "100,000"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
