//! Which page comes next. Onomondo pages by a cursor, did by an offset before, and says so in several
//! forms; an end that is only supposed would make a report complete that is not.

use std::borrow::Cow;

use super::envelope::{Envelope, More};
use crate::carriers::{ReadError, Request, paging::Next};

/// The query parameter that takes a cursor.
const CURSOR: &str = "next_page";

/// The query parameter that takes the number of rows to pass over.
const OFFSET: &str = "offset";

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Way {
    /// The first request.
    first: Request,
    /// Rows of a full page, as asked for.
    size: u64,
    /// Rows that have come.
    read: u64,
    /// The parameter that the last request went on by. Once it was a cursor, a page without one is the last:
    /// a total beside it counts SIMs that were added or removed since.
    by: Option<&'static str>,
}

impl Way {
    pub(super) fn new(first: &Request, size: u32) -> Self {
        Self {
            first: first.clone(),
            size: size.into(),
            read: 0,
            by: None,
        }
    }

    /// What comes after a page of so many rows.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] where there must be more and no way leads there. Nothing has changed then.
    pub(super) fn after(&mut self, answer: &Envelope<'_>, rows: usize) -> Result<Next, ReadError> {
        let rows = rows as u64;
        let read = self.read.saturating_add(rows);
        let more = answer.more()?;
        let next = match more {
            More::None => Next::End,
            More::Cursor(cursor) => self.on(CURSOR, cursor.to_owned()),
            More::Promised => self.by_offset(read, rows)?,
            More::Unsaid if self.by == Some(CURSOR) => Next::End,
            More::Unsaid => match answer.total()? {
                Some(total) if read >= total => Next::End,
                Some(_) => self.by_offset(read, rows)?,
                // A full page may be the last or not: only the next one tells.
                None if rows > 0 && rows >= answer.limit()?.unwrap_or(self.size) => {
                    self.by_offset(read, rows)?
                }
                None => Next::End,
            },
        };
        self.read = read;
        self.by = match more {
            More::Cursor(_) => Some(CURSOR),
            _ => Some(OFFSET),
        };
        Ok(next)
    }

    fn by_offset(&self, read: u64, rows: u64) -> Result<Next, ReadError> {
        if rows == 0 {
            return Err(ReadError::Malformed(
                "an empty page promises more rows".into(),
            ));
        }
        Ok(self.on(OFFSET, read.to_string()))
    }

    /// From the first request on where the parameter is another one, so that an offset and a cursor never
    /// meet.
    fn on(&self, parameter: &'static str, value: String) -> Next {
        match self.by {
            Some(other) if other != parameter => {
                Next::Request(self.first.clone().with(parameter, value))
            }
            _ => Next::Page(vec![(Cow::Borrowed(parameter), value)]),
        }
    }
}
