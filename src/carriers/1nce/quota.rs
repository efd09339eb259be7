//! What a SIM's lifetime quota says of its usage: it tells what *remains*, never what was used.
//!
//! Used is all that was ever put in less what remains. Where the two contradict each other nothing is
//! known, which is not zero.

use super::names::SimName;
use super::wire::{Quota, Timestamp};
use crate::carriers::lenient::{Field, Object};
use crate::carriers::quantity::{ByteUnit, Decimal};
use crate::carriers::record::{CycleStart, LineUsage};
use crate::carriers::rows::{self, quote};
use crate::carriers::walk::{body_text, note_unmapped as note};
use crate::carriers::{Answer, DeviceRecord, LineId, LineRecord, ReadError};
use crate::device::{CycleSource, SimStatus};

/// "1 megabyte = 1024 kilobytes" (OpenAPI document, `volume`).
const UNIT: ByteUnit = ByteUnit::Mebibyte;

/// The answer about one SIM's data quota.
pub(super) fn usage(
    answer: &Answer<'_>,
    name: &SimName,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, ReadError> {
    let text = body_text(answer.body);
    let quota = rows::read::<Object<Quota<'_>>>(&text)?;
    let quota = rows::present(quota.0, "volume", "in an object")?;
    let mut record = DeviceRecord::of(name.asked().clone());
    let mut usage = LineUsage::default();
    if is_of_data(&quota) {
        record.info.sim_status = sim_status(&quota, unmapped);
        usage = line_usage(&quota, unmapped);
    } else {
        note(unmapped, "a quota of another service than data".into());
    }
    record.lines.push(LineRecord {
        line: LineId::Text(name.path().into()),
        usage,
    });
    Ok(record)
}

fn line_usage(quota: &Quota<'_>, unmapped: &mut Vec<String>) -> LineUsage {
    let whole = accumulated(quota, unmapped);
    let time = |field: Field<Timestamp>| field.value().map(|time| time.0);
    LineUsage {
        used: whole.and_then(|whole| quota.volume.value()?.used_of(whole, UNIT)),
        limit: whole.and_then(|whole| whole.bytes(UNIT)),
        cycle_end: time(quota.expiry_date),
        cycle_start: time(quota.created_at).map(|at| CycleStart {
            source: CycleSource::Reported,
            at,
        }),
    }
}

/// All that was ever put into the quota. It can be smaller neither than what remains nor than what was there
/// after the last top-up; where it is (as in the documentation's own example), it is not believed.
fn accumulated(quota: &Quota<'_>, unmapped: &mut Vec<String>) -> Option<Decimal> {
    let whole = quota.accumulated_total_volume.value()?;
    let remains = quota.volume.value().map(|remaining| remaining.0);
    let parts = [remains, quota.total_volume.value()];
    let is_at_least = |part: Decimal| {
        whole
            .minus(part)
            .and_then(|rest| rest.bytes(UNIT))
            .is_some()
    };
    if parts.into_iter().flatten().all(is_at_least) {
        return Some(whole);
    }
    note(
        unmapped,
        "quota amounts that contradict each other or are out of range".into(),
    );
    None
}

fn is_of_data(quota: &Quota<'_>) -> bool {
    match &quota.service {
        Field::Value(service) => service.trim().eq_ignore_ascii_case("data"),
        Field::Missing | Field::Bad => true,
    }
}

/// By its words: the documentation pairs ids and words in two ways.
fn sim_status(quota: &Quota<'_>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let word = rows::described(quota.status).value()?;
    match word.trim().to_ascii_uppercase().as_str() {
        "EXPIRED" => return Some(SimStatus::Deactivated),
        "ACTIVE" | "EXHAUSTED" => {}
        _ => note(unmapped, format!("quota status {:?}", quote(&word))),
    }
    None
}
