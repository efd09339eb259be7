//! Instants as the simulated carrier keeps them: whole seconds, UTC, written without a zone.

use chrono::{DateTime, Datelike, TimeZone, Timelike, Utc};
use serde::{Serialize, Serializer};

/// Seconds since 1970-01-01 00:00:00 UTC.
pub(super) type UnixSeconds = i64;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// The carrier's way to say "not ended yet": no date at all.
const ZERO_DATE: &str = "0000-00-00 00:00:00";

/// An instant as the API writes it: `2025-10-11 17:24:43`; `None` is the zero date.
#[derive(Debug, Clone, Copy)]
pub(super) struct WireTime(pub Option<UnixSeconds>);

impl WireTime {
    pub(super) fn at(seconds: UnixSeconds) -> Self {
        Self(Some(seconds))
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [b'0'; 19];
        let text = self.0.and_then(|seconds| write_civil(seconds, &mut buffer));
        serializer.serialize_str(text.unwrap_or(ZERO_DATE))
    }
}

/// Digits by hand: a page holds thousands of dates and a general formatter would dominate it.
fn write_civil(seconds: UnixSeconds, buffer: &mut [u8; 19]) -> Option<&str> {
    let at = Utc.timestamp_opt(seconds, 0).single()?;
    let year = u32::try_from(at.year()).ok()?;
    let fields = [
        (0, year / 100),
        (2, year % 100),
        (5, at.month()),
        (8, at.day()),
        (11, at.hour()),
        (14, at.minute()),
        (17, at.second()),
    ];
    for (position, value) in fields {
        buffer[position] = b'0' + (value / 10) as u8;
        buffer[position + 1] = b'0' + (value % 10) as u8;
    }
    (buffer[4], buffer[7], buffer[10], buffer[13], buffer[16]) = (b'-', b'-', b' ', b':', b':');
    std::str::from_utf8(buffer).ok()
}

/// The same instant for people and programs outside the carrier's dialect.
pub(super) fn to_utc(seconds: UnixSeconds) -> DateTime<Utc> {
    Utc.timestamp_opt(seconds, 0).single().unwrap_or_default()
}

/// First second of the month that lies `months` after the month of `seconds`.
pub(super) fn month_start(seconds: UnixSeconds, months: i32) -> UnixSeconds {
    let at = to_utc(seconds);
    let month = at.year() * 12 + at.month0() as i32 + months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) as u32 + 1);
    Utc.with_ymd_and_hms(year, month, 1, 0, 0, 0)
        .single()
        .map_or(seconds, |at| at.timestamp())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_the_carrier_writes_it() {
        let written = |time: WireTime| serde_json::to_string(&time).unwrap();
        assert_eq!(
            written(WireTime::at(1_760_203_483)),
            r#""2025-10-11 17:24:43""#
        );
        assert_eq!(written(WireTime(None)), r#""0000-00-00 00:00:00""#);
    }

    #[test]
    fn months_step_over_the_end_of_a_year() {
        let december = Utc
            .with_ymd_and_hms(2025, 12, 31, 23, 59, 59)
            .unwrap()
            .timestamp();
        assert_eq!(
            to_utc(month_start(december, 1)).to_rfc3339(),
            "2026-01-01T00:00:00+00:00"
        );
        assert_eq!(
            to_utc(month_start(december, -12)).to_rfc3339(),
            "2024-12-01T00:00:00+00:00"
        );
    }
}
