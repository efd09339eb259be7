//! Paging without I/O: a [`Walk`] names the next request and reads its answer.
//!
//! Every carrier ends its listings by a rule of its own; what they share is the [`CursorGuard`]: a
//! cursor that comes back or never ends is an error, never an endless loop.

use std::{borrow::Cow, collections::HashSet};

use super::{answer::Answer, request::Request};

/// A paged read. Call [`request`](Walk::request), send it, give the answer to [`read`](Walk::read),
/// and repeat until there is no request left.
pub trait Walk<T>: Send {
    /// The next request; `None` once the carrier has said that there is no more.
    fn request(&self) -> Option<Request>;

    /// Reads the answer to [`request`](Walk::request) and moves on.
    ///
    /// # Errors
    /// [`ReadError`]: what was read before stays true, the rest is unknown. An answer that cannot be
    /// read at all leaves [`request`](Walk::request) as it was, so that it may be sent again; an
    /// answer that ends the walk leaves none.
    fn read(&mut self, answer: &Answer<'_>) -> Result<Page<T>, ReadError>;

    /// The carrier refuses [`request`](Walk::request) by itself, neither the account nor the pace (a 400,
    /// a 404, a refusal on a 200). Moves on without an answer where the walk can, with what that settles;
    /// `None`: it cannot, and nothing has changed.
    fn pass_over(&mut self) -> Option<Page<T>> {
        None
    }
}

/// One page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows that could be read.
    pub records: Vec<T>,
    /// Why rows could not be read: a reason each, up to a bound.
    pub unreadable: Vec<String>,
    /// Raw values outside the carrier's vocabulary (`sim state "LIMBO"`), which became `unknown`.
    pub unmapped: Vec<String>,
    /// What else is odd about the answer as a whole, told once: a field that no row has.
    pub notices: Vec<String>,
}

/// Reasons that a page keeps; a page of rubbish must not fill the memory with its description.
const MAX_REASONS: usize = 100;

impl<T> Page<T> {
    /// Notes a row that could not be read.
    pub fn unreadable(&mut self, reason: impl FnOnce() -> String) {
        if self.unreadable.len() < MAX_REASONS {
            self.unreadable.push(reason());
        }
    }
}

/// Unmapped values told per page; a carrier that renames a state renames it for the whole fleet.
const MAX_UNMAPPED: usize = 16;

/// Notes a raw value outside the carrier's vocabulary, each once.
pub fn note_unmapped(unmapped: &mut Vec<String>, text: String) {
    if unmapped.len() < MAX_UNMAPPED && !unmapped.contains(&text) {
        unmapped.push(text);
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            unreadable: Vec::new(),
            unmapped: Vec::new(),
            notices: Vec::new(),
        }
    }
}

/// Why the body of a 200 is not an answer. Texts may quote the carrier; the client scrubs them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not what the API documents: HTML, cut JSON, another shape, a cursor without end.
    #[error("{0}")]
    Malformed(String),
    /// The carrier says no, in the body.
    #[error("{0}")]
    Rejected(String),
    /// The carrier says "too fast", in the body.
    #[error("{0}")]
    Throttled(String),
}

/// The text of a body. Bytes that are not UTF-8 sit in names, which nobody reads; they are replaced and
/// must not cost the page.
///
/// Asks the strict reader first: it passes over plain text by the word, the replacing one by the byte.
#[must_use]
pub fn body_text(body: &[u8]) -> Cow<'_, str> {
    // A byte order mark is no part of the text; some servers send one.
    let body = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body);
    std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
}

/// Watches the cursors of one walk.
#[derive(Debug)]
pub struct CursorGuard {
    seen: HashSet<String>,
    max_pages: u32,
}

impl CursorGuard {
    /// A guard for a walk of at most `max_pages` pages.
    #[must_use]
    pub fn new(max_pages: u32) -> Self {
        Self {
            seen: HashSet::new(),
            max_pages,
        }
    }

    /// Accepts the cursor of the next page.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] when the cursor was used before or the page cap is reached.
    pub fn advance(&mut self, cursor: &str) -> Result<(), ReadError> {
        if !self.seen.insert(cursor.to_owned()) {
            return Err(ReadError::Malformed(format!(
                "paging makes no progress: a cursor came back after {} pages",
                self.seen.len()
            )));
        }
        if self.seen.len() >= self.max_pages as usize {
            return Err(ReadError::Malformed(format!(
                "paging does not end: {} pages read and the carrier promises more",
                self.max_pages
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_comes_back_is_an_error() {
        let mut guard = CursorGuard::new(10);
        guard.advance("9").unwrap();
        guard.advance("5").unwrap();
        let error = guard.advance("9").unwrap_err().to_string();
        assert!(error.contains("no progress"), "{error}");
    }

    #[test]
    fn a_walk_past_the_page_cap_is_an_error() {
        let mut guard = CursorGuard::new(3);
        guard.advance("9").unwrap();
        guard.advance("8").unwrap();
        let error = guard.advance("7").unwrap_err().to_string();
        assert!(error.contains("does not end"), "{error}");
    }
}
