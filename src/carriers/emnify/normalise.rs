//! What emnify's values mean, in the vocabulary of all carriers; usage apart, which is `stats.rs`. Pure.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::{Coded, Connectivity, EndpointRow, Sim};
use crate::carriers::lenient::{Field, Object};
use crate::carriers::record::LineUsage;
use crate::carriers::rows::{self, quote};
use crate::carriers::single::about_another_device;
use crate::carriers::walk::{body_text, note_unmapped as note};
use crate::carriers::{Answer, DeviceRecord, LineId, LineRecord, ReadError};
use crate::device::{CarrierDeviceId, DeviceInfo, NetworkStatus, SimStatus};

/// What an endpoint counts as that is registered at a network and has no data session.
const ATTACHED: NetworkStatus = NetworkStatus::Disconnected;

/// A row of the listing.
///
/// # Errors
/// In words: the row is no object, or nobody knows which endpoint it is about.
pub(super) fn endpoint_row(
    row: &RawValue,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    match rows::row::<EndpointRow<'_>>(row) {
        Field::Value(row) => record(&row, unmapped),
        Field::Missing | Field::Bad => Err("not a readable object".into()),
    }
}

/// The answer about one endpoint, named as it was asked for.
pub(super) fn endpoint(
    answer: &Answer<'_>,
    asked: &CarrierDeviceId,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, ReadError> {
    let text = body_text(answer.body);
    let row = rows::read::<Object<EndpointRow<'_>>>(&text)?;
    let row = rows::present(row.0, "id", "in an object")?;
    let mut record = record(&row, unmapped).map_err(ReadError::Malformed)?;
    if row.id.value() != number(asked) {
        return Err(about_another_device());
    }
    record.device = asked.clone();
    Ok(record)
}

/// The line of an endpoint: the endpoint itself.
pub(super) fn line(device: &CarrierDeviceId) -> LineId {
    match number(device) {
        Some(id) => LineId::Number(id),
        None => LineId::Text(device.as_str().into()),
    }
}

fn number(device: &CarrierDeviceId) -> Option<u64> {
    device.as_str().trim().parse().ok()
}

fn record(row: &EndpointRow<'_>, unmapped: &mut Vec<String>) -> Result<DeviceRecord, String> {
    let Field::Value(id) = row.id else {
        return Err("the endpoint id cannot be read".into());
    };
    let device = CarrierDeviceId::parse(&id.to_string()).map_err(|error| error.to_string())?;
    let sim = row.sim.0.as_ref().value();
    let iccid = sim.and_then(|sim| sim.iccid.as_ref().value());
    let iccid = iccid
        .map(|iccid| iccid.trim())
        .filter(|iccid| !iccid.is_empty());
    Ok(DeviceRecord {
        also: None,
        info: DeviceInfo {
            sim_status: sim_status(row, sim, unmapped),
            network_status: None,
            iccid: iccid.map(Into::into),
        },
        lines: vec![LineRecord {
            line: LineId::Number(id),
            usage: LineUsage::default(),
        }],
        device,
    })
}

/// The SIM's own status, as far as the endpoint lets it. `None` when neither was said, or there is no SIM: the
/// stored status stays.
fn sim_status(
    row: &EndpointRow<'_>,
    sim: Option<&Sim<'_>>,
    unmapped: &mut Vec<String>,
) -> Option<SimStatus> {
    if matches!(row.sim.0, Field::Bad) {
        note(unmapped, "sim that is no object".into());
    }
    let status = sim.and_then(|sim| {
        coded(&sim.status, "sim status", unmapped, |id| {
            Some(match id {
                0 | 4 => SimStatus::Ready,
                1 => SimStatus::Active,
                2 => SimStatus::Suspended,
                3 => SimStatus::Deactivated,
                _ => return None,
            })
        })
        .map(|known| known.unwrap_or(SimStatus::Unknown))
    });
    let endpoint = coded(&row.status, "endpoint status", unmapped, |id| {
        (id <= 2).then_some(id)
    });
    match (endpoint, status) {
        (Some(Some(2)), _) => Some(SimStatus::Deactivated),
        (Some(Some(1)), Some(SimStatus::Active)) => Some(SimStatus::Suspended),
        // Whether such an endpoint may use the network is not known.
        (Some(None), Some(SimStatus::Active)) => Some(SimStatus::Unknown),
        (_, status) => status,
    }
}

/// What a value's id means. Outer `None`: not said; inner `None`: an id that is not in the table, which is
/// noted.
fn coded<T>(
    value: &Object<Coded<'_>>,
    what: &str,
    unmapped: &mut Vec<String>,
    meaning: impl FnOnce(u64) -> Option<T>,
) -> Option<Option<T>> {
    let value = match &value.0 {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, format!("{what} that is no object"));
            return Some(None);
        }
        Field::Value(value) => value,
    };
    let known = value.id.value().and_then(meaning);
    if known.is_none() {
        let id = value
            .id
            .value()
            .map_or("without id".into(), |id| id.to_string());
        let words = value.description.as_ref().value().map_or("", |words| words);
        note(unmapped, format!("{what} {id} {:?}", quote(words)));
    }
    Some(known)
}

/// The answer about one endpoint's connectivity.
pub(super) fn connectivity(
    answer: &Answer<'_>,
    asked: &CarrierDeviceId,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, ReadError> {
    let text = body_text(answer.body);
    let read = rows::read::<Object<Connectivity<'_>>>(&text)?;
    let read = rows::present(read.0, "status", "in an object")?;
    let status = rows::present(rows::described(read.status), "status", "a text")?;
    let mut record = DeviceRecord::of(asked.clone());
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
