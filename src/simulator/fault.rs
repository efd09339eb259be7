//! Things that go wrong, on demand and repeatably: what, at which calls, and how likely.
//!
//! Says nothing of how an answer is spoilt (`api.rs`, `spoil.rs`) nor of what is in force
//! (`faults.rs`). A new kind is a variant here, a name in `fault_names.rs` and an arm in `api.rs`.

use serde::{Deserialize, Serialize};

/// An endpoint of the API; its name never holds an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// `GET /devices`.
    #[serde(rename = "devices")]
    Devices,
    /// `GET /devices/{id}`.
    #[serde(rename = "devices/{id}")]
    Device,
    /// `GET /links/cellular/{id}`.
    #[serde(rename = "links/cellular/{id}")]
    Link,
    /// `GET /usage/data/billing`.
    #[serde(rename = "usage/data/billing")]
    Billing,
    /// `GET /usage/data`.
    #[serde(rename = "usage/data")]
    Sessions,
    /// Anything else below the base path.
    #[serde(rename = "other")]
    Other,
}

/// Value of a `Retry-After` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum RetryAfter {
    /// Sent as it is: seconds, a fixed date, garbage.
    Text(String),
    /// An HTTP date, counted from the answer.
    DateIn {
        /// Negative: a date that has passed.
        date_in_seconds: i64,
    },
}

impl From<&str> for RetryAfter {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// This status instead of an answer.
    Status {
        /// E.g. 500, 503, 429, 401; also 200, with a `body` such as `{"success":false,…}`.
        status: u16,
        /// The header of this name.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The body; `None`: the API's own error shape.
        #[serde(default)]
        body: Option<String>,
    },
    /// 302 to another place.
    Redirect {
        /// Value of `Location`.
        location: String,
    },
    /// The connection is reset (TCP RST) instead of an answer.
    Reset,
    /// The connection is reset after half of the answer.
    ResetMidBody,
    /// Never answers; the connection stays open.
    Hang,
    /// Half of the answer, then nothing; the connection stays open.
    HangMidBody,
    /// The true answer, a byte at a time: never silent for long, and never done.
    Drip {
        /// Pause before each byte.
        #[serde(default = "one_second")]
        millis_per_byte: u64,
    },
    /// Half of the true answer, as if it were all.
    Truncate,
    /// A page for people, with status 200.
    Html,
    /// The true answer's shape, the values in its rows of another type.
    WrongTypes {
        /// Only values of this name; `None`: all.
        #[serde(default)]
        only: Option<String>,
    },
    /// The true answer behind so much white space: right for whoever reads it all.
    Oversized {
        /// White space.
        #[serde(default = "beyond_any_cap")]
        bytes: u64,
    },
    /// The same, compressed to less than a hundredth.
    GzipBomb {
        /// White space.
        #[serde(default = "beyond_any_cap")]
        bytes: u64,
    },
    /// A listing whose every page is the first and promises another, under the same cursor.
    RepeatCursor,
    /// A listing that promises another page for ever, under cursors never seen before.
    NeverEndingCursor,
    /// A listing whose cursor jumps over rows: a few before each further page are on none.
    SkippingCursor,
    /// A listing whose every further page begins with the last row of the one before.
    RowTwice,
    /// A device that is gone, from listings and by itself.
    VanishingDevice {
        /// Which; `None`: the newest that the key opens.
        #[serde(default)]
        device: Option<u64>,
    },
    /// 31 days later: nearly every billing cycle is the next one, its counters begun anew.
    NewCycle,
    /// The carrier has corrected its counters of the present cycle: each a quarter lower.
    Correction,
    /// The key opens nothing any more: 401 until the faults are cleared.
    RevokeKey,
    /// One of these, drawn anew for each call.
    AnyOf {
        /// Kinds of answers; not the fleet's (`new_cycle` …) and not `revoke_key`.
        kinds: Vec<FaultKind>,
    },
}

fn one_second() -> u64 {
    1_000
}

/// Above the 32 MiB that a careful client reads by default.
pub(super) fn beyond_any_cap() -> u64 {
    40 << 20
}

/// Which part of an answer's making a fault spoils. A call can meet one of each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Who may call.
    Key,
    /// What there is to tell.
    Fleet,
    /// How it is told.
    Answer,
}

