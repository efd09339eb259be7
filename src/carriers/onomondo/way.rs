//! Which page comes next. Onomondo pages by a cursor, did by an offset before, and says so in several
//! forms; an end that is only supposed would make a report complete that is not.

use super::envelope::{Envelope, More};
use crate::carriers::{ReadError, Request, paging::Next};

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Way {
    /// The first request.
    first: Request,
    /// Rows of a full page, as asked for.
    size: u64,
    /// Rows that have come.
    read: u64,
    /// A cursor has been given: a page without one is the last.
    has_cursors: bool,
}

impl Way {
    pub(super) fn new(first: &Request, size: u32) -> Self {
        Self {
            first: first.clone(),
            size: size.into(),
            read: 0,
            has_cursors: false,
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
            More::Cursor(cursor) => self.request("next_page", cursor),
            More::Unsaid if self.has_cursors => Next::End,
            More::Promised => self.by_offset(read, rows)?,
            More::Unsaid => match answer.total.value() {
                Some(total) if read >= total => Next::End,
                Some(_) => self.by_offset(read, rows)?,
                // A full page may be the last or not: only the next one tells.
                None if rows > 0 && rows >= answer.limit.value().unwrap_or(self.size) => {
                    self.by_offset(read, rows)?
                }
                None => Next::End,
            },
        };
        self.read = read;
        self.has_cursors |= matches!(more, More::Cursor(_));
        Ok(next)
    }

    fn by_offset(&self, read: u64, rows: u64) -> Result<Next, ReadError> {
        if rows == 0 {
            return Err(ReadError::Malformed(
                "an empty page promises more rows".into(),
            ));
        }
        Ok(self.request("offset", read))
    }

    /// From the first one on, so that an offset and a cursor never meet.
    fn request(&self, parameter: &'static str, value: impl ToString) -> Next {
        Next::Request(self.first.clone().with(parameter, value))
    }
}
