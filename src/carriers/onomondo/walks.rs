//! Onomondo's walks: the listing, a single SIM, the usage report, the usage of one SIM.
//!
//! Knows what becomes of rows that cannot be read; what a row means is `normalise.rs`.

use super::{
    envelope::Envelope,
    normalise, sim_id,
    totals::Totals,
    way::Way,
    wire::{SimRow, UsageRow},
};
use crate::{
    carriers::{
        Answer, DeviceRecord, LineId, Page, ReadError, UsagePart, UsageRecord,
        lenient::{Field, Object},
        paging::{Endpoint, Next},
        rows::{self, row},
        walk::body_text,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// `GET /sims`.
#[derive(Debug)]
pub(super) struct Sims {
    pub(super) month: Option<BillingCycle>,
    pub(super) way: Way,
}

impl Endpoint for Sims {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let mut envelope = Envelope::read(&text)?;
        let list = envelope.take_sims()?;
        let next = self.way.after(&envelope, list.len())?;
        rows::each(page, "SIM", list, |row: SimRow<'_>, page| {
            let record = normalise::sim(&row, self.month, &mut page.unmapped)?;
            page.records.push(record);
            Ok::<_, String>(())
        });
        Ok(next)
    }
}

/// `GET /sims/{sim_id}`, by id or ICCID.
#[derive(Debug)]
pub(super) struct OneSim {
    /// As it was asked for.
    pub(super) device: CarrierDeviceId,
    pub(super) month: Option<BillingCycle>,
}

impl Endpoint for OneSim {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let row = rows::read::<Object<SimRow<'_>>>(&text)?;
        let row = row.0.value();
        let row = row.ok_or_else(|| ReadError::Malformed("the answer is not an object".into()))?;
        let record =
            normalise::sim(&row, self.month, &mut page.unmapped).map_err(ReadError::Malformed)?;
        let asked = self.device.as_str().trim();
        let names = [Some(&record.device), record.also.as_ref()];
        if !names
            .into_iter()
            .flatten()
            .any(|name| name.as_str() == asked)
        {
            return Err(ReadError::Malformed(
                "the answer is about another SIM".into(),
            ));
        }
        // Named as it was asked for, so that its row is found again.
        page.records.push(DeviceRecord {
            device: self.device.clone(),
            ..record
        });
        Ok(Next::End)
    }
}

/// `GET /usage`: a month of all SIMs. Its records come with the last page, all at once.
#[derive(Debug)]
pub(super) struct Report {
    month: BillingCycle,
    way: Way,
    totals: Totals,
}

impl Report {
    pub(super) fn of(month: BillingCycle, way: Way) -> Self {
        Self {
            month,
            way,
            totals: Totals::default(),
        }
    }

    /// # Errors
    /// In words: a row that belongs to no SIM or to another month. What it means for a SIM that is left out is
    /// not known then; where it could be any SIM's, no sum is known.
    fn add(&mut self, row: &UsageRow<'_>) -> Result<(), &'static str> {
        let Field::Value(sim) = &row.sim_id else {
            self.totals.add_ownerless();
            return Err("`sim_id` cannot be read");
        };
        if !sim_id::is_id(&sim.0) {
            return Err("`sim_id` is no SIM id");
        }
        if normalise::is_foreign(row, &self.month) {
            return Err("it is about another month");
        }
        let name = normalise::row_name(row);
        self.totals.add(&sim.0, name, row.bytes.value());
        Ok(())
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
        let mut envelope = Envelope::read(&text)?;
        let list = envelope.take_usage()?;
        let next = self.way.after(&envelope, list.len())?;
        let (rows, mut readable) = (list.len(), 0);
        rows::each(page, "usage", list, |row, _| {
            readable += 1;
            self.add(&row)
        });
        if readable < rows {
            self.totals.add_ownerless();
        }
        if next == Next::End {
            page.records.extend(self.totals.take(self.month));
        }
        Ok(next)
    }
}

/// `GET /usage/{sim_id}`: a month of one SIM.
#[derive(Debug)]
pub(super) struct UsageOfSim {
    pub(super) month: BillingCycle,
    pub(super) way: Way,
}

impl UsageOfSim {
    /// # Errors
    /// [`ReadError`] where the answer is about another month: its sum would be the answer to another question.
    fn part(&self, row: Field<UsageRow<'_>>) -> Result<UsagePart, ReadError> {
        let Field::Value(row) = row else {
            // Left out, it would make the sum too small.
            return Ok(UsagePart {
                id: None,
                line: None,
                used: None,
            });
        };
        if normalise::is_foreign(&row, &self.month) {
            return Err(ReadError::Malformed(
                "the usage is about another month than was asked for".into(),
            ));
        }
        Ok(UsagePart {
            id: normalise::row_name(&row).map(Into::into),
            line: row
                .sim_id
                .as_ref()
                .value()
                .map(|id| LineId::Text((*id.0).into())),
            used: row.bytes.value(),
        })
    }
}

impl Endpoint for UsageOfSim {
    type Record = UsagePart;

    fn read(&mut self, answer: &Answer<'_>, page: &mut Page<UsagePart>) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let mut envelope = Envelope::read(&text)?;
        let list = envelope.take_usage()?;
        let parts: Result<Vec<_>, _> = list.iter().map(|raw| self.part(row(raw))).collect();
        let parts = parts?;
        let next = self.way.after(&envelope, list.len())?;
        page.records = parts;
        Ok(next)
    }
}
