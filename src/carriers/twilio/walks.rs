//! What a page of each listing becomes.
//!
//! Knows how rows hang together and nothing about what a value means: that is `normalise.rs`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    next_page::next_page,
    normalise,
    totals::Totals,
    window::Window,
    wire::{Listing, PeriodRow, SimRow, UsageRow},
};
use crate::{
    carriers::{
        Answer, DeviceRecord, LineRecord, Page, ReadError, UsagePart, UsageRecord,
        lenient::{Field, List},
        paging::{Endpoint, Next},
        rows,
        walk::body_text,
    },
    device::CarrierDeviceId,
};

/// `GET Sims`: every SIM of the account, with its status.
pub(super) struct Sims;

impl Endpoint for Sims {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let (list, next) = listing(&text, "sims", |listing| listing.sims)?;
        rows::each(page, "Sims", list, |row: SimRow<'_>, page| {
            page.records.push(normalise::sim(&row, &mut page.unmapped)?);
            Ok::<_, String>(())
        });
        Ok(next)
    }
}

/// `GET Sims/{Sid}`: one SIM.
pub(super) struct OneSim(CarrierDeviceId);

impl OneSim {
    pub(super) fn of(device: &CarrierDeviceId) -> Self {
        Self(device.clone())
    }
}

impl Endpoint for OneSim {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let row: SimRow<'_> = rows::read(&text)?;
        check_about(&row.sid, &self.0)?;
        let record = normalise::sim(&row, &mut page.unmapped).map_err(ReadError::Malformed)?;
        // Named as it was asked for, so that another case of letters finds its row again.
        page.records.push(DeviceRecord {
            device: self.0.clone(),
            ..record
        });
        Ok(Next::End)
    }
}

/// `GET Sims/{Sid}/BillingPeriods`: the current or most recent one; none of a SIM that was never activated.
pub(super) struct Periods(CarrierDeviceId);

impl Periods {
    pub(super) fn of(device: &CarrierDeviceId) -> Self {
        Self(device.clone())
    }
}

impl Endpoint for Periods {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let (list, _) = listing(&text, "billing_periods", |listing| listing.billing_periods)?;
        let mut latest: Option<LineRecord> = None;
        rows::each(page, "BillingPeriods", list, |row: PeriodRow<'_>, _| {
            check_about(&row.sim_sid, &self.0).map_err(|error| error.to_string())?;
            let line = normalise::cycle(&row, &self.0)?;
            let both = latest.take().into_iter().chain([line]);
            latest = both.max_by_key(|line| line.usage.cycle_start);
            Ok::<_, String>(())
        });
        // No period is one that has not begun; one that cannot be read would keep its SIM waiting for ever.
        if latest.is_none()
            && let Some(reason) = page.unreadable.pop()
        {
            return Err(ReadError::Malformed(reason));
        }
        page.records.push(DeviceRecord {
            lines: latest.into_iter().collect(),
            ..DeviceRecord::of(self.0.clone())
        });
        Ok(Next::End)
    }
}

/// `GET UsageRecords?Group=sim`: what every SIM used since a time. A SIM that used nothing has no row.
pub(super) struct Report {
    window: Window,
    totals: Totals,
}

impl Report {
    pub(super) fn of(window: Window) -> Self {
        Self {
            window,
            totals: Totals::default(),
        }
    }
}

impl Endpoint for Report {
    type Record = UsageRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<UsageRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let (list, next) = listing(&text, "usage_records", |listing| listing.usage_records)?;
        rows::each(page, "UsageRecords", list, |row: UsageRow<'_>, _| {
            let sim = normalise::text(&row.sim_sid).ok_or("`sim_sid` cannot be read")?;
            let part = normalise::usage_part(&row, self.window);
            self.totals.add(sim, part);
            Ok::<_, &str>(())
        });
        if next == Next::End {
            page.records = self.totals.take();
        }
        Ok(next)
    }
}

/// `GET UsageRecords?Sim=…`: what one SIM used in a cycle.
pub(super) struct Parts(Window);

impl Parts {
    pub(super) fn of(window: Window) -> Self {
        Self(window)
    }
}

impl Endpoint for Parts {
    type Record = UsagePart;

    fn read(&mut self, answer: &Answer<'_>, page: &mut Page<UsagePart>) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let (rows, next) = listing(&text, "usage_records", |listing| listing.usage_records)?;
        for (place, raw) in rows.into_iter().enumerate() {
            let part = match row::<UsageRow<'_>>(raw) {
                Ok(row) => normalise::usage_part(&row, self.0),
                Err(reason) => {
                    page.unreadable(|| in_row("UsageRecords", place, &reason));
                    // Of unknown size, and so the sum; left out it would make the sum too small.
                    UsagePart {
                        id: None,
                        line: None,
                        used: None,
                    }
                }
            };
            page.records.push(part);
        }
        Ok(next)
    }
}

/// The rows of an answer and what comes next. Without `meta` nobody knows whether these are all rows, and
/// a SIM that is in none of them would seem to have used nothing.
fn listing<'a>(
    text: &'a str,
    key: &str,
    pick: impl FnOnce(Listing<'a>) -> List<&'a RawValue>,
) -> Result<(Vec<&'a RawValue>, Next), ReadError> {
    let mut listing: Listing<'a> = rows::read(text)?;
    let meta = std::mem::take(&mut listing.meta);
    let rows = rows::present(pick(listing).0, key, "a list")?;
    let next = next_page(&rows::present(meta.0, "meta", "an object")?)?;
    Ok((rows, next))
}

fn row<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    let row = rows::row(raw).value();
    row.ok_or_else(|| "not a readable object".to_owned())
}

/// An answer about another SIM answers another question. (SIDs are hexadecimal: case does not count.)
fn check_about<T: AsRef<str>>(
    answered: &Field<T>,
    asked: &CarrierDeviceId,
) -> Result<(), ReadError> {
    let is_other = normalise::text(answered)
        .is_some_and(|answered| !answered.eq_ignore_ascii_case(asked.as_str()));
    if is_other {
        return Err(ReadError::Malformed(
            "the answer is about another SIM".into(),
        ));
    }
    Ok(())
}

fn in_row(listing: &str, place: usize, reason: &str) -> String {
    format!("{listing} row {}: {reason}", place + 1)
}
