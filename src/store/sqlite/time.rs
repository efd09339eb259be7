//! Instants as SQLite stores them: RFC 3339 in UTC, six decimals, one width, so text order is time
//! order.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

/// The current time in the same form, as an SQL expression (SQLite counts milliseconds).
macro_rules! now {
    () => {
        "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"
    };
}
pub(super) use now;

pub(super) fn to_text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Reads our own form, any other RFC 3339, and what SQLite's `datetime()` writes. Anything else is no
/// time: `None` with a warning, because one odd value must not cost the row.
pub(super) fn from_text(column: &'static str, text: Option<&str>) -> Option<DateTime<Utc>> {
    let text = text?;
    let parsed = DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|time| time.and_utc())
        });
    if parsed.is_err() {
        tracing::warn!(column, "not a time; read as none");
    }
    parsed.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stored_times_sort_as_text_and_come_back_to_the_microsecond() {
        let micros = [0, 1, 999_999, 1_000_000, 1_700_000_000_123_456];
        let texts: Vec<_> = micros
            .iter()
            .map(|m| to_text(DateTime::from_timestamp_micros(*m).unwrap()))
            .collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert!(
            texts.iter().all(|text| text.len() == texts[0].len()),
            "{texts:?}"
        );
        for (micros, text) in micros.iter().zip(&texts) {
            assert_eq!(
                from_text("c", Some(text)).unwrap().timestamp_micros(),
                *micros
            );
        }
    }

    #[test]
    fn a_text_that_is_no_time_is_read_as_none() {
        assert_eq!(from_text("c", Some("soon")), None);
        assert_eq!(from_text("c", None), None);
        assert!(from_text("c", Some("2026-11-01 00:00:00")).is_some());
        assert!(from_text("c", Some("2026-11-01T02:00:00+02:00")).is_some());
    }
}
