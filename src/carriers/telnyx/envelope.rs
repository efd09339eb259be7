//! The envelope around every answer of Telnyx: refusals, the count of pages, the rows.
//!
//! Knows no row's shape. An error names a position and never quotes a body, which may hold PIN, PUK and
//! the place of a device; only the carrier's own error text is repeated.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::carriers::{
    ReadError,
    lenient::{Field, List, Object},
    rows::{self, present, quote},
};

/// What surrounds the data.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    meta: Object<Meta>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
}

/// What is said of the pages; `page_number` and `total_results` are not needed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    total_pages: Field<u64>,
}

/// One error. The documentation shows a list of them, and once a single one in its place.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorRow<'a> {
    #[serde(borrow)]
    title: Field<Cow<'a, str>>,
    #[serde(borrow)]
    detail: Field<Cow<'a, str>>,
}

/// The rows of one page.
pub(super) struct Rows<'a> {
    pub(super) rows: Vec<&'a RawValue>,
    /// Pages that there are, where that is said.
    pub(super) total_pages: Option<u64>,
}

/// Reads a page.
pub(super) fn rows(text: &str) -> Result<Rows<'_>, ReadError> {
    let envelope: Envelope<'_> = rows::read(text)?;
    let data = envelope.data()?;
    let list: List<&RawValue> = rows::read(data.get())?;
    Ok(Rows {
        rows: present(list.0, "data", "a list")?,
        total_pages: envelope
            .meta
            .0
            .value()
            .and_then(|meta| meta.total_pages.value()),
    })
}

/// Reads an answer whose `data` is one object.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    let envelope: Envelope<'a> = rows::read(text)?;
    present(rows::row(envelope.data()?), "data", "an object")
}

impl<'a> Envelope<'a> {
    /// The data, or the refusal that a 200 holds in its place.
    fn data(&self) -> Result<&'a RawValue, ReadError> {
        match (self.data, self.errors) {
            (Some(data), _) => Ok(data),
            (None, Some(errors)) => Err(refused(errors)),
            (None, None) => Err(ReadError::Malformed("an answer without `data`".into())),
        }
    }
}

fn refused(errors: &RawValue) -> ReadError {
    let first = rows::read::<List<&RawValue>>(errors.get())
        .ok()
        .and_then(|list| list.0.value()?.first().copied());
    let error = rows::row::<ErrorRow<'_>>(first.unwrap_or(errors)).value();
    let words = error.and_then(|error| error.detail.value().or(error.title.value()));
    ReadError::Rejected(match words {
        Some(words) if !words.trim().is_empty() => quote(&words),
        _ => "the carrier refused and gave no reason".into(),
    })
}
