//! What comes after a page, by a manifest's rule.
//!
//! An end is believed where the answer says so: what a complete report leaves out may count as zero. A walk whose
//! total is not told goes on until a page is not full, and a next page that is named nowhere is an error.

use std::borrow::Cow;

use serde_json::Value;
use url::Url;

use super::filling::{PAGE_SIZE, Template};
use super::manifest::{Limits, Paging, PagingKind};
use super::wire::Path;
use crate::carriers::lenient::Field;
use crate::carriers::paging::Next;
use crate::carriers::request::Request;
use crate::carriers::{Answer, ReadError};

/// Rows of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageSize {
    /// Asked for.
    pub(super) asked: u32,
    /// Whether the carrier is known to serve as many and is asked for them, so that a page of fewer is the last.
    pub(super) is_served: bool,
}

/// Follows pages by a manifest's rule.
#[derive(Debug)]
pub(super) struct Pager {
    paging: Paging,
    page_size: PageSize,
    /// Pages, or rows, read so far.
    read: u64,
    /// Pages, or rows, that were announced last.
    announced: Option<u64>,
    /// Whether what is left out says something by itself.
    is_of_report: bool,
    /// Whether any page has named the next one.
    has_led_on: bool,
}

impl PageSize {
    /// Of this request: `asked` or as many as the carrier serves.
    pub(super) fn of(limits: &Limits, asked: u32, template: Template<'_>) -> Self {
        let most = limits.page_size;
        Self {
            asked: most.map_or(asked, |most| most.min(asked)),
            is_served: most.is_some() && template.holds(PAGE_SIZE),
        }
    }
}

impl Pager {
    pub(super) fn new(paging: &Paging, page_size: PageSize) -> Self {
        Self {
            paging: paging.clone(),
            page_size,
            read: 0,
            announced: None,
            is_of_report: false,
            has_led_on: false,
        }
    }

    /// Of a report, or of parts that are summed: for what it leaves out nobody asks by itself.
    pub(super) fn of_report(paging: &Paging, page_size: PageSize) -> Self {
        Self {
            is_of_report: true,
            ..Self::new(paging, page_size)
        }
    }

