//! What Super SIM's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use chrono::{DateTime, Utc};

use super::{
    window::Window,
    wire::{PeriodRow, SimRow, Timestamp, UsageRow},
};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord, UsagePart,
        lenient::Field,
        record::{CycleStart, LineUsage},
        rows::quote,
        walk::note_unmapped,
    },
    device::{CarrierDeviceId, CycleSource, DeviceInfo, SimStatus},
};

/// Longest text that is taken for an ICCID, in bytes; the standard has at most 22 digits.
const MAX_ICCID_BYTES: usize = 32;

/// A SIM of the listing, or of a single call: one line, named like the device.
///
/// # Errors
/// In words: the row has no readable SID, so nobody knows which SIM it is.
pub(super) fn sim(row: &SimRow<'_>, unmapped: &mut Vec<String>) -> Result<DeviceRecord, String> {
    let sid = text(&row.sid).ok_or("`sid` cannot be read")?;
    let device = CarrierDeviceId::parse(sid).map_err(|error| error.to_string())?;
    let iccid = text(&row.iccid).filter(|iccid| is_iccid(iccid));
    let info = DeviceInfo {
        sim_status: sim_status(row.status.as_ref().map(|status| status.trim()), unmapped),
        // No field of the API speaks of it.
        network_status: None,
        iccid: iccid.map(Into::into),
    };
    Ok(DeviceRecord {
        info,
        lines: vec![line(sid, LineUsage::default())],
        ..DeviceRecord::of(device)
    })
}

/// `None` when the carrier did not say, or says that the status is being changed: the stored one stays.
fn sim_status(status: Field<&str>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let status = match status {
        Field::Missing => return None,
        Field::Bad => {
            note_unmapped(unmapped, "sim status that is not text".into());
            return Some(SimStatus::Unknown);
        }
        Field::Value(status) => status,
    };
    Some(match status.to_ascii_lowercase().as_str() {
        "new" | "ready" => SimStatus::Ready,
        "active" => SimStatus::Active,
        "inactive" => SimStatus::Suspended,
        "scheduled" => return None,
        _ => {
            note_unmapped(unmapped, format!("sim status {:?}", quote(status)));
            SimStatus::Unknown
        }
    })
}

/// What a usage record counts, told apart from the others of its SIM.
///
/// Two records that begin at the same time and are about the same fleet, network and country overlap: they
/// are one, read twice. Without a time, only equal figures are taken for one.
pub(super) fn usage_part(row: &UsageRow<'_>, window: Window) -> UsagePart {
    let period = row.period.0.as_ref().value();
    let start = period.and_then(|period| time(period.start_time));
    let end = period.and_then(|period| time(period.end_time));
    let used = row.data_total.value().filter(|_| window.holds(start, end));
    let when = match start {
        Some(start) => Some(start.to_rfc3339()),
        None => used.map(|used| used.bytes().to_string()),
    };
    let about = [&row.fleet_sid, &row.network_sid, &row.iso_country];
    let about = about.into_iter().filter_map(text).map(str::to_owned);
    let id = when.into_iter().chain(about).collect::<Vec<_>>().join("/");
    UsagePart {
        id: (!id.is_empty()).then(|| id.into()),
        line: text(&row.sim_sid).map(|sid| LineId::Text(sid.into())),
        used,
    }
}

/// A billing period as the cycle of the SIM's line; `asked` is the SIM where the row does not name it.
///
/// # Errors
/// In words: it has not two bounds in order.
pub(super) fn cycle(row: &PeriodRow<'_>, asked: &CarrierDeviceId) -> Result<LineRecord, String> {
    let start = time(row.start_time).ok_or("`start_time` cannot be read")?;
    let end = time(row.end_time).ok_or("`end_time` cannot be read")?;
    if end <= start {
        return Err("the period ends before it begins".into());
    }
    let usage = LineUsage {
        cycle_end: Some(end),
        cycle_start: Some(CycleStart {
            source: CycleSource::Reported,
            at: start,
        }),
        ..LineUsage::default()
    };
    Ok(line(text(&row.sim_sid).unwrap_or(asked.as_str()), usage))
}

/// The line of a SIM, by the name that usage records give it: not by that of a device linked in capitals, whose
/// usage would seem to be missing from the report.
fn line(sid: &str, usage: LineUsage) -> LineRecord {
    LineRecord {
        line: LineId::Text(sid.into()),
        usage,
    }
}

/// A text that is not empty.
pub(super) fn text<T: AsRef<str>>(field: &Field<T>) -> Option<&str> {
    let text = field.as_ref().value()?.as_ref().trim();
    (!text.is_empty()).then_some(text)
}

fn time(field: Field<Timestamp>) -> Option<DateTime<Utc>> {
    field.value().map(|time| time.0)
}

fn is_iccid(text: &str) -> bool {
    text.len() <= MAX_ICCID_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
