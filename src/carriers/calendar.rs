//! Billing cycles that are calendar months in UTC, for carriers that count by them.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, Utc};

use super::Answer;
use super::record::{CycleStart, LineUsage};
use crate::device::{BillingCycle, ByteCount, CycleSource};

/// The month that holds `at`: from its first instant to the next month's.
#[must_use]
pub fn month(at: DateTime<Utc>) -> Option<BillingCycle> {
    let first = NaiveDate::from_ymd_opt(at.year(), at.month(), 1)?;
    let next = first.checked_add_months(Months::new(1))?;
    let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    BillingCycle::new(start(first), start(next), CycleSource::Derived)
}

/// The month that an answer about "the current month" speaks of; `None` when a month ended while it was
/// on its way, for then nobody knows which.
#[must_use]
pub fn month_of(answer: &Answer<'_>) -> Option<BillingCycle> {
    let (sent, read) = (month(answer.sent_at)?, month(answer.read_at)?);
    (sent == read).then_some(sent)
}

/// What a line used in a cycle, in the shape of a record.
#[must_use]
pub fn usage_in(cycle: Option<BillingCycle>, used: Option<ByteCount>) -> LineUsage {
    LineUsage {
        used: cycle.and(used),
        limit: None,
        cycle_end: cycle.map(|cycle| cycle.end()),
        cycle_start: cycle.map(|cycle| CycleStart {
            source: cycle.source(),
            at: cycle.start(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let table = [
            (
                "2026-11-25T12:00:00Z",
                "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                "2026-12-31T23:59:59.999Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                "2028-02-29T00:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                "2026-03-01T00:00:00Z",
                "2026-03-01T00:00:00Z",
                "2026-04-01T00:00:00Z",
            ),
        ];
        for (now, start, end) in table {
            let month = month(at(now)).unwrap();
            assert_eq!((month.start(), month.end()), (at(start), at(end)), "{now}");
        }
    }

    #[test]
    fn an_answer_on_its_way_while_a_month_ended_is_about_no_month() {
        let answer = |sent: &str, read: &str| Answer {
            sent_at: at(sent),
            read_at: at(read),
            ..Answer::of(b"", at(sent))
        };
        assert!(month_of(&answer("2026-11-30T23:59:58Z", "2026-11-30T23:59:59Z")).is_some());
        assert!(month_of(&answer("2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z")).is_none());
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_month(seconds in 946_684_800_i64..32_503_680_000) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let month = month(now).unwrap();
            prop_assert!(month.start() <= now && now < month.end());
        }
    }
}
