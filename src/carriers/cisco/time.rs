//! Control Center's forms of time: the first day of a billing cycle with its zone, instants with an
//! offset, and billing cycles made from either.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, FixedOffset, Months, NaiveDate, NaiveTime, TimeZone, Utc};

use crate::{
    carriers::{
        Answer,
        scalar::{FromScalar, Number},
    },
    device::{BillingCycle, CycleSource},
};

/// Longest text that is looked at; a time has fewer than 30 letters.
const MAX_LENGTH: usize = 40;

/// The first day of a cycle: `2016-11-10Z`, `2016-11-10+00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CycleDate {
    day: NaiveDate,
    zone: FixedOffset,
}

impl CycleDate {
    /// The cycle that begins then and is a month long: its end is not told.
    pub(super) fn cycle(self) -> Option<BillingCycle> {
        let next = self.day.checked_add_months(Months::new(1))?;
        BillingCycle::new(
            midnight(self.day, self.zone)?,
            midnight(next, self.zone)?,
            CycleSource::Derived,
        )
    }
}

fn midnight(day: NaiveDate, zone: FixedOffset) -> Option<DateTime<Utc>> {
    let local = day.and_time(NaiveTime::MIN);
    zone.from_local_datetime(&local)
        .single()
        .map(|at| at.to_utc())
}

impl<'de> FromScalar<'de> for CycleDate {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        let text = text.trim();
        let (day, zone) = text
            .split_at_checked(10)
            .filter(|_| text.len() <= MAX_LENGTH)?;
        // A time of day says no more than the date does: cycles begin at midnight.
        let zone = zone.rfind(['+', '-', 'Z']).map_or("", |at| &zone[at..]);
        Some(Self {
            day: NaiveDate::parse_from_str(day, "%Y-%m-%d")
                .ok()
                .filter(|day| (2000..=9000).contains(&day.year()))?,
            zone: offset(zone)?,
        })
    }

    fn from_number(_: Number<'de>) -> Option<Self> {
        None
    }
}

/// `2016-06-29 00:21:33.339+0000`, and the ISO form; an empty text is how some say that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant(pub(super) Option<DateTime<Utc>>);

impl<'de> FromScalar<'de> for Instant {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self(None));
        }
        if text.len() > MAX_LENGTH {
            return None;
        }
        let iso = text.replacen(' ', "T", 1);
        DateTime::parse_from_rfc3339(&iso)
            .or_else(|_| DateTime::parse_from_str(&iso, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|at| at.to_utc())
            .filter(|at| (2000..=9000).contains(&at.year()))
            .map(|at| Self(Some(at)))
    }

    fn from_number(_: Number<'de>) -> Option<Self> {
        None
    }
}

/// Nothing or `Z`: UTC; `+01:00`, `-0700`.
fn offset(text: &str) -> Option<FixedOffset> {
    if matches!(text, "" | "Z") {
        return FixedOffset::east_opt(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|letter| *letter != ':').collect();
    let is_plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| is_plain)?;
    let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60;
    FixedOffset::east_opt(sign * seconds)
}

/// The day of the month on which an account's cycles begin: its own setting, for the vendor publishes no
/// rule. In a month without that day the cycle begins on its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CycleDay(u32);

impl CycleDay {
    /// `None` unless it is a day of a month.
    pub(super) fn new(day: u64) -> Option<Self> {
        let day = u32::try_from(day).ok()?;
        (1..=31).contains(&day).then_some(Self(day))
    }

    /// The cycle that holds `at`.
    pub(super) fn cycle(self, at: DateTime<Utc>) -> Option<BillingCycle> {
        let first = NaiveDate::from_ymd_opt(at.year(), at.month(), 1)?;
        let this = self.first_day(first)?;
        let (start, end) = if this <= at.date_naive() {
            let next = first.checked_add_months(Months::new(1))?;
            (this, self.first_day(next)?)
        } else {
            let before = first.checked_sub_months(Months::new(1))?;
            (self.first_day(before)?, this)
        };
        let at_midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        BillingCycle::new(at_midnight(start), at_midnight(end), CycleSource::Derived)
    }

    /// The cycle that an answer about "the cycle to date" speaks of; `None` when one ended while it was on
    /// its way, for then nobody knows which.
    pub(super) fn cycle_of(self, answer: &Answer<'_>) -> Option<BillingCycle> {
        let (sent, read) = (self.cycle(answer.sent_at)?, self.cycle(answer.read_at)?);
        (sent == read).then_some(sent)
    }

