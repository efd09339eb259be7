//! The walks of a manifest: its paths and queries filled in, its rows read. How pages follow each other is
//! `pager.rs`'s.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::manifest::{Amount, Fields, Manifest};
use super::normalise::Oddities;
use super::pager::Pager;
use super::wire::{Path, json};
use crate::carriers::calendar;
use crate::carriers::lenient::Field;
use crate::carriers::paging::{Endpoint, Next};
use crate::carriers::request::{Request, Target};
use crate::carriers::{
    Answer, Context, DeviceRecord, LineId, Page, ReadError, UsagePart, UsageRecord,
};
use crate::device::{BillingCycle, ByteCount, CarrierDeviceId};

/// What placeholders stand for in one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) context: Context<'a>,
    pub(super) page_size: u32,
    /// As addresses name it.
    pub(super) device: Option<&'a str>,
    pub(super) cycle: Option<BillingCycle>,
}

impl Filling<'_> {
    /// The request of a path and query of the manifest.
    pub(super) fn request(
        &self,
        path: &str,
        query: &BTreeMap<String, String>,
        class: &'static str,
    ) -> Request {
        let segment = |part: &str| self.fill(part);
        let parts = path.trim_matches('/').split('/');
        let query = query.iter();
        Request {
            endpoint: Cow::Owned(path.trim_matches('/').to_owned()),
            class: Cow::Borrowed(class),
            to: Target::Below(parts.map(segment).collect()),
            query: query
                .map(|(name, value)| (Cow::Owned(name.clone()), self.fill(value)))
                .collect(),
            body: None,
        }
    }

    fn fill(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let cycle = self.cycle.or_else(|| calendar::month(self.context.now));
        let at = |pick: fn(&BillingCycle) -> DateTime<Utc>| cycle.as_ref().map(pick);
        let (start, end) = (at(BillingCycle::start), at(BillingCycle::end));
        let words = |time: Option<DateTime<Utc>>, form: &str| {
            time.map(|time| time.format(form).to_string())
                .unwrap_or_default()
        };
        let account = self.context.account.account_id.as_deref();
        text.replace("{page_size}", &self.page_size.to_string())
            .replace("{account_id}", account.unwrap_or_default())
            .replace("{month}", &words(start, "%Y-%m"))
            .replace("{start}", &words(start, "%Y-%m-%dT%H:%M:%SZ"))
            .replace("{end}", &words(end, "%Y-%m-%dT%H:%M:%SZ"))
            .replace("{start_unix}", &words(start, "%s"))
            .replace("{end_unix}", &words(end, "%s"))
            .replace("{device}", self.device.unwrap_or_default())
    }
}

/// Rows of devices: the listing, or the answer about one.
#[derive(Debug)]
pub(super) struct Devices {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) fields: &'static Fields,
    pub(super) pager: Pager,
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
        for (place, row) in rows.iter().enumerate() {
            match self.manifest.device(self.fields, row, answer, &mut odd) {
                Ok(record) => page.records.push(record),
                Err(reason) => page.unreadable(|| format!("row {}: {reason}", place + 1)),
            }
        }
        if let Some(asked) = &self.asked {
            let is_same = |record: &DeviceRecord| {
                record
                    .device
                    .as_str()
                    .eq_ignore_ascii_case(asked.as_str().trim())
            };
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
    pub(super) cycle: Option<BillingCycle>,
    pub(super) sums: HashMap<String, Sum>,
}

/// What the rows of one device add up to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Unknown where a row could not be read.
    parts: HashMap<String, Option<ByteCount>>,
    /// Whether there are several that nothing tells apart: parts of a sum, or one told again.
    has_rows_alike: bool,
}

impl Sum {
    fn add(&mut self, part: Option<String>, used: Option<ByteCount>) {
        self.has_rows_alike |= part.is_none() && !self.parts.is_empty();
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
            let part = self.part.map(|part| {
                let name = part.text(row).value();
                // Without a name of its own a row is a part by itself.
                name.unwrap_or_else(|| format!("\u{0}{}", sum.parts.len()))
            });
            sum.add(part, used);
        }
        tell(page, odd, rows.len());
        if self.sums.values().any(|sum| sum.has_rows_alike) {
            page.notices.push(
                "a device has several rows in the usage report; its usage is unknown until usage.part names \
                 what tells them apart"
                    .to_owned(),
            );
        }
        let next = self.pager.next(answer, &body, rows.len())?;
        if next == Next::End {
            let cycle = self.cycle;
            let sums = std::mem::take(&mut self.sums).into_iter();
            page.records = sums
                .map(|(device, sum)| UsageRecord {
                    line: LineId::Text(device.into()),
                    usage: calendar::usage_in(cycle, sum.total()),
                })
                .collect();
        }
        Ok(next)
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
}

impl Endpoint for Parts {
    type Record = UsagePart;

    fn read(&mut self, answer: &Answer<'_>, page: &mut Page<UsagePart>) -> Result<Next, ReadError> {
        let body = json(answer.body)?;
        let rows = self.rows.rows(&body)?;
        let mut odd = Oddities::default();
        for row in &rows {
            let id = self.part.and_then(|part| part.text(row).value());
            page.records.push(UsagePart {
                id: id.map(String::into_boxed_str),
                line: None,
                used: self.manifest.bytes(self.used, row, &mut odd),
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
