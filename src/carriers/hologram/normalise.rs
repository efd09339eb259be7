//! What Hologram's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    links, status,
    wire::{BillingRow, DeviceRow, SessionRow, Timestamp},
};
use crate::{
    carriers::{
        DeviceRecord, LineId, UsagePart, UsageRecord,
        lenient::Field,
        record::{CycleStart, LineUsage},
    },
    device::{CarrierDeviceId, CycleSource, DeviceInfo},
};

/// A prepaid period, counted from the activation of the SIM.
const PERIOD: TimeDelta = TimeDelta::days(30);

/// A device of the listing, or of a single call.
///
/// Raw values outside the vocabulary are added to `unmapped`, each once.
///
/// # Errors
/// In words: the row has no readable id, so nobody knows which device it is.
pub(super) fn device(
    row: &DeviceRow<'_>,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    let Field::Value(id) = row.id else {
        return Err("the device id cannot be read".into());
    };
    let device = CarrierDeviceId::parse(&id.to_string()).map_err(|error| error.to_string())?;
    let session = status::last_session(&row.lastsession);
    let profiles = links::profiles(row, session, unmapped);
    let primary = links::primary(&profiles);
    let info = DeviceInfo {
        sim_status: primary.and_then(|profile| profile.sim_status),
        network_status: Some(status::network_status(
            primary.is_some_and(|profile| profile.is_paused),
            session,
            unmapped,
        )),
        iccid: primary.and_then(|profile| profile.iccid).map(Into::into),
    };
    let lines = profiles.into_iter().map(|profile| profile.line).collect();
    Ok(DeviceRecord {
        device,
        also: None,
        info,
        lines,
    })
}

/// A row of the billing report; `None` for periods that say nothing about the current cycle.
///
/// # Errors
/// In words: without link or period nobody knows what the row counts.
pub(super) fn billing(row: &BillingRow<'_>) -> Result<Option<UsageRecord>, String> {
    let Field::Value(link) = row.linkid else {
        return Err("`linkid` cannot be read".into());
    };
    let Field::Value(periods_back) = row.periods_back else {
        return Err("`periods_back` cannot be read".into());
    };
    let end = time(row.cur_period_end);
    let usage = match periods_back {
        0 => LineUsage {
            used: row.bytes.value(),
            limit: None,
            cycle_end: end,
            cycle_start: end.and_then(|end| derived_start(end, None)),
        },
        // The period before ended where the current one starts.
        1 => LineUsage {
            cycle_start: end.map(|at| CycleStart {
                source: CycleSource::Reported,
                at,
            }),
            ..LineUsage::default()
        },
        _ => return Ok(None),
    };
    Ok(Some(UsageRecord {
        line: LineId::Number(link),
        usage,
    }))
}

/// A row of the session report.
pub(super) fn session_part(row: &SessionRow<'_>) -> UsagePart {
    let id = row
        .record_id
        .as_ref()
        .value()
        .map(|id| id.trim())
        .filter(|id| !id.is_empty());
    UsagePart {
        id: id.map(Into::into),
        line: row.linkid.value().map(LineId::Number),
        used: row.bytes.value(),
    }
}

/// Thirty days before the end, but not before the SIM was claimed.
pub(super) fn derived_start(
    end: DateTime<Utc>,
    claimed: Option<DateTime<Utc>>,
) -> Option<CycleStart> {
    let period = end.checked_sub_signed(PERIOD)?;
    let at = claimed
        .filter(|claimed| *claimed < end)
        .map_or(period, |claimed| claimed.max(period));
    Some(CycleStart {
        source: CycleSource::Derived,
        at,
    })
}

/// The instant, where there is one.
pub(super) fn time(field: Field<Timestamp>) -> Option<DateTime<Utc>> {
    field.value().map(|time| time.0)
}
