//! What is simulated: which carrier, whose accounts, how large, and by which limits.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::plans::Plans;
use crate::simulator::InvalidConfig;

/// Most accounts: an ICCID has four digits for them.
const MOST_ACCOUNTS: usize = 10_000;
/// Most SIMs of an account: so many numbers are set aside for its endpoints.
pub(super) const MOST_DEVICES: usize = 10_000_000;
/// What is longer is a mistake, and at some length no clock holds the end.
const LONGEST_LIFETIME: Duration = Duration::from_secs(366 * 86_400);

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
            Self::OneNce => vec![
                Limit::of(10, Duration::from_secs(1)),
                Limit::of(600, Duration::from_secs(60))
                    .shared()
                    .of_endpoint("oauth/token"),
            ],
            Self::Emnify => vec![
                Limit::of(2_000, Duration::from_secs(300)).shared(),
                Limit::of(100, Duration::from_secs(300))
                    .shared()
                    .of_endpoint("api/v1/authenticate"),
                // 10 a second and a burst of 5: no second holds more than both together.
                Limit::of(15, Duration::from_secs(1)).of_endpoint("api/v1/endpoint"),
                Limit::of(15, Duration::from_secs(1)).of_endpoint("api/v1/sim"),
            ],
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
    /// Over all accounts of one address together; else of each account, and of none where the call has none.
    pub is_shared: bool,
    /// The one endpoint whose calls it counts, as [`DialectCalls`](super::DialectCalls) names it; `None`: all.
    pub only_endpoint: Option<&'static str>,
}

impl Limit {
    /// A limit of each account by itself.
    #[must_use]
    pub const fn of(calls: usize, per: Duration) -> Self {
        Self {
            calls,
            per,
            is_shared: false,
            only_endpoint: None,
        }
    }

    /// The same, of one address: also calls that carry no account, or none that is known, count.
    #[must_use]
    pub const fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    /// The same, for calls of one endpoint only.
    #[must_use]
    pub const fn of_endpoint(self, endpoint: &'static str) -> Self {
        Self {
            only_endpoint: Some(endpoint),
            ..self
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
    /// Cisco: some SIMs are on a shared plan, whose usage is refused, and some have changed their plan within the
    /// cycle, so that they are in the usage of two.
    pub has_odd_plans: bool,
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
            has_odd_plans: false,
        }
    }

    pub(super) fn plans(&self) -> Plans {
        Plans {
            has_odd: self.has_odd_plans,
        }
    }

    /// Refuses what cannot be simulated.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the setting, the value and what is allowed.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let wrong = |text: String| Err(InvalidConfig(text));
        if self.accounts.len() > MOST_ACCOUNTS {
            let accounts = self.accounts.len();
            return wrong(format!("{accounts} accounts; at most {MOST_ACCOUNTS}"));
        }
        let mut keys = HashSet::new();
        for account in &self.accounts {
            let devices = account.devices;
            if devices > MOST_DEVICES {
                return wrong(format!("{devices} devices; at most {MOST_DEVICES}"));
            }
            if !keys.insert(&account.key) {
                return wrong(format!("the key {} is there twice", account.key));
            }
        }
        if self.token_lifetime > LONGEST_LIFETIME {
            let lifetime_s = self.token_lifetime.as_secs();
            let longest_s = LONGEST_LIFETIME.as_secs();
            return wrong(format!("a token for {lifetime_s} s; at most {longest_s} s"));
        }
        let is_never = |limit: &Limit| limit.calls == 0 || limit.per.is_zero();
        if self.limits.iter().any(is_never) {
            return wrong("a limit must allow a call, in more than no time".to_owned());
        }
        if !(200..=599).contains(&self.throttle_status) {
            let status = self.throttle_status;
            return wrong(format!("status {status} for \"too fast\"; from 200 to 599"));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_published_carriers_can_be_simulated() {
        for dialect in [Dialect::OneNce, Dialect::Emnify, Dialect::Cisco] {
            assert_eq!(DialectConfig::of(dialect, MOST_DEVICES).validate(), Ok(()));
        }
    }

    #[test]
    fn what_cannot_be_simulated_is_refused_with_the_reason() {
        let usual = || DialectConfig::of(Dialect::OneNce, 1);
        let account = |number| DialectAccount::numbered(Dialect::OneNce, number, 1);
        let accounts = |accounts| DialectConfig {
            accounts,
            ..usual()
        };
        let configs = [
            (
                accounts((0..=MOST_ACCOUNTS).map(account).collect()),
                "10001 accounts",
            ),
            (accounts(vec![account(1), account(1)]), "there twice"),
            (
                DialectConfig::of(Dialect::OneNce, MOST_DEVICES + 1),
                "10000001 devices",
            ),
            (
                DialectConfig {
                    token_lifetime: Duration::MAX,
                    ..usual()
                },
                "a token for",
            ),
            (
                DialectConfig {
                    limits: vec![Limit::of(0, Duration::from_secs(1))],
                    ..usual()
                },
                "must allow a call",
            ),
            (
                DialectConfig {
                    throttle_status: 0,
                    ..usual()
                },
                "status 0",
            ),
        ];
        for (config, reason) in configs {
            let error = config.validate().unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
