//! Why a call brought no answer, named by what the caller does next. No text holds a credential, a
//! URL or a query string.

use chrono::{DateTime, Utc};

/// A call that failed, after its retries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Too fast: the whole account pauses; stop and come back after `until`.
    #[error("throttled by the carrier until {}", until.format("%H:%M:%S UTC"))]
    Throttled {
        /// When the account may call again.
        until: DateTime<Utc>,
    },
    /// What may be called in a window of time is used up, and nothing went wrong: stop, and ask no more before `until`.
    #[error("the limit of calls is used up until {}", until.format("%H:%M:%S UTC"))]
    LimitUsedUp {
        /// When the next call may leave.
        until: DateTime<Utc>,
    },
    /// The credentials do not open this: stop until a person changes them.
    #[error("the carrier refuses the credentials (status {status}{})", colon(.words.as_deref()))]
    Unauthorized {
        /// 401 or 403, or what the carrier says in their place.
        status: u16,
        /// In the carrier's words where it has any.
        words: Option<String>,
    },
    /// There is no such thing at the carrier.
    #[error("not found at the carrier")]
    NotFound,
    /// The carrier will not answer this request however often it is sent.
    #[error("rejected by the carrier: {reason}")]
    Rejected {
        /// In the carrier's words where it has any.
        reason: String,
    },
    /// No answer, or a failure on the carrier's side: the next sync is the retry.
    #[error("carrier unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// An answer that is not what the API documents.
    #[error("unusable answer: {reason}")]
    Malformed {
        /// What is wrong with it; never the body.
        reason: String,
    },
    /// An answer above `http.max_body_bytes`: ask for smaller pages.
    #[error("answer larger than {limit_bytes} bytes (http.max_body_bytes)")]
    TooLarge {
        /// The cap.
        limit_bytes: usize,
    },
    /// There is no token, without which nothing can be asked: the next sync tries again.
    #[error("no token from the carrier: {reason}")]
    NoToken {
        /// What happened; in the carrier's words where it has any.
        reason: String,
    },
    /// The address may not be called (`http.allow_private_hosts`).
    #[error("{reason}")]
    Forbidden {
        /// Which address and why.
        reason: String,
    },
    /// The integration is no longer ours: end without a word.
    #[error("the lease of the integration has run out")]
    LeaseLost,
    /// The sync has made all the calls it may (`max_calls_per_sync`).
    #[error("call budget of {budget} spent (max_calls_per_sync)")]
    BudgetSpent {
        /// The budget.
        budget: u64,
    },
    /// The integration has made all the calls it may in a day or a month: come back when that has ended.
    #[error("{reason}")]
    AllowanceSpent {
        /// Which budget, and until when.
        reason: String,
    },
    /// The call could not be counted in the database, without which it may not be made.
    #[error("calls could not be counted: {reason}")]
    NotCounted {
        /// Why the database did not do it.
        reason: String,
    },
}

fn colon(words: Option<&str>) -> String {
    words.map(|words| format!(": {words}")).unwrap_or_default()
}

/// Why there is no connection to any carrier: TLS has no usable root certificates, or the like.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS")]
pub struct SetUpError(#[source] reqwest::Error);

impl From<reqwest::Error> for SetUpError {
    fn from(error: reqwest::Error) -> Self {
        Self(error)
    }
}