    /// Of an answer after which nothing is asked, whatever it says.
    pub(super) fn of_one_page() -> Self {
        let page_size = PageSize {
            asked: 1,
            is_served: false,
        };
        Self::new(&Paging::default(), page_size)
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

    /// What comes after a page of so many rows.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] when the answer lacks what the manifest says it tells.
    pub(super) fn next(
        &mut self,
        answer: &Answer<'_>,
        body: &Value,
        rows: usize,
    ) -> Result<Next, ReadError> {
        match self.paging.kind {
            PagingKind::None => Ok(Next::End),
            PagingKind::Page => {
                let total = self.total(self.paging.total_pages.as_ref(), answer, body);
                let read = self.read + 1;
                self.number(read, self.first_number().saturating_add(read), total, rows)
            }
            PagingKind::Offset => {
                let total = self.total(self.paging.total.as_ref(), answer, body);
                let read = self.read + rows as u64;
                self.number(read, read, total, rows)
            }
            PagingKind::Cursor => {
                let cursor = self.named(answer, body, rows)?;
                Ok(cursor.map_or(Next::End, |cursor| self.parameter(cursor)))
            }
            PagingKind::NextUrl => match self.named(answer, body, rows)? {
                Some(url) => next_url(&url),
                None => Ok(Next::End),
            },
        }
    }

    fn parameter(&self, value: String) -> Next {
        let name = self.paging.parameter.clone().unwrap_or_default();
        Next::Page(vec![(Cow::Owned(name), value)])
    }

    /// What the answer tells of how much there is; a header tells of pages only.
    fn total(&self, path: Option<&Path>, answer: &Answer<'_>, body: &Value) -> Option<u64> {
        let header = self.paging.total_pages_header.as_deref();
        let header = header.filter(|_| self.paging.kind == PagingKind::Page);
        let in_body = path.and_then(|path| path.scalar::<u64>(body).value());
        in_body.or_else(|| answer.number(header?))
    }

    /// After so many were `read`, the `next` one by its number. Only an answer that is read counts: one that is
    /// refused is asked for again.
    fn number(
        &mut self,
        read: u64,
        next: u64,
        total: Option<u64>,
        rows: usize,
    ) -> Result<Next, ReadError> {
        // What is counted from the front has moved up where something went, and a row was passed over.
        if self.is_of_report && total.is_some() && total < self.announced {
            return Err(ReadError::Malformed(
                "less is announced than before: rows have moved, and one may have been passed over"
                    .into(),
            ));
        }
        let has_more = match total {
            Some(total) => read < total,
            None => self.may_have_more(rows),
        };
        if has_more && rows == 0 {
            return Err(ReadError::Malformed(
                "an empty page, though more rows were announced".into(),
            ));
        }
        (self.read, self.announced) = (read, total.or(self.announced));
        if has_more {
            Ok(self.parameter(next.to_string()))
        } else {
            Ok(Next::End)
        }
    }

    /// Where the answer does not tell: not full, or where nobody knows what the carrier serves, empty.
    fn may_have_more(&self, rows: usize) -> bool {
        if self.page_size.is_served {
            self.is_full(rows)
        } else {
            rows > 0
        }
    }

    fn is_full(&self, rows: usize) -> bool {
        rows as u64 >= u64::from(self.page_size.asked)
    }

    /// The next page as the answer names it; `None`: there is none.
    fn named(
        &mut self,
        answer: &Answer<'_>,
        body: &Value,
        rows: usize,
    ) -> Result<Option<String>, ReadError> {
        let path = self.paging.next.as_ref();
        let in_body = match path.and_then(|path| path.first(body)) {
            Some(Value::Null | Value::Bool(false)) => return Ok(None),
            Some(_) => path.map(|path| path.text(body)),
            None => None,
        };
        let header = self.paging.next_header.as_deref();
        let place = path.map(Path::as_str).or(header).unwrap_or_default();
        let named = match in_body {
            Some(Field::Value(text)) => Some(text),
            Some(_) => {
                return Err(ReadError::Malformed(format!(
                    "{place} leads to no text that could name the next page"
                )));
            }
            None => header.and_then(|header| answer.header(header).map(str::to_owned)),
        };
        if named.is_none() && self.is_full(rows) && !self.has_led_on {
            return Err(ReadError::Malformed(format!(
                "{place} leads nowhere on a full page, so nobody knows whether this is all"
            )));
        }
        let named = named.filter(|named| !named.trim().is_empty());
        self.has_led_on |= named.is_some();
        Ok(named)
    }
}

/// Only its query is used: our credentials go nowhere else than to the base address.
fn next_url(url: &str) -> Result<Next, ReadError> {
    let base = Url::parse("https://localhost").ok();
    let url = Url::parse(url).ok().or_else(|| base?.join(url).ok());
    let query = url.map(|url| {
        let pairs = url.query_pairs();
        pairs
            .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
            .collect::<Vec<_>>()
    });
    match query {
        Some(query) if !query.is_empty() => Ok(Next::Page(query)),
        _ => Err(ReadError::Malformed(
            "the next page's address has no query, and nothing else of it is used".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;

    use super::*;

    fn pager(toml: &str, asked: u32, is_served: bool) -> Pager {
        let paging: Paging = toml::from_str(toml).unwrap();
        Pager::new(&paging, PageSize { asked, is_served })
    }

    /// What comes after each of these answers; `None`: it cannot be known.
    fn follow(pager: &mut Pager, answers: &[(&str, usize)]) -> Vec<Option<String>> {
        let next = |(body, rows): &(&str, usize)| {
            let answer = Answer::of(body.as_bytes(), DateTime::UNIX_EPOCH);
            let body = serde_json::from_str(body).unwrap();
            Some(match pager.next(&answer, &body, *rows).ok()? {
                Next::End => "end".to_owned(),
                Next::Page(query) => query[0].1.clone(),
                Next::Request(request) => panic!("{request:?}"),
            })
        };
        answers.iter().map(next).collect()
    }

    fn some(words: &[&str]) -> Vec<Option<String>> {
        let told = words
            .iter()
            .map(|word| (*word != "?").then(|| (*word).to_owned()));
        told.collect()
    }

    const PAGE: &str = "kind = 'page'\nparameter = 'p'\ntotal_pages = '$.all'";
    const OFFSET: &str = "kind = 'offset'\nparameter = 'p'\ntotal = '$.all'";

    #[test]
    fn a_total_ends_a_walk_and_one_that_is_not_told_does_not() {
        for (toml, told) in [(PAGE, r#"{"all":2}"#), (OFFSET, r#"{"all":"4"}"#)] {
            let after = |answers: &[(&str, usize)]| follow(&mut pager(toml, 2, true), answers);
            assert_eq!(
                after(&[(told, 2), (told, 2)]),
                some(&["2", "end"]),
                "{toml}"
            );
            for untold in ["{}", r#"{"all":null}"#, r#"{"all":"many"}"#] {
                let next = after(&[(untold, 2), (untold, 1)]);
                assert_eq!(next, some(&["2", "end"]), "{toml} {untold}");
                let next = follow(&mut pager(toml, 100, false), &[(untold, 2), (untold, 0)]);
                assert_eq!(next, some(&["2", "end"]), "{toml} {untold}");
            }
        }
    }

    #[test]
    fn an_empty_page_before_the_last_is_no_end() {
        for (toml, told) in [(PAGE, r#"{"all":3}"#), (OFFSET, r#"{"all":5}"#)] {
            let answers = [(told, 2), (told, 0), (told, 0), (told, 2)];
            let next = follow(&mut pager(toml, 2, true), &answers);
            let third = if toml == PAGE { "3" } else { "4" };
            assert_eq!(next, some(&["2", "?", "?", third]), "{toml}");
        }
    }

    #[test]
    fn a_page_that_is_not_full_is_the_last_only_where_the_page_size_is_known_to_be_served() {
        for (toml, next) in [
            ("kind = 'page'\nparameter = 'p'", ["2", "3"]),
            ("kind = 'offset'\nparameter = 'p'", ["2", "3"]),
        ] {
            let answers = [("{}", 2), ("{}", 1), ("{}", 0)];
            let mut walk = pager(toml, 2, true);
            assert_eq!(
                follow(&mut walk, &answers[..2]),
                some(&[next[0], "end"]),
                "{toml}"
            );
            let mut walk = pager(toml, 100, false);
            let told = [next[0], next[1], "end"];
            assert_eq!(follow(&mut walk, &answers), some(&told), "{toml}");
        }
    }

    #[test]
    fn a_next_page_that_is_named_nowhere_ends_a_walk_only_where_it_may() {
        let cursor = "kind = 'cursor'\nparameter = 'after'\nnext = '$.next'";
        let url = "kind = 'next_url'\nnext = '$.next'";
        for (toml, named) in [
            (cursor, r#"{"next":"x"}"#),
            (url, r#"{"next":"/a?after=x"}"#),
        ] {
            let after = |answers: &[(&str, usize)]| follow(&mut pager(toml, 2, true), answers);
            for end in [r#"{"next":null}"#, r#"{"next":""}"#, r#"{"next":false}"#] {
                assert_eq!(after(&[(end, 2)]), some(&["end"]), "{toml} {end}");
            }
            assert_eq!(after(&[("{}", 1)]), some(&["end"]), "{toml}");
            assert_eq!(after(&[("{}", 2)]), some(&["?"]), "{toml}");
            assert_eq!(
                after(&[(named, 2), ("{}", 2)]),
                some(&["x", "end"]),
                "{toml}"
            );
            assert_eq!(after(&[(r#"{"next":{"a":1}}"#, 1)]), some(&["?"]), "{toml}");
        }
        let mut walk = pager(url, 2, true);
        assert_eq!(
            follow(&mut walk, &[(r#"{"next":"/sims/page/2"}"#, 2)]),
            some(&["?"])
        );
    }
}
