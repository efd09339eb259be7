//! Hologram's paging: the walk over a listing, and the walk of a single call.
//!
//! Knows how pages hang together and nothing about what a row means; each [`Endpoint`] says that.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    envelope, normalise,
    wire::{BillingRow, DeviceRow, SessionRow},
};
use crate::{
    carriers::{
        Answer, DeviceRecord, Page, ReadError, Request, UsagePart, UsageRecord, Walk,
        lenient::Field,
        walk::{CursorGuard, body_text},
    },
    device::CarrierDeviceId,
};

/// Longest cursor that is sent back, in bytes.
const MAX_CURSOR_BYTES: usize = 64;

/// A paged endpoint: where it is and what its rows say.
pub(super) trait Endpoint: Send {
    /// The name and path below the base address, segments parted by `/`.
    const PATH: &'static str;
    /// The query parameter that takes `lastid` for the next page.
    const CURSOR: &'static str;
    /// A row as sent.
    type Row<'a>: Deserialize<'a>;
    /// What it becomes.
    type Record;

    /// The cursor behind this row, for when the envelope names none.
    fn cursor<'r>(row: &'r Self::Row<'_>) -> Option<Cow<'r, str>>;

    /// The organisation that the row says it belongs to.
    fn org(_: &Self::Row<'_>) -> Option<u64> {
        None
    }

    /// Adds what the row says to the page.
    ///
    /// # Errors
    /// Why the row cannot be read, in words.
    fn read(row: &Self::Row<'_>, page: &mut Page<Self::Record>) -> Result<(), String>;

    /// A row that cannot be read at all: what must be known of it nevertheless.
    fn unreadable(_: &mut Page<Self::Record>) {}
}

/// `GET /devices`: every device of the organisation, with statuses and current usage.
pub(super) struct Devices;

impl Endpoint for Devices {
    const PATH: &'static str = "devices";
    const CURSOR: &'static str = "startafter";
    type Row<'a> = DeviceRow<'a>;
    type Record = DeviceRecord;

    fn cursor<'r>(row: &'r DeviceRow<'_>) -> Option<Cow<'r, str>> {
        row.id.value().map(|id| id.to_string().into())
    }

    fn org(row: &DeviceRow<'_>) -> Option<u64> {
        row.orgid.value()
    }

    fn read(row: &DeviceRow<'_>, page: &mut Page<DeviceRecord>) -> Result<(), String> {
        page.records
            .push(normalise::device(row, &mut page.unmapped)?);
        Ok(())
    }
}

/// `GET /usage/data/billing`: bytes per link and billing period.
pub(super) struct Billing;

impl Endpoint for Billing {
    const PATH: &'static str = "usage/data/billing";
    const CURSOR: &'static str = "startat";
    type Row<'a> = BillingRow<'a>;
    type Record = UsageRecord;

    fn cursor<'r>(row: &'r BillingRow<'_>) -> Option<Cow<'r, str>> {
        row.record_id
            .as_ref()
            .value()
            .map(|id| Cow::Borrowed(&**id))
    }

    fn read(row: &BillingRow<'_>, page: &mut Page<UsageRecord>) -> Result<(), String> {
        page.records.extend(normalise::billing(row)?);
        Ok(())
    }
}

/// `GET /usage/data`: bytes per session, for one device within one billing cycle.
pub(super) struct Sessions;

impl Endpoint for Sessions {
    const PATH: &'static str = "usage/data";
    const CURSOR: &'static str = "startafter";
    type Row<'a> = SessionRow<'a>;
    type Record = UsagePart;

    fn cursor<'r>(row: &'r SessionRow<'_>) -> Option<Cow<'r, str>> {
        row.record_id
            .as_ref()
            .value()
            .map(|id| Cow::Borrowed(&**id))
    }

    fn read(row: &SessionRow<'_>, page: &mut Page<UsagePart>) -> Result<(), String> {
        page.records.push(normalise::session_part(row));
        Ok(())
    }

    /// A part of unknown size makes the sum unknown; left out it would make the sum too small.
    fn unreadable(page: &mut Page<UsagePart>) {
        page.records.push(UsagePart {
            id: None,
            line: None,
            used: None,
        });
    }
}

/// How far a listing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Until the carrier says that there is no more.
    All,
    /// One answer, whatever it promises.
    FirstPage,
}

/// A walk over the pages of an endpoint.
pub(super) struct Listing<E> {
    /// The next request; its cursor is the only part that changes.
    next: Option<Request>,
    reach: Reach,
    guard: CursorGuard,
    /// The organisation that was asked for.
    org: Option<u64>,
    endpoint: std::marker::PhantomData<E>,
}

