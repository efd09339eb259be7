//! The walks of a manifest: its rows read. What is asked is `filling.rs`'s, how pages follow each other `pager.rs`'s.

use std::collections::HashMap;

use super::filling::Window;
use super::manifest::{Amount, Fields, Manifest};
use super::normalise::Oddities;
use super::pager::Pager;
use super::wire::{Path, json};
use crate::carriers::calendar;
use crate::carriers::lenient::Field;
use crate::carriers::paging::{Endpoint, Next};
use crate::carriers::{Answer, DeviceRecord, LineId, Page, ReadError, UsagePart, UsageRecord};
use crate::device::{BillingCycle, ByteCount, CarrierDeviceId};

/// Rows of devices: the listing, or the answer about one.
#[derive(Debug)]
pub(super) struct Devices {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) fields: &'static Fields,
    pub(super) pager: Pager,
    pub(super) window: Window,
    /// The device that was asked for.
    pub(super) asked: Option<CarrierDeviceId>,
}

impl Endpoint for Devices {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let body = json(answer.body)?;
        let rows = match &self.asked {
            Some(_) => vec![self.rows.object(&body)?],
            None => self.rows.rows(&body)?,
        };
        let mut odd = Oddities::default();
        let month = self.window.cycle_of(answer);
        for (place, row) in rows.iter().enumerate() {
            match self.manifest.device(self.fields, row, month, &mut odd) {
                Ok(record) => page.records.push(record),
                Err(reason) => page.unreadable(|| format!("row {}: {reason}", place + 1)),
            }
        }
        if let Some(asked) = &self.asked {
            let kind = self.manifest.device.kind;
            let asked_for = kind.spelt(asked.as_str());
            let is_same = |record: &DeviceRecord| kind.spelt(record.device.as_str()) == asked_for;
            page.records.retain(is_same);
            match page.records.first_mut() {
                Some(record) => record.device = asked.clone(),
                None => {
                    let reason = page.unreadable.pop();
                    return Err(ReadError::Malformed(
                        reason.unwrap_or_else(|| "the answer is about another device".into()),
                    ));
                }
            }
        }
        tell(page, odd, rows.len());
        self.pager.next(answer, &body, rows.len())
    }
}

/// Usage of the whole account, handed over with its last page: rows of one device that something tells apart
/// add up.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) device: &'static Path,
    pub(super) used: &'static Amount,
    pub(super) part: Option<&'static Path>,
    pub(super) pager: Pager,
    pub(super) window: Window,
    /// The month that it is asked for as.
    pub(super) cycle: BillingCycle,
    /// Whether a page was of another month.
    pub(super) has_missed_its_month: bool,
    pub(super) sums: HashMap<String, Sum>,
}

/// Told once.
const ROWS_ALIKE: &str = "rows of a device in the usage report cannot be told apart; its usage is unknown until \
                          usage.part names what tells them apart";

/// What the rows of one device add up to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Unknown where a row could not be read.
    parts: HashMap<String, Option<ByteCount>>,
    /// Whether there are several that nothing tells apart: parts of a sum, or one told again.
    has_rows_alike: bool,
}

impl Sum {
    /// `part`: as the row is called, where rows have names.
    fn add(&mut self, part: Option<Option<String>>, used: Option<ByteCount>) {
        self.has_rows_alike |= match &part {
            None => !self.parts.is_empty(),
            // Perhaps a part, perhaps one told again.
            Some(name) => name.is_none(),
        };
        let part = part.flatten();
        let known = self.parts.entry(part.unwrap_or_default()).or_insert(used);
        // Of two readings of one part the greater is the later.
        *known = (*known).zip(used).map(|(known, used)| known.max(used));
    }

    fn total(self) -> Option<ByteCount> {
        if self.has_rows_alike {
            return None;
        }
        let mut parts = self.parts.into_values();
        parts.try_fold(ByteCount::ZERO, |sum, part| sum.checked_add(part?))
    }
}

impl Endpoint for Usage {
    type Record = UsageRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<UsageRecord>,
    ) -> Result<Next, ReadError> {
        let body = json(answer.body)?;
        let rows = self.rows.rows(&body)?;
        // Before anything is added up: a page that is refused is asked for again.
        let next = self.pager.next(answer, &body, rows.len())?;
        let mut odd = Oddities::default();
        for (place, row) in rows.iter().enumerate() {
            let Field::Value(device) = self.device.text(row) else {
                page.unreadable(|| {
                    format!(
                        "row {}: {} leads to no device id",
                        place + 1,
                        self.device.as_str()
                    )
                });
                continue;
            };
            let used = self.manifest.bytes(self.used, row, &mut odd);
            let device = self.manifest.device.kind.spelt(&device);
            let sum = self.sums.entry(device).or_default();
            let part = self.part.map(|part| odd.text(part, row));
            sum.add(part, used);
        }
        tell(page, odd, rows.len());
        self.has_missed_its_month |= self.window.cycle_of(answer) != Some(self.cycle);
        if self.sums.values().any(|sum| sum.has_rows_alike) {
            page.notices.push(ROWS_ALIKE.to_owned());
        }
        if next == Next::End {
            self.hand_over(page);
        }
        Ok(next)
    }
}

impl Usage {
    fn hand_over(&mut self, page: &mut Page<UsageRecord>) {
        let sums = std::mem::take(&mut self.sums);
        if self.has_missed_its_month {
            // Not complete either: what it leaves out has used nothing in nobody knows which month.
            page.unreadable(|| "a month ended before the usage report was read".to_owned());
            return;
        }
        let sums = sums.into_iter();
        page.records = sums
            .map(|(device, sum)| UsageRecord {
                line: LineId::Text(device.into()),
                usage: calendar::usage_in(Some(self.cycle), sum.total()),
            })
            .collect();
    }
}

/// Usage of one device, in parts.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) used: &'static Amount,
    pub(super) part: Option<&'static Path>,
    pub(super) pager: Pager,
    pub(super) window: Window,
}

impl Endpoint for Parts {
    type Record = UsagePart;

    fn read(&mut self, answer: &Answer<'_>, page: &mut Page<UsagePart>) -> Result<Next, ReadError> {
        let body = json(answer.body)?;
        let rows = self.rows.rows(&body)?;
        let mut odd = Oddities::default();
        let is_in_time = self.window.cycle_of(answer).is_some();
        for row in &rows {
            let used = self.manifest.bytes(self.used, row, &mut odd);
            let id = self.part.map(|part| odd.text(part, row));
            // A row that has no name of its own is perhaps one told again, and more than a part is in one that
            // was read after its cycle.
            let is_sure = is_in_time && id != Some(None);
            page.records.push(UsagePart {
                id: id.flatten().map(String::into_boxed_str),
                line: None,
                used: used.filter(|_| is_sure),
            });
        }
        tell(page, odd, rows.len());
        self.pager.next(answer, &body, rows.len())
    }
}

/// A path that leads nowhere in any row is most likely a mistake in the manifest.
fn tell<T>(page: &mut Page<T>, odd: Oddities, rows: usize) {
    page.unmapped = odd.unmapped;
    let nowhere = odd.nowhere.into_iter().filter(|(_, count)| *count == rows);
    page.notices = nowhere
        .map(|(path, count)| format!("{path} leads nowhere in any of {count} rows"))
        .collect();
}
