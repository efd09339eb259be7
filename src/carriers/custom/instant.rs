//! Instants as carriers write them: a number since 1970, or one of the usual texts.
//!
//! A number says nothing of its unit, and a manifest may name the wrong one: milliseconds read as seconds are a
//! date, 57,000 years from now. So an instant that no billing cycle can have is none. Pure.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::Value;

use super::manifest::TimeNumbers;

/// Years in which a billing cycle may begin or end.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2200;

/// Digits of a date without its dashes.
const DIGITS_OF_A_DATE: usize = 8;

/// `None`: it cannot be read, or cannot be meant.
pub(super) fn instant(value: &Value, numbers: TimeNumbers) -> Option<DateTime<Utc>> {
    let time = match value {
        Value::Number(number) => of_number(number.as_i64()?, numbers),
        Value::String(text) => of_text(text.trim(), numbers),
        _ => None,
    };
    time.filter(|time| YEARS.contains(&time.year()))
}

fn of_number(number: i64, numbers: TimeNumbers) -> Option<DateTime<Utc>> {
    match numbers {
        TimeNumbers::Seconds => DateTime::from_timestamp(number, 0),
        TimeNumbers::Milliseconds => DateTime::from_timestamp_millis(number),
    }
}

/// A number, or RFC 3339, also with `+0000`, the same without a zone (UTC), or a date (its first instant).
fn of_text(text: &str, numbers: TimeNumbers) -> Option<DateTime<Utc>> {
    match text.parse::<i64>() {
        // 20261130 is no second of 1970.
        Ok(_) if text.len() == DIGITS_OF_A_DATE => return None,
        Ok(number) => return of_number(number, numbers),
        Err(_) => {}
    }
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"];
    let zoneless = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let of_zone = || {
        let mut forms = zoned.iter();
        let time = forms.find_map(|form| DateTime::parse_from_str(text, form).ok());
        time.map(|time| time.to_utc())
    };
    let of_none = || {
        let mut forms = zoneless.iter();
        let time = forms.find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        time.map(|time| time.and_utc())
    };
    let date = || {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc())
    };
    let rfc3339 = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    rfc3339.ok().or_else(of_zone).or_else(of_none).or_else(date)
}
