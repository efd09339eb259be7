//! What 1NCE's values mean, in the vocabulary of all carriers; usage apart, which is `quota.rs`. Pure.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::names::{SimName, bare, with_check_digit};
use super::wire::{Connectivity, SimRow, Timestamp};
use crate::carriers::lenient::{Field, Object};
use crate::carriers::record::{CycleStart, LineUsage};
use crate::carriers::rows::{self, quote};
use crate::carriers::single::about_another_device;
use crate::carriers::walk::{body_text, note_unmapped as note};
use crate::carriers::{Answer, DeviceRecord, LineId, LineRecord, ReadError};
use crate::device::{CarrierDeviceId, CycleSource, DeviceInfo, NetworkStatus, SimStatus};

/// What a SIM counts as that is registered at a network and has no data session.
const ATTACHED: NetworkStatus = NetworkStatus::Disconnected;

/// A row of the listing.
///
/// # Errors
/// In words: the row is no object, or nobody knows which SIM it is about.
pub(super) fn sim_row(row: &RawValue, unmapped: &mut Vec<String>) -> Result<DeviceRecord, String> {
    match rows::row::<SimRow<'_>>(row) {
        Field::Value(row) => record(&row, unmapped),
        Field::Missing | Field::Bad => Err("not a readable object".into()),
    }
}

/// The answer about one SIM, named as it was asked for.
pub(super) fn sim(
    answer: &Answer<'_>,
    name: &SimName,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, ReadError> {
    let text = body_text(answer.body);
    let row = rows::read::<Object<SimRow<'_>>>(&text)?;
    let row = rows::present(row.0, "iccid", "in an object")?;
    let mut record = record(&row, unmapped).map_err(ReadError::Malformed)?;
    if !name.is(record.device.as_str()) {
        return Err(about_another_device());
    }
    if record.device != *name.asked() {
        record.also = Some(std::mem::replace(&mut record.device, name.asked().clone()));
    }
    Ok(record)
}

fn record(row: &SimRow<'_>, unmapped: &mut Vec<String>) -> Result<DeviceRecord, String> {
    let iccid = row.iccid.as_ref().value().map(|iccid| bare(iccid));
    let is_iccid = |iccid: &&str| {
        (18..=20).contains(&iccid.len()) && iccid.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some(iccid) = iccid.filter(is_iccid) else {
        return Err("the ICCID cannot be read".into());
    };
    let device = CarrierDeviceId::parse(iccid).map_err(|error| error.to_string())?;
    let printed = row.iccid_with_luhn.as_ref().value().map(|iccid| &**iccid);
    let printed = with_check_digit(iccid, printed);
    Ok(DeviceRecord {
        also: printed.and_then(|printed| CarrierDeviceId::parse(&printed).ok()),
        info: DeviceInfo {
            sim_status: sim_status(row, unmapped),
            network_status: None,
            iccid: Some(iccid.into()),
        },
        lines: vec![LineRecord {
            line: LineId::Text(iccid.into()),
            usage: LineUsage {
                cycle_start: activation(row),
                ..LineUsage::default()
            },
        }],
        device,
    })
}

/// `None` when the carrier did not say: the stored status stays.
fn sim_status(row: &SimRow<'_>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let word = match &row.status {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, "sim status that is not text".into());
            return Some(SimStatus::Unknown);
        }
        Field::Value(word) => word.trim(),
    };
    Some(if word.eq_ignore_ascii_case("Enabled") {
        if was_activated(row) {
            SimStatus::Active
        } else {
            SimStatus::Ready
        }
    } else if word.eq_ignore_ascii_case("Disabled") {
        SimStatus::Suspended
    } else {
        note(unmapped, format!("sim status {:?}", quote(word)));
        SimStatus::Unknown
    })
}

/// A date that cannot be read is a date all the same.
fn was_activated(row: &SimRow<'_>) -> bool {
    match &row.activation_date {
        Field::Missing => false,
        Field::Bad => true,
        Field::Value(date) => !date.trim().is_empty(),
    }
}

/// Where a quota does not say when it was created, it began with the SIM's activation.
fn activation(row: &SimRow<'_>) -> Option<CycleStart> {
    let date = row.activation_date.as_ref().value()?;
    Some(CycleStart {
        source: CycleSource::Derived,
        at: Timestamp::parse(date)?.0,
    })
}

/// The answer about one SIM's connectivity.
pub(super) fn connectivity(
    answer: &Answer<'_>,
    name: &SimName,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, ReadError> {
    let text = body_text(answer.body);
    let read = rows::read::<Object<Connectivity<'_>>>(&text)?;
    let read = rows::present(read.0, "status", "in an object")?;
    let located = read
        .location
        .0
        .value()
        .and_then(|place| place.iccid.value());
    if located.is_some_and(|iccid| !name.is(&iccid)) {
        return Err(about_another_device());
    }
    let status = rows::present(rows::described(read.status), "status", "a text")?;
    let mut record = DeviceRecord::of(name.asked().clone());
    record.info.network_status = Some(network_status(status, unmapped));
    Ok(record)
}

fn network_status(word: Cow<'_, str>, unmapped: &mut Vec<String>) -> NetworkStatus {
    match word.trim().to_ascii_uppercase().as_str() {
        "ONLINE" => NetworkStatus::Connected,
        "ATTACHED" => ATTACHED,
        "OFFLINE" => NetworkStatus::Disconnected,
        "BLOCKED" => NetworkStatus::Suspended,
        _ => {
            note(unmapped, format!("network status {:?}", quote(&word)));
            NetworkStatus::Unknown
        }
    }
}
