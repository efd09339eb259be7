//! What surrounds Onomondo's rows: their list, and what is said of more.
//!
//! Knows no row's shape. An error names a position and never quotes a body, which may hold places; only the
//! carrier's own error text is repeated.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::carriers::{
    ReadError,
    lenient::{Field, List, Object},
    rows::{self, present, quote},
};

/// A page of SIMs or of usage.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    sims: List<&'a RawValue>,
    #[serde(borrow)]
    usage: List<&'a RawValue>,
    limit: Field<u64>,
    total: Field<u64>,
    #[serde(borrow)]
    next_page: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pagination: Object<Pagination<'a>>,
    #[serde(borrow)]
    error: Field<Cow<'a, str>>,
    #[serde(borrow)]
    message: Field<Cow<'a, str>>,
}

/// The same of usage reports, as seen.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Pagination<'a> {
    has_more: Field<bool>,
    #[serde(borrow)]
    next_page: Field<Cow<'a, str>>,
}

/// What a page says of more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More<'e> {
    /// There is, behind this cursor.
    Cursor(&'e str),
    /// There is, and no cursor.
    Promised,
    /// There is none.
    None,
    /// Nothing.
    Unsaid,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, ReadError> {
        rows::read(text)
    }

    pub(super) fn take_sims(&mut self) -> Result<Vec<&'a RawValue>, ReadError> {
        let list = std::mem::take(&mut self.sims);
        self.list(list, "sims")
    }

    pub(super) fn take_usage(&mut self) -> Result<Vec<&'a RawValue>, ReadError> {
        let list = std::mem::take(&mut self.usage);
        self.list(list, "usage")
    }

    fn list(&self, list: List<&'a RawValue>, key: &str) -> Result<Vec<&'a RawValue>, ReadError> {
        let words = self
            .error
            .as_ref()
            .value()
            .or(self.message.as_ref().value());
        match (list.0, words) {
            (Field::Missing, Some(words)) if !words.trim().is_empty() => {
                Err(ReadError::Rejected(quote(words)))
            }
            (list, _) => present(list, key, "a list"),
        }
    }

    /// Rows of all pages.
    ///
    /// # Errors
    /// As [`more`](Self::more).
    pub(super) fn total(&self) -> Result<Option<u64>, ReadError> {
        number(self.total, "total")
    }

    /// Rows of a full page.
    ///
    /// # Errors
    /// As [`more`](Self::more).
    pub(super) fn limit(&self) -> Result<Option<u64>, ReadError> {
        number(self.limit, "limit")
    }

    /// # Errors
    /// [`ReadError::Malformed`] where what is said cannot be read: then the end is not known.
    pub(super) fn more(&self) -> Result<More<'_>, ReadError> {
        let pagination = match &self.pagination.0 {
            Field::Value(pagination) => Some(pagination),
            Field::Missing => None,
            Field::Bad => return Err(unreadable("pagination")),
        };
        let has_more = match pagination.map(|pagination| pagination.has_more) {
            Some(Field::Value(has_more)) => Some(has_more),
            Some(Field::Bad) => return Err(unreadable("has_more")),
            Some(Field::Missing) | None => None,
        };
        let inner = pagination.map(|pagination| &pagination.next_page);
        let mut cursor = None;
        for field in [Some(&self.next_page), inner].into_iter().flatten() {
            match field {
                Field::Value(text) if !text.trim().is_empty() => cursor = Some(text.trim()),
                Field::Value(_) | Field::Missing => {}
                Field::Bad => return Err(unreadable("next_page")),
            }
        }
        Ok(match (has_more, cursor) {
            (Some(false), _) => More::None,
            (_, Some(cursor)) => More::Cursor(cursor),
            (Some(true), None) => More::Promised,
            (None, None) => More::Unsaid,
        })
    }
}

fn number(field: Field<u64>, key: &str) -> Result<Option<u64>, ReadError> {
    match field {
        Field::Bad => Err(unreadable(key)),
        field => Ok(field.value()),
    }
}

fn unreadable(key: &str) -> ReadError {
    ReadError::Malformed(format!("`{key}` cannot be read"))
}
