//! Why one attempt brought no body, and which status means what. No I/O; what comes of a failure is `call.rs`'s.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use crate::integration::CallResult;

/// Why one attempt brought no body. Named by what the call does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Pause the account, then try again.
    Throttled {
        /// For how long; `None`: the carrier named no time.
        pause: Option<Duration>,
    },
    /// Try again, after the pause where the carrier named one.
    Transient {
        /// What happened.
        reason: String,
        /// From `Retry-After` of a 503.
        pause: Option<Duration>,
        /// As it is counted.
        result: CallResult,
    },
    /// The carrier failed in a way that trying again at once does not mend.
    Down {
        /// What happened.
        reason: String,
        /// As it is counted.
        result: CallResult,
    },
    /// 401 or 403, or what the carrier says in their place.
    Unauthorized {
        /// Which.
        status: u16,
        /// In the carrier's words where it has any.
        words: Option<String>,
    },
    /// 404 or 410.
    NotFound,
    /// Any other no.
    Rejected {
        /// In the carrier's words where it has any.
        reason: String,
    },
    /// The cap was met.
    TooLarge,
    /// The answer is elsewhere on the same host: ask there, with a permit of its own.
    Moved {
        /// Where.
        to: Url,
    },
    /// The egress guard said no.
    Forbidden {
        /// Which address and why.
        reason: String,
    },
}

impl Failure {
    /// As the attempt is counted.
    #[must_use]
    pub const fn result(&self) -> CallResult {
        match self {
            Self::Throttled { .. } => CallResult::Throttled,
            Self::Transient { result, .. } | Self::Down { result, .. } => *result,
            Self::Unauthorized { .. } => CallResult::Unauthorized,
            Self::NotFound => CallResult::NotFound,
            Self::Rejected { .. } => CallResult::ClientError,
            Self::TooLarge => CallResult::Unreadable,
            Self::Moved { .. } => CallResult::Redirect,
            Self::Forbidden { .. } => CallResult::Forbidden,
        }
    }
}

/// One `match` on the status: what the caller does next.
pub(super) fn refusal(
    status: StatusCode,
    pause: Option<Duration>,
    words: impl FnOnce() -> Option<String>,
) -> Failure {
    let code = status.as_u16();
    match code {
        429 => Failure::Throttled { pause },
        401 | 403 => Failure::Unauthorized {
            status: code,
            words: words(),
        },
        404 | 410 => Failure::NotFound,
        408 | 502 | 503 | 504 => Failure::Transient {
            reason: format!("status {code}"),
            pause,
            result: match code {
                408 => CallResult::Timeout,
                _ => CallResult::ServerError,
            },
        },
        500..=599 => Failure::Down {
            reason: format!("status {code}"),
            result: CallResult::ServerError,
        },
        301 | 302 | 303 | 307 | 308 => Failure::Down {
            reason: format!("status {code}: a redirect to another host is not followed"),
            result: CallResult::ClientError,
        },
        _ => Failure::Rejected {
            reason: words().map_or_else(
                || format!("status {code}"),
                |words| format!("status {code}: {words}"),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_status_leads_to_one_decision() {
        let decide = |code| refusal(StatusCode::from_u16(code).unwrap(), None, || None);
        assert!(matches!(decide(429), Failure::Throttled { .. }));
        for code in [401, 403] {
            assert!(matches!(decide(code), Failure::Unauthorized { status, .. } if status == code));
        }
        assert!(matches!(decide(404), Failure::NotFound));
        for code in [408, 502, 503, 504] {
            assert!(matches!(decide(code), Failure::Transient { .. }), "{code}");
        }
        for code in [302, 308, 500, 501, 520, 599] {
            assert!(matches!(decide(code), Failure::Down { .. }), "{code}");
        }
        for code in [304, 400, 405, 422, 418] {
            assert!(matches!(decide(code), Failure::Rejected { .. }), "{code}");
        }
    }
}
