//! The time that a usage record is asked for, and whether an answer speaks of it.
//!
//! A record that counts from another time than was asked for says nothing about a cycle; stored under it,
//! it would be a wrong bill.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::device::BillingCycle;

/// The vendor aggregates by the hour, so a bound may be moved by less than one.
const BUCKET: TimeDelta = TimeDelta::hours(1);

/// From here until there, or until now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    start: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
}

impl Window {
    pub(super) fn since(start: DateTime<Utc>) -> Self {
        Self { start, end: None }
    }

    pub(super) fn of(cycle: &BillingCycle) -> Self {
        Self {
            start: cycle.start(),
            end: Some(cycle.end()),
        }
    }

    /// Whether a period lies within; an unknown bound is taken for the one that was asked for.
    pub(super) fn holds(&self, start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> bool {
        let begins = start.is_none_or(|start| self.start - start < BUCKET);
        let ends = end
            .zip(self.end)
            .is_none_or(|(end, last)| end - last < BUCKET);
        begins && ends
    }
}

/// ISO 8601, to the second and no less exact than the instant.
pub(super) fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::CycleSource;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_record_of_another_time_is_told_from_one_moved_to_the_hour() {
        let (start, end) = (at("2021-06-09T13:18:15Z"), at("2021-07-09T13:18:15Z"));
        let cycle = BillingCycle::new(start, end, CycleSource::Reported).unwrap();
        let window = Window::of(&cycle);
        assert!(window.holds(Some(start), Some(end)));
        assert!(window.holds(Some(at("2021-06-09T13:00:00Z")), None));
        assert!(window.holds(None, Some(at("2021-07-09T14:00:00Z"))));
        assert!(!window.holds(Some(at("2021-06-09T12:00:00Z")), Some(end)));
        assert!(!window.holds(Some(start), Some(at("2021-07-09T15:00:00Z"))));
        let open = Window::since(start);
        assert!(open.holds(Some(start), Some(at("2022-01-01T00:00:00Z"))));
        assert!(!open.holds(Some(at("2021-06-01T00:00:00Z")), None));
    }
}
