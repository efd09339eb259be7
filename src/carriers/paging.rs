//! The walk over an endpoint's pages that most carriers share: ask, read, ask on.
//!
//! Each [`Endpoint`] says what its rows mean and what comes next, by its carrier's own rule; this file
//! guards against paging that goes in circles or never ends.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Answer;
use super::request::Request;
use super::walk::{CursorGuard, Page, ReadError, Walk};

/// One paged endpoint. May remember what it has read, for carriers whose rows must be summed or joined
/// before they say anything.
pub trait Endpoint: Send {
    /// What its rows become.
    type Record;

    /// Reads an answer: adds what its rows say to `page` and tells what comes next.
    ///
    /// A row that cannot be read goes to [`Page::unreadable`] and costs no other.
    ///
    /// # Errors
    /// [`ReadError`] when the answer as a whole says nothing; nothing may have changed then.
    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<Self::Record>,
    ) -> Result<Next, ReadError>;

    /// What comes next where the carrier refuses this one request, as [`Walk::pass_over`] says.
    fn pass_over(&mut self, _page: &mut Page<Self::Record>) -> Option<Next> {
        None
    }
}

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    End,
    /// The same endpoint, with these parameters in place of those of the same names.
    Page(Vec<(Cow<'static, str>, String)>),
    /// Another request of the same walk.
    Request(Request),
}

impl Next {
    /// The page of this number.
    #[must_use]
    pub fn number(parameter: &'static str, number: u64) -> Self {
        Self::Page(vec![(Cow::Borrowed(parameter), number.to_string())])
    }

    /// The page behind this cursor.
    #[must_use]
    pub fn cursor(parameter: &'static str, cursor: &str) -> Self {
        Self::Page(vec![(Cow::Borrowed(parameter), cursor.to_owned())])
    }
}

/// A walk over an endpoint.
#[derive(Debug)]
pub struct Paged<E> {
    next: Option<Request>,
    guard: CursorGuard,
    last_body: Option<u64>,
    endpoint: E,
    only_first: bool,
}

impl<E: Endpoint> Paged<E> {
    /// A walk that begins with `first` and has at most `max_pages` pages.
    #[must_use]
    pub fn new(endpoint: E, first: Request, max_pages: u32) -> Self {
        Self {
            next: Some(first),
            guard: CursorGuard::new(max_pages),
            last_body: None,
            endpoint,
            only_first: false,
        }
    }

    /// One answer, whatever it promises: a probe, a call about one device.
    #[must_use]
    pub fn once(endpoint: E, request: Request) -> Self {
        Self {
            only_first: true,
            ..Self::new(endpoint, request, u32::MAX)
        }
    }

    /// `body`: of the answer that says so, where there is one. Two pages of one listing that are the same
    /// are no progress; answers to different requests may be the same.
    fn following(&mut self, next: Next, body: Option<&[u8]>) -> Result<Option<Request>, ReadError> {
        let (next, body) = match (next, &self.next) {
            (Next::End, _) | (_, None) => return Ok(None),
            _ if self.only_first => return Ok(None),
            (Next::Page(parameters), Some(request)) => {
                // Pages without rows are all alike, and some carriers have them in the middle.
                let body = body.filter(|body| body.trim_ascii() != b"[]");
                (request.clone().replace(parameters), body.map(fingerprint))
            }
            (Next::Request(request), Some(_)) => (request, None),
        };
        self.guard.advance(&format!("{next:?}"))?;
        let last = std::mem::replace(&mut self.last_body, body);
        if body.is_some() && last == body {
            return Err(ReadError::Malformed(
                "paging makes no progress: the same page came twice".into(),
            ));
        }
        Ok(Some(next))
    }
}

impl<E: Endpoint> Walk<E::Record> for Paged<E> {
    fn request(&self) -> Option<Request> {
        self.next.clone()
    }

    fn read(&mut self, answer: &Answer<'_>) -> Result<Page<E::Record>, ReadError> {
        if self.next.is_none() {
            return Err(ReadError::Malformed(
                "an answer after the end of the walk".into(),
            ));
        }
        let mut page = Page::default();
        let next = self.endpoint.read(answer, &mut page)?;
        // The answer was read, so a cursor that leads nowhere is the carrier's word and the end.
        let following = self.following(next, Some(answer.body));
        self.next = None;
        self.next = following?;
        Ok(page)
    }

    fn pass_over(&mut self) -> Option<Page<E::Record>> {
        if self.next.is_none() || self.only_first {
            return None;
        }
        let mut page = Page::default();
        let next = self.endpoint.pass_over(&mut page)?;
        self.next = self.following(next, None).ok()?;
        Some(page)
    }
}

fn fingerprint(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;

    use super::*;

    /// Reads `next` out of the body: a number, or nothing.
    #[derive(Debug)]
    struct Numbers;

    impl Endpoint for Numbers {
        type Record = u64;

        fn read(&mut self, answer: &Answer<'_>, page: &mut Page<u64>) -> Result<Next, ReadError> {
            let text = String::from_utf8_lossy(answer.body);
            let next: u64 = text
                .split(' ')
                .next()
                .and_then(|word| word.parse().ok())
                .ok_or_else(|| ReadError::Malformed("no number".into()))?;
            page.records.push(next);
            Ok(match next {
                0 => Next::End,
                _ => Next::number("page", next),
            })
        }
    }

    fn read(walk: &mut Paged<Numbers>, body: &str) -> Result<Page<u64>, ReadError> {
        walk.read(&Answer::of(body.as_bytes(), DateTime::UNIX_EPOCH))
    }

    fn walk(max_pages: u32) -> Paged<Numbers> {
        Paged::new(Numbers, Request::get("things").with("page", 1), max_pages)
    }

    #[test]
    fn a_walk_asks_on_until_the_endpoint_says_end() {
        let mut walk = walk(10);
        assert_eq!(read(&mut walk, "2").unwrap().records, [2]);
        assert_eq!(walk.request().unwrap().query, [("page".into(), "2".into())]);
        read(&mut walk, "0").unwrap();
        assert_eq!(walk.request(), None);
        assert!(read(&mut walk, "0").is_err(), "after the end");
    }

    #[test]
    fn an_answer_that_cannot_be_read_leaves_the_request() {
        let mut walk = walk(10);
        assert!(read(&mut walk, "<html>").is_err());
        assert!(walk.request().is_some());
    }

    #[test]
    fn paging_in_circles_or_without_end_is_an_error() {
        let mut circle = walk(10);
        read(&mut circle, "2").unwrap();
        read(&mut circle, "3").unwrap();
        assert!(read(&mut circle, "2").is_err());
        assert_eq!(circle.request(), None);
        let mut endless = walk(3);
        read(&mut endless, "2").unwrap();
        read(&mut endless, "3").unwrap();
        assert!(read(&mut endless, "4").is_err());
    }

    #[test]
    fn a_page_that_comes_twice_is_no_progress() {
        struct Always(u64);
        impl Endpoint for Always {
            type Record = ();
            fn read(&mut self, _: &Answer<'_>, _: &mut Page<()>) -> Result<Next, ReadError> {
                self.0 += 1;
                Ok(Next::number("page", self.0))
            }
        }
        let mut walk = Paged::new(Always(1), Request::get("things"), 1_000);
        let answer = Answer::of(b"[1]", DateTime::UNIX_EPOCH);
        walk.read(&answer).unwrap();
        assert!(walk.read(&answer).is_err());
    }

    #[test]
    fn different_requests_may_have_the_same_answer() {
        struct Plans(u32);
        impl Endpoint for Plans {
            type Record = ();
            fn read(&mut self, _: &Answer<'_>, _: &mut Page<()>) -> Result<Next, ReadError> {
                self.0 += 1;
                Ok(Next::Request(Request::get("plan").with("of", self.0)))
            }
        }
        let mut walk = Paged::new(Plans(0), Request::get("things"), 1_000);
        let answer = Answer::of(b"[]", DateTime::UNIX_EPOCH);
        walk.read(&answer).unwrap();
        walk.read(&answer).unwrap();
    }

    #[test]
    fn a_refused_request_is_passed_over_where_the_endpoint_can() {
        struct Parts(u64);
        impl Endpoint for Parts {
            type Record = ();
            fn read(&mut self, _: &Answer<'_>, _: &mut Page<()>) -> Result<Next, ReadError> {
                self.0 += 1;
                Ok(Next::number("part", self.0))
            }
            fn pass_over(&mut self, _: &mut Page<()>) -> Option<Next> {
                self.0 += 1;
                (self.0 < 4).then(|| Next::number("part", self.0))
            }
        }
        let mut walk = Paged::new(Parts(1), Request::get("things").with("part", 1), 10);
        assert!(walk.pass_over().is_some());
        let second = walk.request();
        assert_eq!(
            second.as_ref().unwrap().query,
            [("part".into(), "2".into())]
        );
        walk.read(&Answer::of(b"[]", DateTime::UNIX_EPOCH)).unwrap();
        let third = walk.request();
        assert!(walk.pass_over().is_none(), "the endpoint cannot");
        assert_eq!(walk.request(), third);
        let mut numbers = self::walk(10);
        assert!(numbers.pass_over().is_none());
        assert!(numbers.request().is_some());
    }

    #[test]
    fn a_walk_of_one_answer_does_not_go_on() {
        let mut walk = Paged::once(Numbers, Request::get("things"));
        read(&mut walk, "2").unwrap();
        assert_eq!(walk.request(), None);
    }
}
