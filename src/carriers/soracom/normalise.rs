//! What Soracom's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Utc};

use super::wire::{Profile, SimRow, StatsRow, Traffic};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord, UsagePart,
        calendar::usage_in,
        lenient::{Field, Object},
        record::LineUsage,
        rows::quote,
        walk::note_unmapped as note,
    },
    device::{BillingCycle, ByteCount, CarrierDeviceId, DeviceInfo, NetworkStatus, SimStatus},
};

/// Longest text that is taken for an ICCID, in bytes; the standard has at most 22 digits.
const MAX_ICCID_BYTES: usize = 32;

/// A SIM of the listing, or of a single call.
///
/// Its line names the month without bytes, so that they can be asked for. The line of a terminated SIM
/// names nothing: there is no call for it, and an empty answer would read as zero.
///
/// # Errors
/// In words: without a readable id nobody knows which SIM it is.
pub(super) fn sim(
    row: &SimRow<'_>,
    month: Option<BillingCycle>,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    let id = text(&row.sim_id).ok_or("`simId` cannot be read")?;
    let device = CarrierDeviceId::parse(id).map_err(|error| error.to_string())?;
    let sim_status = sim_status(&row.status, unmapped);
    let usage = match sim_status {
        Some(SimStatus::Deactivated) => LineUsage::default(),
        _ => usage_in(month, None),
    };
    Ok(DeviceRecord {
        info: DeviceInfo {
            sim_status,
            network_status: Some(network_status(row, sim_status, unmapped)),
            iccid: iccid(row).map(Into::into),
        },
        lines: vec![LineRecord {
            line: LineId::Text(id.into()),
            usage,
        }],
        ..DeviceRecord::of(device)
    })
}

/// `None` when the carrier did not say: the stored status stays.
fn sim_status(status: &Field<Cow<'_, str>>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let status = match status {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, "sim status that is not text".into());
            return Some(SimStatus::Unknown);
        }
        Field::Value(status) => status.trim(),
    };
    Some(match status.to_ascii_lowercase().as_str() {
        "active" => SimStatus::Active,
        "ready" | "standby" | "shipped" => SimStatus::Ready,
        "inactive" | "suspended" => SimStatus::Suspended,
        "terminated" => SimStatus::Deactivated,
        _ => {
            note(unmapped, format!("sim status {:?}", quote(status)));
            SimStatus::Unknown
        }
    })
}

/// A suspended SIM counts as suspended whatever its session says: a session that timed out late is no
/// traffic.
fn network_status(
    row: &SimRow<'_>,
    sim_status: Option<SimStatus>,
    unmapped: &mut Vec<String>,
) -> NetworkStatus {
    if sim_status == Some(SimStatus::Suspended) {
        return NetworkStatus::Suspended;
    }
    let online = match &row.session_status.0 {
        Field::Value(session) => session.online,
        Field::Missing => Field::Missing,
        Field::Bad => Field::Bad,
    };
    match online {
        Field::Value(true) => NetworkStatus::Connected,
        Field::Value(false) => NetworkStatus::Disconnected,
        Field::Missing => NetworkStatus::Unknown,
        Field::Bad => {
            note(
                unmapped,
                "`sessionStatus.online` that is not a truth value".into(),
            );
            NetworkStatus::Unknown
        }
    }
}