impl<E: Endpoint> Listing<E> {
    /// A walk that begins at the first page; `query` holds everything but the cursor.
    pub(super) fn new(
        query: Vec<(Cow<'static, str>, String)>,
        max_pages: u32,
        reach: Reach,
    ) -> Self {
        let org = query.iter().find(|(name, _)| *name == "orgid");
        Self {
            org: org.and_then(|(_, id)| id.parse().ok()),
            next: Some(Request {
                query,
                ..Request::get(E::PATH)
            }),
            reach,
            guard: CursorGuard::new(max_pages),
            endpoint: std::marker::PhantomData,
        }
    }

    /// The request behind `answer`, if the carrier says that there is more.
    fn following(
        &mut self,
        mut request: Request,
        answer: &envelope::Rows<'_, E::Row<'_>>,
    ) -> Result<Option<Request>, ReadError> {
        if !answer.continues || self.reach == Reach::FirstPage {
            return Ok(None);
        }
        let Some(last) = answer.rows.last() else {
            return Err(ReadError::Malformed(
                "an empty page promises more pages".into(),
            ));
        };
        let named = answer.last_id.as_deref().and_then(usable_cursor);
        let cursor = match (named, last) {
            (Some(cursor), _) => cursor,
            (None, Field::Value(row)) => E::cursor(row)
                .as_deref()
                .and_then(usable_cursor)
                .ok_or_else(no_cursor)?,
            (None, _) => return Err(no_cursor()),
        };
        self.guard.advance(&cursor)?;
        request.query.retain(|(name, _)| *name != E::CURSOR);
        request.query.push((Cow::Borrowed(E::CURSOR), cursor));
        Ok(Some(request))
    }
}

impl<E: Endpoint> Walk<E::Record> for Listing<E> {
    fn request(&self) -> Option<Request> {
        self.next.clone()
    }

    fn read(&mut self, answer: &Answer<'_>) -> Result<Page<E::Record>, ReadError> {
        let Some(request) = self.next.clone() else {
            return Err(answer_without_request());
        };
        let text = body_text(answer.body);
        let answer = envelope::rows::<E::Row<'_>>(&text)?;
        // The answer was read, so a cursor that leads nowhere is the carrier's word and the end.
        self.next = None;
        self.next = self.following(request, &answer)?;
        let mut page = Page {
            records: Vec::with_capacity(answer.rows.len()),
            ..Page::default()
        };
        for (place, row) in answer.rows.iter().enumerate() {
            let read = match row {
                Field::Value(row) if is_foreign(self.org, E::org(row)) => Err(FOREIGN.into()),
                Field::Value(row) => E::read(row, &mut page),
                Field::Missing | Field::Bad => Err("not a readable object".into()),
            };
            if let Err(reason) = read {
                page.unreadable(|| format!("{} row {}: {reason}", E::PATH, place + 1));
                E::unreadable(&mut page);
            }
        }
        Ok(page)
    }
}

/// `GET /devices/{id}`.
pub(super) struct OneDevice {
    device: CarrierDeviceId,
    org: Option<u64>,
    next: Option<Request>,
}

impl OneDevice {
    /// The walk of one answer.
    pub(super) fn new(device: &CarrierDeviceId, org: Option<u64>) -> Self {
        Self {
            device: device.clone(),
            org,
            next: Some(Request::of_device("devices/{id}", device.as_str())),
        }
    }
}

impl Walk<DeviceRecord> for OneDevice {
    fn request(&self) -> Option<Request> {
        self.next.clone()
    }

    fn read(&mut self, answer: &Answer<'_>) -> Result<Page<DeviceRecord>, ReadError> {
        if self.next.is_none() {
            return Err(answer_without_request());
        }
        let text = body_text(answer.body);
        let row = envelope::object::<DeviceRow<'_>>(&text)?;
        self.next = None;
        // A key reaches every organisation of its user; this account is one of them.
        if is_foreign(self.org, row.orgid.value()) {
            return Err(ReadError::Rejected(FOREIGN.into()));
        }
        let mut page = Page::default();
        let mut record =
            normalise::device(&row, &mut page.unmapped).map_err(ReadError::Malformed)?;
        if !is_same_id(&record.device, &self.device) {
            return Err(ReadError::Malformed(
                "the answer is about another device".into(),
            ));
        }
        // Named as it was asked for, so that `007` finds its row again.
        record.device = self.device.clone();
        page.records.push(record);
        Ok(page)
    }
}

const FOREIGN: &str = "the device belongs to another organisation than account_id says";

/// Whether an answer is about another organisation than was asked for, where both are known.
fn is_foreign(asked: Option<u64>, answered: Option<u64>) -> bool {
    asked
        .zip(answered)
        .is_some_and(|(asked, answered)| asked != answered)
}

fn is_same_id(answered: &CarrierDeviceId, asked: &CarrierDeviceId) -> bool {
    let asked = asked.as_str().trim();
    answered.as_str() == asked
        || asked
            .parse::<u64>()
            .is_ok_and(|id| answered.as_str() == id.to_string())
}

/// A cursor that can be sent back: `0` and the empty text mean that there is none.
fn usable_cursor(cursor: &str) -> Option<String> {
    let cursor = cursor.trim();
    let is_plain = cursor.bytes().all(|byte| byte.is_ascii_graphic());
    let is_usable = !matches!(cursor, "" | "0") && cursor.len() <= MAX_CURSOR_BYTES && is_plain;
    is_usable.then(|| cursor.to_owned())
}

fn no_cursor() -> ReadError {
    ReadError::Malformed("the carrier promises more pages but names no cursor (`lastid`)".into())
}

fn answer_without_request() -> ReadError {
    ReadError::Malformed("an answer after the end of the walk".into())
}
