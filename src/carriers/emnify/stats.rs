//! What an endpoint used in the current month, and what it means that a month is not there.
//!
//! emnify counts by calendar months and leaves out those without traffic: that is zero, and the only zero
//! that is not a number in the answer.

use chrono::{DateTime, Datelike, Utc};

use super::normalise::line;
use super::wire::{Data, Month, Stats};
use crate::carriers::calendar::{month_of, usage_in};
use crate::carriers::lenient::{Field, Object};
use crate::carriers::quantity::ByteUnit;
use crate::carriers::rows::{self, quote};
use crate::carriers::walk::{body_text, note_unmapped as note};
use crate::carriers::{Answer, DeviceRecord, LineRecord, ReadError};
use crate::device::{ByteCount, CarrierDeviceId};

/// Not documented; 1NCE, on the same platform, documents 1,024 kilobytes.
const MEGABYTE: ByteUnit = ByteUnit::Mebibyte;

/// The answer about one endpoint's traffic.
pub(super) fn usage(
    answer: &Answer<'_>,
    asked: &CarrierDeviceId,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, ReadError> {
    let text = body_text(answer.body);
    let stats = rows::read::<Object<Stats<'_>>>(&text)?;
    let stats = rows::present(stats.0, "current_month", "in an object")?;
    let month = month_of(answer);
    let used = match &stats.current_month.0 {
        Field::Value(current) => used(current, month.map(|month| month.start()), unmapped),
        Field::Missing if is_about_traffic(&stats, &text) => Some(ByteCount::ZERO),
        Field::Missing => return Err(ReadError::Malformed("an answer without statistics".into())),
        Field::Bad => None,
    };
    let mut record = DeviceRecord::of(asked.clone());
    record.lines.push(LineRecord {
        line: line(asked),
        usage: usage_in(month, used),
    });
    Ok(record)
}

/// Whether a missing month was left out for want of traffic, and the answer is not about something else.
fn is_about_traffic(stats: &Stats<'_>, text: &str) -> bool {
    let is_empty = || text.chars().filter(|c| !c.is_whitespace()).eq("{}".chars());
    matches!(stats.last_hour.0, Field::Value(_))
        || matches!(stats.last_month.0, Field::Value(_))
        || is_empty()
}

fn used(
    current: &Month<'_>,
    month: Option<DateTime<Utc>>,
    unmapped: &mut Vec<String>,
) -> Option<ByteCount> {
    let data = current.data.0.as_ref().value()?;
    if !is_of(data, month?) {
        note(unmapped, "a current month that is another month".into());
        return None;
    }
    data.volume.value()?.bytes(unit(data, unmapped)?)
}

/// Whether the month that is named, where one is, is this one: about midnight of the first the carrier's
/// month may be another than ours. A name that is no `2026-11…` says nothing.
fn is_of(data: &Data<'_>, month: DateTime<Utc>) -> bool {
    let named = data.month.as_ref().value().map_or("", |named| named.trim());
    let number = |from, to| named.get(from..to).and_then(|digits| digits.parse().ok());
    match (number(0, 4), named.get(4..5), number(5, 7)) {
        (Some(year), Some("-"), Some(of_year)) => {
            (i64::from(month.year()), i64::from(month.month())) == (year, of_year)
        }
        _ => true,
    }
}

fn unit(data: &Data<'_>, unmapped: &mut Vec<String>) -> Option<ByteUnit> {
    let kind = data.traffic_type.0.as_ref().value();
    match kind.map_or(&Field::Missing, |kind| &kind.unit) {
        Field::Missing => Some(MEGABYTE),
        Field::Value(word) if ByteUnit::binary(word).is_some() => ByteUnit::binary(word),
        Field::Value(word) => {
            note(unmapped, format!("unit of data {:?}", quote(word)));
            None
        }
        Field::Bad => {
            note(unmapped, "unit of data that is not text".into());
            None
        }
    }
}
