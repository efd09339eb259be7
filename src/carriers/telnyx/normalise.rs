//! What Telnyx's values mean, in the vocabulary of all carriers. Pure: a row in, a record out.
//!
//! `README.md` beside this file has the same rules as tables, with their sources.

use super::{
    sim_id, status,
    wire::{Amount, SimRow},
};
use crate::{
    carriers::{
        DeviceRecord, LineId, LineRecord,
        calendar::usage_in,
        lenient::{Field, Object},
        quantity::ByteUnit,
        record::LineUsage,
        rows::quote,
        walk::note_unmapped,
    },
    device::{BillingCycle, ByteCount, CarrierDeviceId, DeviceInfo},
};

/// What `MB` and `GB` mean here: by 1,024. The documentation does not say; its examples of limits are
/// 2048 MB, and so the megabytes that operators see here are the ones that Telnyx's portal shows.
const UNIT: fn(&str) -> Option<ByteUnit> = ByteUnit::binary;

/// A SIM card of the listing, or of a single call; `month` is the one that the answer counts in.
///
/// Raw values outside the vocabulary are added to `unmapped`, each once.
///
/// # Errors
/// In words: the row has no readable id, so nobody knows which SIM card it is.
pub(super) fn sim(
    row: &SimRow<'_>,
    month: Option<BillingCycle>,
    unmapped: &mut Vec<String>,
) -> Result<DeviceRecord, String> {
    let Field::Value(id) = &row.id else {
        return Err("`id` cannot be read".into());
    };
    let id = sim_id::canonical(id);
    let device = CarrierDeviceId::parse(&id).map_err(|error| error.to_string())?;
    let statuses = status::statuses(
        row.status,
        row.live_data_session.as_ref().map(|word| &**word),
        unmapped,
    );
    let iccid = row.iccid.as_ref().value().map(|iccid| iccid.trim());
    Ok(DeviceRecord {
        also: sim_id::in_capitals(&id).and_then(|id| CarrierDeviceId::parse(&id).ok()),
        device,
        info: DeviceInfo {
            sim_status: statuses.sim,
            network_status: statuses.network,
            iccid: iccid.filter(|iccid| !iccid.is_empty()).map(Into::into),
        },
        lines: vec![LineRecord {
            line: LineId::Text(id.into()),
            usage: usage(row, month, unmapped),
        }],
    })
}

fn usage(row: &SimRow<'_>, month: Option<BillingCycle>, unmapped: &mut Vec<String>) -> LineUsage {
    let used = bytes(&row.current_billing_period_consumed_data, unmapped);
    LineUsage {
        limit: bytes(&row.data_limit, unmapped),
        ..usage_in(month, used)
    }
}

/// An amount without a unit that is known is no amount.
fn bytes(amount: &Object<Amount<'_>>, unmapped: &mut Vec<String>) -> Option<ByteCount> {
    let Amount { amount, unit } = match &amount.0 {
        Field::Value(amount) => amount,
        Field::Missing => return None,
        Field::Bad => {
            note_unmapped(unmapped, "an amount of data of another shape".into());
            return None;
        }
    };
    let Field::Value(word) = unit else {
        note_unmapped(unmapped, "an amount of data without a unit".into());
        return None;
    };
    let Some(unit) = UNIT(word) else {
        note_unmapped(unmapped, format!("unit of data {:?}", quote(word)));
        return None;
    };
    amount.value()?.bytes(unit)
}