    fn first_day(self, month: NaiveDate) -> Option<NaiveDate> {
        let days = [self.0, 30, 29, 28].into_iter();
        days.filter(|day| *day <= self.0)
            .find_map(|day| month.with_day(day))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn cycle(text: &str) -> Option<(String, String)> {
        let cycle = CycleDate::from_text(Cow::Owned(text.to_owned()))?.cycle()?;
        Some((cycle.start().to_rfc3339(), cycle.end().to_rfc3339()))
    }

    fn by_day(day: u64, at: &str) -> (String, String) {
        let cycle = CycleDay::new(day).unwrap().cycle(at.parse().unwrap());
        let cycle = cycle.unwrap();
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
        (day(cycle.start()), day(cycle.end()))
    }

    #[test]
    fn a_cycle_is_a_month_of_its_own_zone() {
        let table = [
            (
                "2016-11-10Z",
                "2016-11-10T00:00:00+00:00",
                "2016-12-10T00:00:00+00:00",
            ),
            (
                "2016-11-10",
                "2016-11-10T00:00:00+00:00",
                "2016-12-10T00:00:00+00:00",
            ),
            (
                "2016-11-10+00:00",
                "2016-11-10T00:00:00+00:00",
                "2016-12-10T00:00:00+00:00",
            ),
            (
                "2016-03-01+0200",
                "2016-02-29T22:00:00+00:00",
                "2016-03-31T22:00:00+00:00",
            ),
            (
                "2016-03-01-07:00",
                "2016-03-01T07:00:00+00:00",
                "2016-04-01T07:00:00+00:00",
            ),
            (
                "2016-11-10T00:00:00Z",
                "2016-11-10T00:00:00+00:00",
                "2016-12-10T00:00:00+00:00",
            ),
            (
                "2017-01-31Z",
                "2017-01-31T00:00:00+00:00",
                "2017-02-28T00:00:00+00:00",
            ),
        ];
        for (text, start, end) in table {
            assert_eq!(
                cycle(text).unwrap(),
                (start.to_owned(), end.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            "2016-13-01Z",
            "2016-11",
            "1970-01-01Z",
            "2016-11-10+9",
            "10/11/2016Z",
            "2016-11-1é",
        ] {
            assert_eq!(cycle(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_is_read_in_the_vendor_s_form_and_in_iso() {
        let read = |text: &str| Instant::from_text(Cow::Owned(text.to_owned()));
        let at = Some(Instant(Some("2016-06-29T00:21:33.339Z".parse().unwrap())));
        for text in [
            "2016-06-29 00:21:33.339+0000",
            "2016-06-29T00:21:33.339Z",
            "2016-06-29 02:21:33.339+0200",
        ] {
            assert_eq!(read(text), at, "{text}");
        }
        assert_eq!(read(" "), Some(Instant(None)));
        for text in ["soon", "2016-06-29", "0000-00-00 00:00:00.000+0000"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_that_a_month_lacks_is_its_last() {
        let table = [
            (10, "2026-11-25T12:00:00Z", "2026-11-10", "2026-12-10"),
            (10, "2026-11-10T00:00:00Z", "2026-11-10", "2026-12-10"),
            (10, "2026-11-09T23:59:59Z", "2026-10-10", "2026-11-10"),
            (31, "2026-02-27T12:00:00Z", "2026-01-31", "2026-02-28"),
            (31, "2026-02-28T12:00:00Z", "2026-02-28", "2026-03-31"),
            (29, "2028-02-29T00:00:00Z", "2028-02-29", "2028-03-29"),
            (1, "2026-01-01T00:00:00Z", "2026-01-01", "2026-02-01"),
            (15, "2026-01-02T00:00:00Z", "2025-12-15", "2026-01-15"),
        ];
        for (day, at, start, end) in table {
            assert_eq!(
                by_day(day, at),
                (start.to_owned(), end.to_owned()),
                "{day} {at}"
            );
        }
        assert_eq!([0, 32, 1 << 40].map(CycleDay::new), [None; 3]);
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_cycle_and_the_next_begins_where_it_ends(
            seconds in 946_684_800_i64..7_258_118_400, day in 1_u64..=31,
        ) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let day = CycleDay::new(day).unwrap();
            let cycle = day.cycle(at).unwrap();
            prop_assert!(cycle.start() <= at && at < cycle.end());
            prop_assert_eq!(day.cycle(cycle.end()).unwrap().start(), cycle.end());
        }
    }
}
