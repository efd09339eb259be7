//! What comes back from one call, as a walk reads it: body, headers, and when it was asked and read.
//!
//! Some carriers name the next page in a header, and some count in "the current month" without saying
//! which, so both belong to the answer. Knows no HTTP client.

use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

static NO_HEADERS: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

/// A successful answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// As it came, decompressed. May hold personal data: never to be logged.
    pub body: &'a [u8],
    /// As they came.
    pub headers: &'a HeaderMap,
    /// Just before the request left.
    pub sent_at: DateTime<Utc>,
    /// Just after the last byte had come.
    pub read_at: DateTime<Utc>,
}

impl<'a> Answer<'a> {
    /// An answer without headers, asked and read at the same instant.
    #[must_use]
    pub fn of(body: &'a [u8], at: DateTime<Utc>) -> Self {
        Self {
            body,
            headers: &NO_HEADERS,
            sent_at: at,
            read_at: at,
        }
    }

    /// The text of a header; `None` where it is missing or is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// A header that holds a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }
}

/// What the headers of an answer say about the calls that are left: it may lower the local estimate and
/// never raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitHint {
    /// Calls left until the reset.
    pub remaining: Option<u64>,
    /// Time until the carrier begins to count anew.
    pub resets_in: Option<Duration>,
    /// Which calls it counts.
    pub of: HintOf,
}

/// Which calls a carrier counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HintOf {
    /// All of the account.
    #[default]
    Account,
    /// Those to one endpoint.
    Endpoint,
}
