//! What Onomondo's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{
    status,
    wire::{DataLimit, SimRow, UsageRow},
};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord,
        calendar::usage_in,
        lenient::{Field, Object},
        record::LineUsage,
    },
    device::{BillingCycle, ByteCount, CarrierDeviceId, DeviceInfo},
};

/// A SIM of the listing, or of a single call; `month` is the one that the usage report is about.
///
/// Raw values outside the vocabulary are added to `unmapped`, each once.
///
/// # Errors
/// In words: the row has no readable id, so nobody knows which SIM it is.
pub(super) fn sim(
    row: &SimRow<'_>,
    month: Option<BillingCycle>,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    let Field::Value(id) = &row.id else {
        return Err("`id` cannot be read".into());
    };
    let device = CarrierDeviceId::parse(&id.0).map_err(|error| error.to_string())?;
    let statuses = status::statuses(row, unmapped);
    let iccid = row.iccid.as_ref().value().map(|iccid| iccid.trim());
    let iccid = iccid.filter(|iccid| !iccid.is_empty());
    Ok(DeviceRecord {
        also: iccid.and_then(|iccid| CarrierDeviceId::parse(iccid).ok()),
        info: DeviceInfo {
            sim_status: statuses.sim,
            network_status: statuses.network,
            iccid: iccid.map(Into::into),
        },
        lines: vec![LineRecord {
            line: LineId::Text(device.as_str().into()),
            usage: LineUsage {
                limit: monthly_limit(&row.data_limit),
                ..usage_in(month, None)
            },
        }],
        device,
    })
}

/// The limit of the billing cycle; one of a day or of a SIM's life is another thing.
fn monthly_limit(limit: &Object<DataLimit<'_>>) -> Option<ByteCount> {
    let limit = limit.0.as_ref().value()?;
    let is_monthly = limit.kind.as_ref().value()?.trim() == "monthly";
    let total = is_monthly.then(|| limit.total.value()).flatten();
    total.filter(|total| *total > ByteCount::ZERO)
}

/// What tells a row of usage from the other rows of its SIM: a row that comes twice counts once. `None`:
/// nothing does.
pub(super) fn row_name<'r>(row: &'r UsageRow<'_>) -> Option<&'r str> {
    let bill = row.bill_id.as_ref().value();
    bill.or_else(|| time_text(row))
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
}

/// Whether a row says that it belongs to another month than the one that was asked for.
pub(super) fn is_foreign(row: &UsageRow<'_>, month: &BillingCycle) -> bool {
    time_text(row)
        .and_then(|text| time(text))
        .is_some_and(|at| at < month.start() || at >= month.end())
}

fn time_text<'r>(row: &'r UsageRow<'_>) -> Option<&'r std::borrow::Cow<'r, str>> {
    row.time
        .as_ref()
        .value()
        .or_else(|| row.timestamp.as_ref().value())
}

/// `2020-02-03 07:49:13`, UTC without saying so, or RFC 3339.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let zoneless = || {
        let read = |form| NaiveDateTime::parse_from_str(text, form);
        read("%Y-%m-%d %H:%M:%S%.f").or_else(|_| read("%Y-%m-%dT%H:%M:%S%.f"))
    };
    zoned
        .or_else(|_| zoneless().map(|time| time.and_utc()))
        .ok()
}
