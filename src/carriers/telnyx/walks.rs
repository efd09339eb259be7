//! Telnyx's walks: the listing and a single SIM card.
//!
//! Knows how pages hang together; what a row means is `normalise.rs`.

use super::{PAGE, envelope, normalise, sim_id, wire::SimRow};
use crate::{
    carriers::{
        Answer, DeviceRecord, Page, ReadError,
        calendar::month_of,
        paging::{Endpoint, Next},
        rows,
        walk::body_text,
    },
    device::CarrierDeviceId,
};

/// `GET /sim_cards`.
///
/// The order may change between two pages, so a SIM card may come twice and another not at all: the first
/// is harmless, and the other is asked for by itself.
#[derive(Debug)]
pub(super) struct Sims {
    /// The page that is asked for.
    page: u64,
    /// Rows that a full page has.
    size: u32,
}

impl Sims {
    /// From the first page on, `size` rows each.
    pub(super) fn new(size: u32) -> Self {
        Self { page: 1, size }
    }

    /// By the carrier's count of pages; without it a page that is not full is the last.
    fn is_last(&self, answer: &envelope::Rows<'_>) -> bool {
        match answer.total_pages {
            Some(total) => self.page >= total,
            None => answer.rows.len() < self.size as usize,
        }
    }
}

impl Endpoint for Sims {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let list = envelope::rows(&text)?;
        let is_last = self.is_last(&list);
        let month = month_of(answer);
        let name = format!("page {}", self.page);
        rows::each(page, name, list.rows, |row: SimRow<'_>, page| {
            let record = normalise::sim(&row, month, &mut page.unmapped)?;
            page.records.push(record);
            Ok::<_, String>(())
        });
        if is_last {
            return Ok(Next::End);
        }
        self.page += 1;
        Ok(Next::number(PAGE, self.page))
    }
}

/// `GET /sim_cards/{id}`.
#[derive(Debug)]
pub(super) struct OneSim {
    /// As it was asked for.
    device: CarrierDeviceId,
}

impl OneSim {
    pub(super) fn of(device: &CarrierDeviceId) -> Self {
        Self {
            device: device.clone(),
        }
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
        let row = envelope::object::<SimRow<'_>>(&text)?;
        let record = normalise::sim(&row, month_of(answer), &mut page.unmapped)
            .map_err(ReadError::Malformed)?;
        if record.device.as_str() != sim_id::canonical(self.device.as_str()) {
            return Err(ReadError::Malformed(
                "the answer is about another SIM card".into(),
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
