//! Single calls about one device: its details, its cycle to date, its last session.

use super::{
    envelope,
    normalise::{self, text},
    time::CycleDay,
    wire::{CycleToDate, DeviceRow, SessionInfo},
};
use crate::{
    carriers::{
        Answer, DeviceRecord, Page, ReadError,
        lenient::Field,
        paging::{Endpoint, Next},
        walk::body_text,
    },
    device::CarrierDeviceId,
};

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// `devices/{iccid}`.
    Details,
    /// `devices/{iccid}/ctdUsages`.
    CycleToDate,
    /// `devices/{iccid}/sessionInfo`.
    Session,
}

/// One call about one device.
#[derive(Debug)]
pub(super) struct OneDevice {
    pub(super) device: CarrierDeviceId,
    pub(super) cycle_day: Option<CycleDay>,
    pub(super) question: Question,
}

impl Endpoint for OneDevice {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let record = match self.question {
            Question::Details => self.details(answer, &text, page)?,
            Question::CycleToDate => self.cycle_to_date(answer, &text, page)?,
            Question::Session => self.session(&text, page)?,
        };
        page.records.push(record);
        Ok(Next::End)
    }
}

impl OneDevice {
    fn details(
        &self,
        answer: &Answer<'_>,
        body: &str,
        page: &mut Page<DeviceRecord>,
    ) -> Result<DeviceRecord, ReadError> {
        let row = envelope::object::<DeviceRow<'_>>(body)?;
        let cycle = self.cycle_day.and_then(|day| day.cycle_of(answer));
        let usage = normalise::usage(None, cycle);
        let record =
            normalise::device(&row, usage, &mut page.unmapped).map_err(ReadError::Malformed)?;
        self.check(Some(record.device.as_str()))?;
        // Named as it was asked for, so that its row is found again.
        Ok(DeviceRecord {
            device: self.device.clone(),
            lines: vec![normalise::line(self.iccid(), usage)],
            ..record
        })
    }

    fn cycle_to_date(
        &self,
        answer: &Answer<'_>,
        body: &str,
        page: &mut Page<DeviceRecord>,
    ) -> Result<DeviceRecord, ReadError> {
        let read = envelope::object::<CycleToDate<'_>>(body)?;
        self.check(text(&read.iccid))?;
        if matches!(
            (&read.status, read.ctd_data_usage),
            (Field::Missing, Field::Missing)
        ) {
            return Err(ReadError::Malformed(
                "an answer without `ctdDataUsage` and `status`".into(),
            ));
        }
        let cycle = self.cycle_day.map(|day| day.cycle_of(answer));
        let (info, mut usage) =
            normalise::cycle_to_date(&read, cycle.flatten(), &mut page.unmapped);
        if cycle == Some(None) {
            usage.used = None; // a cycle ended meanwhile: nobody knows which it counts
        }
        Ok(DeviceRecord {
            info,
            lines: vec![normalise::line(self.iccid(), usage)],
            ..DeviceRecord::of(self.device.clone())
        })
    }

    fn session(
        &self,
        body: &str,
        page: &mut Page<DeviceRecord>,
    ) -> Result<DeviceRecord, ReadError> {
        let session = envelope::object::<SessionInfo<'_>>(body)?;
        self.check(text(&session.iccid))?;
        let mut record = DeviceRecord::of(self.device.clone());
        record.info.network_status = Some(normalise::network_status(&session, &mut page.unmapped));
        Ok(record)
    }

    fn iccid(&self) -> &str {
        self.device.as_str().trim()
    }

    /// An answer that names no device is taken at its address.
    fn check(&self, answered: Option<&str>) -> Result<(), ReadError> {
        if answered.is_none_or(|iccid| iccid == self.iccid()) {
            return Ok(());
        }
        Err(ReadError::Malformed(
            "the answer is about another device".into(),
        ))
    }
}