impl FaultKind {
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::RevokeKey => Stage::Key,
            Self::VanishingDevice { .. } | Self::NewCycle | Self::Correction => Stage::Fleet,
            _ => Stage::Answer,
        }
    }
}

/// A fault and which calls meet it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only calls of this endpoint; `None`: all.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Only calls with a key of this organisation; `None`: all.
    #[serde(default)]
    pub orgid: Option<u64>,
    /// So many matching calls are answered honestly first.
    #[serde(default)]
    pub skip: u64,
    /// So many calls meet it; `None`: every one until the faults are cleared.
    #[serde(default)]
    pub times: Option<u64>,
    /// Part of the matching calls that meet it, from 0 to 1, drawn from the simulator's seed and the
    /// number of the matching call; `None`: all.
    #[serde(default)]
    pub probability: Option<f64>,
    /// What goes wrong.
    pub what: FaultKind,
}

impl Fault {
    /// Every call meets it, until the faults are cleared. Narrow it with the other methods.
    #[must_use]
    pub fn new(what: FaultKind) -> Self {
        Self {
            endpoint: None,
            orgid: None,
            skip: 0,
            times: None,
            probability: None,
            what,
        }
    }

    /// A status with the API's own error body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(FaultKind::Status {
            status,
            retry_after: None,
            body: None,
        })
    }

    /// Only calls of this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only calls with a key of this organisation.
    #[must_use]
    pub fn for_org(mut self, org_id: u64) -> Self {
        self.orgid = Some(org_id);
        self
    }

    /// Only the next so many matching calls.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only after so many matching calls were answered honestly.
    #[must_use]
    pub fn after(mut self, honest: u64) -> Self {
        self.skip = honest;
        self
    }

    /// Only this part of the matching calls.
    #[must_use]
    pub fn likely(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    /// Refuses what cannot happen.
    ///
    /// # Errors
    /// In words: which value, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        if let Some(odd) = self.probability.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(format!("probability {odd}; must be from 0 to 1"));
        }
        let FaultKind::AnyOf { kinds } = &self.what else {
            return Ok(());
        };
        let is_simple = |kind: &FaultKind| {
            kind.stage() == Stage::Answer && !matches!(kind, FaultKind::AnyOf { .. })
        };
        if kinds.is_empty() || !kinds.iter().all(is_simple) {
            return Err("any_of wants kinds of answers, at least one".to_owned());
        }
        Ok(())
    }

    pub(super) fn concerns(&self, endpoint: Endpoint, organisations: &[u64]) -> bool {
        self.endpoint.is_none_or(|wanted| wanted == endpoint)
            && self
                .orgid
                .is_none_or(|wanted| organisations.contains(&wanted))
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_written_as_one_json_object() {
        let text = r#"{"endpoint":"usage/data/billing","times":3,"probability":0.5,
            "what":{"kind":"status","status":429,"retry_after":{"date_in_seconds":-9}}}"#;
        let fault: Fault = serde_json::from_str(text).expect("as documented");
        let what = FaultKind::Status {
            status: 429,
            retry_after: Some(RetryAfter::DateIn {
                date_in_seconds: -9,
            }),
            body: None,
        };
        let expected = Fault::new(what).at(Endpoint::Billing).times(3).likely(0.5);
        assert_eq!(fault, expected);
        let text = r#"{"what":{"kind":"drip"}}"#;
        let fault: Fault = serde_json::from_str(text).expect("the rest has defaults");
        assert_eq!(
            fault.what,
            FaultKind::Drip {
                millis_per_byte: 1_000
            }
        );
    }

    #[test]
    fn what_cannot_happen_is_refused() {
        let any_of = |kinds| Fault::new(FaultKind::AnyOf { kinds });
        for odd in [
            Fault::status(500).likely(1.5),
            Fault::status(500).likely(f64::NAN),
            any_of(vec![]),
            any_of(vec![FaultKind::NewCycle]),
            any_of(vec![FaultKind::RevokeKey]),
        ] {
            assert!(odd.validate().is_err(), "{odd:?}");
        }
        assert_eq!(any_of(vec![FaultKind::Html]).likely(1.0).validate(), Ok(()));
    }
}
