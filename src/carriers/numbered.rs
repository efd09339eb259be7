//! Listings whose pages are numbered from 1 and whose end a header tells (`X-Total-Pages`): a bare JSON
//! list of devices per page.
//!
//! Knows no carrier: the parameters' names are in the first request, and what a row means is the function
//! it is given.

use serde_json::value::RawValue;

use super::lenient::List;
use super::paging::{Endpoint, Next, Paged};
use super::walk::body_text;
use super::{Answer, DeviceRecord, Page, ReadError, Request, Walk, rows};
use crate::device::CarrierDeviceId;

/// Reads a row, and notes raw values outside the carrier's vocabulary.
///
/// # Errors
/// Why the row cannot be read, in words.
pub type ReadRow = fn(&RawValue, &mut Vec<String>) -> Result<DeviceRecord, String>;

/// The query parameter that takes the number of a page.
const PAGE: &str = "page";

/// One listing.
pub struct Numbered {
    /// The page that is asked for.
    page: u64,
    /// Rows that a full page has.
    size: u32,
    read: ReadRow,
    /// The devices of the page before.
    before: Vec<CarrierDeviceId>,
}

impl Numbered {
    /// Every page; `request` names the size of a page and everything else but its number.
    #[must_use]
    pub fn all(
        request: Request,
        size: u32,
        max_pages: u32,
        read: ReadRow,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let walk = Paged::new(Self::new(size, read), first(request), max_pages);
        Box::new(walk)
    }

    /// The first page, whatever it promises.
    #[must_use]
    pub fn first(request: Request, read: ReadRow) -> Box<dyn Walk<DeviceRecord>> {
        Box::new(Paged::once(Self::new(1, read), first(request)))
    }

    fn new(size: u32, read: ReadRow) -> Self {
        Self {
            page: 1,
            size,
            read,
            before: Vec::new(),
        }
    }

    /// Without the header a page that is not full is the last, and so is one that repeats the page before:
    /// some carriers answer every number past the end with the last page.
    fn is_last(&self, answer: &Answer<'_>, rows: usize, devices: &[CarrierDeviceId]) -> bool {
        match answer.number("x-total-pages") {
            Some(last) => self.page >= last,
            None => rows < self.size as usize || (!devices.is_empty() && devices == self.before),
        }
    }
}

fn first(request: Request) -> Request {
    request.with(PAGE, 1)
}

impl Endpoint for Numbered {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let list = rows::read::<List<&RawValue>>(&text)?.0.value();
        let list = list.ok_or_else(|| ReadError::Malformed("the answer is not a list".into()))?;
        for (place, row) in list.iter().enumerate() {
            match (self.read)(row, &mut page.unmapped) {
                Ok(record) => page.records.push(record),
                Err(reason) => {
                    page.unreadable(|| format!("page {} row {}: {reason}", self.page, place + 1))
                }
            }
        }
        let devices: Vec<_> = page.records.iter().map(|row| row.device.clone()).collect();
        if self.is_last(answer, list.len(), &devices) {
            return Ok(Next::End);
        }
        self.before = devices;
        self.page += 1;
        Ok(Next::number(PAGE, self.page))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn name(row: &RawValue, _: &mut Vec<String>) -> Result<DeviceRecord, String> {
        let device = CarrierDeviceId::parse(row.get()).map_err(|error| error.to_string())?;
        Ok(DeviceRecord::of(device))
    }

    /// A carrier of devices `1..=count` that repeats its last page for ever; gives what a walk reads and
    /// how many calls it makes.
    fn walk(count: usize, size: u32, tells_pages: bool) -> (Vec<String>, usize) {
        let devices: Vec<usize> = (1..=count).collect();
        let pages: Vec<&[usize]> = match devices.chunks(size as usize).collect::<Vec<_>>() {
            none if none.is_empty() => vec![&[]],
            pages => pages,
        };
        let mut headers = HeaderMap::new();
        if tells_pages {
            headers.insert("x-total-pages", pages.len().into());
        }
        let mut walk = Numbered::all(Request::get("things"), size, 1_000, name);
        let (mut read, mut calls) = (Vec::new(), 0);
        while let Some(request) = walk.request() {
            let number: usize = request.query[0].1.parse().unwrap();
            let body = serde_json::to_vec(pages[number.min(pages.len()) - 1]).unwrap();
            let answer = Answer {
                headers: &headers,
                ..Answer::of(&body, DateTime::UNIX_EPOCH)
            };
            let page = walk.read(&answer).unwrap();
            read.extend(page.records.iter().map(|row| row.device.to_string()));
            calls += 1;
        }
        (read, calls)
    }

    proptest! {
        #[test]
        fn every_device_is_read_and_the_end_is_found_though_the_last_page_repeats(
            count in 0..60_usize, size in 1..12_u32, tells_pages: bool,
        ) {
            let (mut read, calls) = walk(count, size, tells_pages);
            read.dedup();
            let pages = count.div_ceil(size as usize).max(1);
            let full_end = count > 0 && count % size as usize == 0;
            prop_assert_eq!(calls, pages + usize::from(full_end && !tells_pages));
            if tells_pages {
                let all: Vec<String> = (1..=count).map(|id| id.to_string()).collect();
                prop_assert_eq!(read, all);
            } else {
                let last = count.to_string();
                prop_assert!(read.iter().filter(|id| **id == last).count() <= 2);
                prop_assert!((1..=count).all(|id| read.contains(&id.to_string())));
            }
        }
    }

    #[test]
    fn a_first_page_alone_is_one_call() {
        let mut walk = Numbered::first(Request::get("things"), name);
        let mut headers = HeaderMap::new();
        headers.insert("x-total-pages", 9.into());
        let answer = Answer {
            headers: &headers,
            ..Answer::of(b"[1]", DateTime::UNIX_EPOCH)
        };
        walk.read(&answer).unwrap();
        assert_eq!(walk.request(), None);
    }
}
