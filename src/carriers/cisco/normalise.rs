//! What Control Center's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    time::{CycleDate, Instant},
    wire::{CycleToDate, DeviceRow, SessionInfo, UsageRow},
};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord,
        lenient::Field,
        record::{CycleStart, LineUsage},
        rows::quote,
        walk::note_unmapped as note,
    },
    device::{BillingCycle, ByteCount, CarrierDeviceId, DeviceInfo, NetworkStatus, SimStatus},
};

/// A device of the listing, or of a single call. Its session is not told there: except for a deactivated
/// SIM the network status stays as it is.
///
/// # Errors
/// In words: without a readable ICCID nobody knows which device it is.
pub(super) fn device(
    row: &DeviceRow<'_>,
    usage: LineUsage,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    let iccid = text(&row.iccid).ok_or("`iccid` cannot be read")?;
    let device = CarrierDeviceId::parse(iccid).map_err(|error| error.to_string())?;
    let (sim_status, network_status) = status(&row.status, unmapped);
    Ok(DeviceRecord {
        info: DeviceInfo {
            sim_status,
            network_status,
            iccid: Some(iccid.into()),
        },
        lines: vec![line(iccid, usage)],
        ..DeviceRecord::of(device)
    })
}

/// The line of a device: one, named like it.
pub(super) fn line(iccid: &str, usage: LineUsage) -> LineRecord {
    LineRecord {
        line: LineId::Text(iccid.into()),
        usage,
    }
}

/// `None` when the carrier did not say: the stored status stays.
fn status(
    status: &Field<Cow<'_, str>>,
    unmapped: &mut Vec<String>,
) -> (Option<SimStatus>, Option<NetworkStatus>) {
    let status = match status {
        Field::Missing => return (None, None),
        Field::Bad => {
            note(unmapped, "sim status that is not text".into());
            return (Some(SimStatus::Unknown), None);
        }
        Field::Value(status) => status.trim(),
    };
    match status.to_ascii_uppercase().as_str() {
        "ACTIVATED" => (Some(SimStatus::Active), None),
        "ACTIVATION_READY" | "TEST_READY" | "INVENTORY" => (Some(SimStatus::Ready), None),
        // It can be activated again.
        "DEACTIVATED" => (Some(SimStatus::Suspended), Some(NetworkStatus::Suspended)),
        "RETIRED" | "PURGED" | "REPLACED" => (Some(SimStatus::Deactivated), None),
        _ => {
            note(unmapped, format!("sim status {:?}", quote(status)));
            (Some(SimStatus::Unknown), None)
        }
    }
}

/// Statuses and usage of the cycle to date, without the device's name.
pub(super) fn cycle_to_date(
    answer: &CycleToDate<'_>,
    cycle: Option<BillingCycle>,
    unmapped: &mut Vec<String>,
) -> (DeviceInfo, LineUsage) {
    let (sim_status, network_status) = status(&answer.status, unmapped);
    let info = DeviceInfo {
        sim_status,
        network_status,
        iccid: None,
    };
    (info, usage(answer.ctd_data_usage.value(), cycle))
}

/// By the last session: open, ended, or none.
pub(super) fn network_status(
    session: &SessionInfo<'_>,
    unmapped: &mut Vec<String>,
) -> NetworkStatus {
    let time = |field: Field<Instant>| match field {
        Field::Value(Instant(Some(at))) => Field::Value(at),
        Field::Value(Instant(None)) | Field::Missing => Field::Missing,
        Field::Bad => Field::Bad,
    };
    let started = time(session.date_session_started);
    match (started, time(session.date_session_ended)) {
        (Field::Bad, _) | (_, Field::Bad) => {
            note(unmapped, "time of a session that cannot be read".into());
            NetworkStatus::Unknown
        }
        (_, Field::Value(_)) => NetworkStatus::Disconnected,
        (Field::Value(_), Field::Missing) => NetworkStatus::Connected,
        (Field::Missing, Field::Missing) => NetworkStatus::Unknown,
    }
}

/// What a row of a rate plan's usage says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PlanUsage<'r> {
    /// Something else than data, or of another cycle.
    Other,
    /// What this device used; without bytes where they cannot be read.
    Of(&'r str, LineUsage),
}

/// What holds for all rows of a page of usage, and what they are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageFacts<'a> {
    /// The unit, where it is said once.
    pub(super) unit: Option<&'a str>,
    /// The first day of the cycle, where it is said once.
    pub(super) date: Field<CycleDate>,
    /// The cycle that was asked for; `None`: the current one, whichever that is.
    pub(super) asked: Option<BillingCycle>,
    /// When the answer was read.
    pub(super) read_at: DateTime<Utc>,
}

/// # Errors
/// In words: without a readable ICCID nobody knows whose usage it is.
pub(super) fn plan_usage<'r>(
    row: &'r UsageRow<'_>,
    page: PageFacts<'_>,
) -> Result<PlanUsage<'r>, String> {
    let iccid = text(&row.iccid).ok_or("`iccid` cannot be read")?;
    if text(&row.usage_type).is_some_and(|kind| !kind.eq_ignore_ascii_case("DATA")) {
        return Ok(PlanUsage::Other);
    }
    let date = match row.cycle_start_date {
        Field::Missing => page.date,
        date => date,
    };
    let cycle = match date {
        // Bytes of nobody knows when are nobody's.
        Field::Bad => return Ok(PlanUsage::Of(iccid, LineUsage::default())),
        Field::Missing => page.asked,
        Field::Value(date) => {
            let Some(cycle) = date.cycle().filter(|cycle| is_wanted(cycle, page)) else {
                return Ok(PlanUsage::Other);
            };
            // By the account's setting the end is known as well.
            Some(page.asked.unwrap_or(cycle))
        }
    };
    let unit = text(&row.data_usage_unit).or(page.unit);
    let is_bytes = unit
        .is_none_or(|unit| unit.eq_ignore_ascii_case("bytes") || unit.eq_ignore_ascii_case("byte"));
    let used = row.data_usage.value().filter(|_| is_bytes);
    Ok(PlanUsage::Of(iccid, usage(used, cycle)))
}

fn is_wanted(cycle: &BillingCycle, page: PageFacts<'_>) -> bool {
    match page.asked {
        // The same day, in whatever zone.
        Some(asked) => (cycle.start() - asked.start()).abs() < TimeDelta::days(1),
        None => cycle.start() <= page.read_at && page.read_at < cycle.end(),
    }
}

/// Bytes of a cycle that may not be known.
pub(super) fn usage(used: Option<ByteCount>, cycle: Option<BillingCycle>) -> LineUsage {
    LineUsage {
        used,
        limit: None,
        cycle_end: cycle.map(|cycle| cycle.end()),
        cycle_start: cycle.map(|cycle| CycleStart {
            source: cycle.source(),
            at: cycle.start(),
        }),
    }
}

/// A text that is not empty.
pub(super) fn text<'a>(field: &'a Field<Cow<'_, str>>) -> Option<&'a str> {
    let text = field.as_ref().value()?.trim();
    (!text.is_empty()).then_some(text)
}