/// The ICCID of the active profile, or of the only one. Of several, none of them named active, any could
/// be the wrong one.
fn iccid<'a>(row: &'a SimRow<'_>) -> Option<&'a str> {
    let profiles = row.profiles.0.as_ref().value()?;
    let profile = match text(&row.active_profile_id) {
        Some(active) => profiles.get(active)?,
        None if profiles.len() == 1 => profiles.values().next()?,
        None => return None,
    };
    let Object(Field::Value(Profile { iccid })) = profile else {
        return None;
    };
    text(iccid).filter(|iccid| {
        iccid.len() <= MAX_ICCID_BYTES && iccid.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// One period of a SIM's statistics; `None`: it is not of this month.
pub(super) fn part(row: &StatsRow<'_>, month: &BillingCycle) -> Option<UsagePart> {
    let date = text(&row.date);
    let is_ours = is_of_month(date, row.unixtime.value(), month);
    if is_ours == Some(false) {
        return None;
    }
    let unixtime = row.unixtime.value().map(|seconds| seconds.to_string());
    Some(UsagePart {
        id: date.map(Into::into).or(unixtime.map(Into::into)),
        line: None,
        // Bytes of nobody knows when are not the month's.
        used: is_ours.and_then(|_| traffic(row)),
    })
}

/// The sum over all speed classes, both directions; `None` where one of the counters is not there.
fn traffic(row: &StatsRow<'_>) -> Option<ByteCount> {
    let classes = row.data_traffic_stats_map.0.as_ref().value()?;
    classes.values().try_fold(ByteCount::ZERO, |sum, class| {
        let Object(Field::Value(Traffic {
            upload_byte_size_total: up,
            download_byte_size_total: down,
        })) = class
        else {
            return None;
        };
        sum.checked_add(up.value()?)?.checked_add(down.value()?)
    })
}

/// Whether a row lies in the month, by its date (documented as UTC) or else by its instant in seconds;
/// `None`: it says neither in a form that can be read.
pub(super) fn is_of_month(
    date: Option<&str>,
    unixtime: Option<i64>,
    month: &BillingCycle,
) -> Option<bool> {
    let first = month.start();
    let same = |(year, number): (i32, u32)| (year, number) == (first.year(), first.month());
    date.and_then(year_and_month)
        .or_else(|| unixtime.and_then(month_of_second))
        .map(same)
}

/// `20260401`, `202604`, `2026-04-01`, `2026-04-01T00:00:00Z`.
fn year_and_month(date: &str) -> Option<(i32, u32)> {
    let digits: String = date
        .chars()
        .filter(|letter| !matches!(letter, '-' | '/'))
        .take_while(char::is_ascii_digit)
        .collect();
    // Ten digits and more are an instant, not a date.
    if !matches!(digits.len(), 6 | 8) {
        return None;
    }
    in_range(digits[..4].parse().ok()?, digits[4..6].parse().ok()?)
}

/// Milliseconds, taken for seconds, lie in a far future, and are no month.
fn month_of_second(seconds: i64) -> Option<(i32, u32)> {
    let at: DateTime<Utc> = DateTime::from_timestamp(seconds, 0)?;
    in_range(at.year(), at.month())
}

fn in_range(year: i32, month: u32) -> Option<(i32, u32)> {
    ((2000..=2200).contains(&year) && (1..=12).contains(&month)).then_some((year, month))
}

/// A text that is not empty.
pub(super) fn text<'a>(field: &'a Field<Cow<'_, str>>) -> Option<&'a str> {
    let text = field.as_ref().value()?.trim();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::carriers::calendar;

    #[test]
    fn a_row_belongs_to_the_month_of_its_date_and_else_of_its_second() {
        let april = calendar::month("2026-04-09T08:00:00Z".parse().unwrap()).unwrap();
        let table = [
            (Some("20260401"), None, Some(true)),
            (Some("202604"), None, Some(true)),
            (Some("2026-04-30T23:55:00Z"), None, Some(true)),
            (Some("20260501"), None, Some(false)),
            (Some("20250401"), None, Some(false)),
            // The date is documented as UTC and goes first.
            (Some("20260401"), Some(1_774_972_800), Some(true)),
            (None, Some(1_775_001_600), Some(true)),
            (None, Some(1_775_001_599), Some(false)),
            (Some("soon"), Some(1_775_001_600), Some(true)),
            // Milliseconds in the place of seconds.
            (None, Some(1_775_001_600_000), None),
            (Some("1775001600"), None, None),
            (Some("20261301"), None, None),
            (None, None, None),
        ];
        for (date, unixtime, expected) in table {
            assert_eq!(
                is_of_month(date, unixtime, &april),
                expected,
                "{date:?} {unixtime:?}"
            );
        }
    }
}
