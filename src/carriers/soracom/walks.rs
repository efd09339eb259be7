//! Soracom's walks over JSON: the listing, a single SIM, its statistics.
//!
//! Knows how pages hang together; what a row means is `normalise.rs`.

use super::{
    envelope, normalise,
    wire::{SimRow, StatsRow},
};
use crate::{
    carriers::{
        Answer, DeviceRecord, Page, ReadError, UsagePart,
        lenient::Field,
        paging::{Endpoint, Next},
        rows::{self, row},
        walk::body_text,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// The header that names the next page; without it there is none, however short a page is.
const NEXT_KEY: &str = "x-soracom-next-key";

/// The query parameter that takes it.
const CURSOR: &str = "last_evaluated_key";

/// `GET /query/sims`.
#[derive(Debug)]
pub(super) struct Sims {
    pub(super) month: Option<BillingCycle>,
}

impl Endpoint for Sims {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let list = envelope::list(&text)?;
        let next = next_page(answer)?;
        rows::each(page, "SIM", list, |row: SimRow<'_>, page| {
            let record = normalise::sim(&row, self.month, &mut page.unmapped)?;
            page.records.push(record);
            Ok::<_, String>(())
        });
        Ok(next)
    }
}

/// By the header of its own, else by `link`, which says the same.
fn next_page(answer: &Answer<'_>) -> Result<Next, ReadError> {
    if answer.headers.contains_key(NEXT_KEY) && answer.header(NEXT_KEY).is_none() {
        return Err(ReadError::Malformed(format!(
            "the header {NEXT_KEY} is no text"
        )));
    }
    let key = answer.header(NEXT_KEY).filter(|key| !key.is_empty());
    if let Some(key) = key {
        return Ok(Next::cursor(CURSOR, key));
    }
    let Some(next) = answer.header("link").and_then(linked_page) else {
        return Ok(Next::End);
    };
    let key = linked_key(next).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| ReadError::Malformed("a link to a next page without a key".into()));
    Ok(Next::cursor(CURSOR, &key?))
}

/// The entry `<…>; rel=next` of a `Link` header.
fn linked_page(link: &str) -> Option<&str> {
    link.split(',').find(|entry| {
        let relation: String = entry.split(';').skip(1).collect();
        relation.replace(['"', ' '], "").contains("rel=next")
    })
}

/// The key in `</v1/query/sims?last_evaluated_key=…>; rel=next`.
fn linked_key(next: &str) -> Option<String> {
    let (_, query) = next.split_once('<')?.1.split_once('>')?.0.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == CURSOR)
        .map(|(_, key)| key.into_owned())
}

/// `GET /sims/{id}`.
#[derive(Debug)]
pub(super) struct OneSim {
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
        let row = envelope::object::<SimRow<'_>>(&text)?;
        let record =
            normalise::sim(&row, self.month, &mut page.unmapped).map_err(ReadError::Malformed)?;
        if record.device.as_str() != self.device.as_str().trim() {
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

/// `GET /stats/air/sims/{id}`: what one SIM used in a month.
///
/// An answer without rows is a month without traffic; one that has rows, and none of the month that was
/// asked for, answers another question.
#[derive(Debug)]
pub(super) struct Stats {
    pub(super) month: BillingCycle,
}

impl Endpoint for Stats {
    type Record = UsagePart;

    fn read(&mut self, answer: &Answer<'_>, page: &mut Page<UsagePart>) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        let rows = envelope::list(&text)?;
        let is_empty = rows.is_empty();
        for (place, raw) in rows.into_iter().enumerate() {
            if let Field::Value(row) = row::<StatsRow<'_>>(raw) {
                page.records.extend(normalise::part(&row, &self.month));
            } else {
                page.unreadable(|| format!("statistics row {}: not a readable object", place + 1));
                page.records.push(unknown_part());
            }
        }
        if page.records.is_empty() && !is_empty {
            return Err(ReadError::Malformed(
                "the statistics are about other months than was asked for".into(),
            ));
        }
        Ok(Next::End)
    }
}

/// Left out, it would make the sum too small.
fn unknown_part() -> UsagePart {
    UsagePart {
        id: None,
        line: None,
        used: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_is_read_from_a_link_as_well() {
        let table = [
            (
                "</v1/query/sims?limit=2&last_evaluated_key=89%2B1>; rel=next",
                Some("89+1"),
            ),
            (
                "<https://g.api.soracom.io/v1/sims?last_evaluated_key=7>; rel=\"next\"",
                Some("7"),
            ),
            (
                "</a?last_evaluated_key=1>; rel=prev, </a?last_evaluated_key=2>; rel=next",
                Some("2"),
            ),
            ("</a?last_evaluated_key=1>; rel=prev", None),
            ("</a>; rel=next", None),
            ("rel=next", None),
        ];
        for (link, key) in table {
            let told = linked_page(link).and_then(linked_key);
            assert_eq!(told.as_deref(), key, "{link}");
        }
    }
}
