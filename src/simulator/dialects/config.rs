//! What is simulated: which carrier, whose accounts, how large, and by which limits.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// A carrier's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 1NCE, version 2 of its API.
    OneNce,
    /// emnify.
    Emnify,
    /// Cisco IoT Control Center.
    Cisco,
}

impl Dialect {
    /// The path of the base address below the server's.
    #[must_use]
    pub fn base_path(self) -> &'static str {
        match self {
            Self::OneNce => "management-api",
            Self::Emnify => "",
            Self::Cisco => "rws/api/v1",
        }
    }

    /// What the carrier publishes (help.1nce.com/api/api-rate-limits, docs.emnify.com/developers/api-guidelines,
    /// developer.cisco.com/docs/control-center).
    #[must_use]
    pub fn published_limits(self) -> Vec<Limit> {
        match self {
            Self::OneNce => vec![Limit::of(10, Duration::from_secs(1))],
            Self::Emnify => vec![Limit {
                is_shared: true,
                ..Limit::of(2_000, Duration::from_secs(300))
            }],
            Self::Cisco => vec![Limit::of(5, Duration::from_secs(1))],
        }
    }
}

/// At most so many calls in any interval of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub calls: usize,
    /// In how long.
    pub per: Duration,
    /// Over all accounts of one address together.
    pub is_shared: bool,
}

impl Limit {
    /// A limit of each account by itself.
    #[must_use]
    pub const fn of(calls: usize, per: Duration) -> Self {
        Self {
            calls,
            per,
            is_shared: false,
        }
    }
}

/// One account.
#[derive(Debug, Clone)]
pub struct DialectAccount {
    /// Client id, application token or user name.
    pub key: String,
    /// Client secret or API key, where the carrier has one.
    pub secret: Option<String>,
    /// How many SIMs.
    pub devices: usize,
}

impl DialectAccount {
    /// The account of this number, from 1, with credentials of the carrier's kind.
    #[must_use]
    pub fn numbered(dialect: Dialect, number: usize, devices: usize) -> Self {
        let (key, secret) = match dialect {
            Dialect::OneNce => ("client", Some("secret")),
            Dialect::Emnify => ("application-token", None),
            Dialect::Cisco => ("user", Some("api-key")),
        };
        Self {
            key: format!("simulated-{key}-{number}"),
            secret: secret.map(|secret| format!("simulated-{secret}-{number}")),
            devices,
        }
    }
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct DialectConfig {
    /// Which carrier.
    pub dialect: Dialect,
    /// Whose SIMs.
    pub accounts: Vec<DialectAccount>,
    /// Decides every property of every SIM.
    pub seed: u64,
    /// The carrier's date, which stands still; `None`: that of the start.
    pub now: Option<DateTime<Utc>>,
    /// How long a token is valid.
    pub token_lifetime: Duration,
    /// Least time an answer takes.
    pub latency: Duration,
    /// Limits; a call over one is refused in the carrier's words.
    pub limits: Vec<Limit>,
    /// 1NCE's listing has no stable order: rows move between pages while it is read.
    pub shuffles: bool,
    /// Status of Cisco's "too fast", which is told by a code in the body.
    pub throttle_status: u16,
}

impl DialectConfig {
    /// One account of so many SIMs, by the published limits.
    #[must_use]
    pub fn of(dialect: Dialect, devices: usize) -> Self {
        Self {
            dialect,
            accounts: vec![DialectAccount::numbered(dialect, 1, devices)],
            seed: 1,
            now: None,
            token_lifetime: match dialect {
                Dialect::Emnify => Duration::from_secs(240 * 60),
                Dialect::OneNce | Dialect::Cisco => Duration::from_secs(3_600),
            },
            latency: Duration::ZERO,
            limits: dialect.published_limits(),
            shuffles: false,
            throttle_status: 429,
        }
    }
}
