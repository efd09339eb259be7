//! The walks of a manifest: its paths and queries filled in, its pages followed by its own rule.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use super::manifest::{Amount, Fields, Manifest, Paging, PagingKind};
use super::normalise::Oddities;
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

/// Follows pages by a manifest's rule.
#[derive(Debug)]
pub(super) struct Pager {
    paging: Paging,
    /// Pages, or rows, read so far.
    read: u64,
}

impl Pager {
    pub(super) fn new(paging: &Paging) -> Self {
        Self {
            paging: paging.clone(),
            read: 0,
        }
    }

    /// The first request, with the page's parameter where it has one from the beginning.
    pub(super) fn first(&self, request: Request) -> Request {
        match (self.paging.kind, &self.paging.parameter) {
            (PagingKind::Page, Some(name)) => request.replace(vec![(
                Cow::Owned(name.clone()),
                self.first_number().to_string(),
            )]),
            _ => request,
        }
    }

    fn first_number(&self) -> u64 {
        self.paging.first.unwrap_or(1)
    }

    /// What comes after a page of `rows` rows, of which up to `page_size` were asked for.
    fn next(&mut self, answer: &Answer<'_>, body: &Value, rows: usize, page_size: u32) -> Next {
        let paging = &self.paging;
        let parameter = |value: String| {
            let name = paging.parameter.clone().unwrap_or_default();
            Next::Page(vec![(Cow::Owned(name), value)])
        };
        match paging.kind {
            PagingKind::None => Next::End,
            PagingKind::Page => {
                self.read += 1;
                let in_body = paging.total_pages.as_ref();
                let in_body = in_body.and_then(|path| path.scalar::<u64>(body).value());
                let in_header = paging.total_pages_header.as_deref();
                let total = in_body.or_else(|| answer.number(in_header?));
                let has_more = match total {
                    Some(total) => self.read < total,
                    None => rows as u64 >= u64::from(page_size),
                };
                if has_more {
                    parameter((self.first_number() + self.read).to_string())
                } else {
                    Next::End
                }
            }
            PagingKind::Offset => {
                self.read += rows as u64;
                let total = paging.total.as_ref();
                let total = total.and_then(|path| path.scalar::<u64>(body).value());
                let has_more = match total {
                    Some(total) => rows > 0 && self.read < total,
                    None => rows as u64 >= u64::from(page_size),
                };
                if has_more {
                    parameter(self.read.to_string())
                } else {
                    Next::End
                }
            }
            PagingKind::Cursor => {
                let in_body = paging.next.as_ref();
                let in_body = in_body.and_then(|path| path.text(body).value());
                let in_header = paging.next_header.as_deref();
                let cursor = in_body.or_else(|| answer.header(in_header?).map(str::to_owned));
                match cursor.filter(|cursor| !cursor.trim().is_empty()) {
                    Some(cursor) => parameter(cursor),
                    None => Next::End,
                }
            }
            PagingKind::NextUrl => {
                let url = paging
                    .next
                    .as_ref()
                    .and_then(|path| path.text(body).value());
                url.map_or(Next::End, |url| next_url(&url))
            }
        }
    }
}

/// Only its query is used: our credentials go nowhere else than to the base address.
fn next_url(url: &str) -> Next {
    let base = Url::parse("https://localhost").ok();
    let url = Url::parse(url).ok().or_else(|| base?.join(url).ok());
    let query = url.map(|url| {
        let pairs = url.query_pairs();
        pairs
            .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
            .collect::<Vec<_>>()
    });
    match query {
        Some(query) if !query.is_empty() => Next::Page(query),
        _ => Next::End,
    }
}

/// Rows of devices: the listing, or the answer about one.
#[derive(Debug)]
pub(super) struct Devices {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) fields: &'static Fields,
    pub(super) pager: Pager,
    pub(super) page_size: u32,
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
        Ok(self.pager.next(answer, &body, rows.len(), self.page_size))
    }
}

/// Usage of the whole account, handed over with its last page: rows of one device add up.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) device: &'static Path,
    pub(super) used: &'static Amount,
    pub(super) part: Option<&'static Path>,
    pub(super) pager: Pager,
    pub(super) page_size: u32,
    pub(super) cycle: Option<BillingCycle>,
    pub(super) sums: HashMap<String, HashMap<String, Option<ByteCount>>>,
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
            let part = self.part.and_then(|part| part.text(row).value());
            let used = self.manifest.bytes(self.used, row, &mut odd);
            let parts = self.sums.entry(device.trim().to_owned()).or_default();
            let part = part.unwrap_or_else(|| match self.part {
                // Without a name of its own a row is a part by itself.
                Some(_) => format!("\u{0}{}", parts.len()),
                None => String::new(),
            });
            let known = parts.entry(part).or_insert(used);
            *known = (*known).zip(used).map(|(known, used)| known.max(used));
        }
        tell(page, odd, rows.len());
        let next = self.pager.next(answer, &body, rows.len(), self.page_size);
        if next == Next::End {
            let cycle = self.cycle;
            let sums = std::mem::take(&mut self.sums).into_iter();
            page.records = sums
                .map(|(device, parts)| UsageRecord {
                    line: LineId::Text(device.into()),
                    usage: calendar::usage_in(cycle, sum(parts.into_values())),
                })
                .collect();
        }
        Ok(next)
    }
}

fn sum(parts: impl Iterator<Item = Option<ByteCount>>) -> Option<ByteCount> {
    let mut sum = ByteCount::ZERO;
    for part in parts {
        sum = sum.checked_add(part?)?;
    }
    Some(sum)
}

/// Usage of one device, in parts.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) manifest: &'static Manifest,
    pub(super) rows: &'static Path,
    pub(super) used: &'static Amount,
    pub(super) part: Option<&'static Path>,
    pub(super) pager: Pager,
    pub(super) page_size: u32,
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
        Ok(self.pager.next(answer, &body, rows.len(), self.page_size))
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
