//! Things that go wrong, on demand and repeatably: the n-th matching call meets the fault, no dice.
//!
//! Faults are one stage of a request, after authentication, limit and latency and before the
//! answer. A new kind is a variant here and an arm in `api.rs`.

use std::sync::{Mutex, PoisonError};

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

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// This status instead of an answer.
    Status {
        /// E.g. 500, 503, 429, 401; also 200, with a `body` such as `{"success":false,…}`.
        status: u16,
        /// Value of `Retry-After`, sent as it is.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body; `None`: the API's own error shape.
        #[serde(default)]
        body: Option<String>,
    },
    /// Never answers; the connection stays open.
    Hang,
    /// A listing whose every page is the first and promises another, under the same cursor.
    RepeatCursor,
    /// A listing that promises another page for ever, under cursors never seen before.
    NeverEndingCursor,
    /// Half of the true answer, as if it were all.
    Truncate,
    /// A page for people, with status 200.
    Html,
    /// The key opens nothing any more: 401 until the faults are cleared.
    RevokeKey,
}

/// A fault and which calls meet it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    fn concerns(&self, endpoint: Endpoint, organisations: &[u64]) -> bool {
        self.endpoint.is_none_or(|wanted| wanted == endpoint)
            && self
                .orgid
                .is_none_or(|wanted| organisations.contains(&wanted))
    }

    /// Counts a matching call; true when this call meets the fault.
    fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The faults in force; the first that strikes is the one.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn inject(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Whether the key of these organisations is revoked for this call.
    pub(super) fn revokes(&self, endpoint: Endpoint, organisations: &[u64]) -> bool {
        self.strike(endpoint, organisations, |what| {
            *what == FaultKind::RevokeKey
        })
        .is_some()
    }

    /// The fault that this call meets, if any.
    pub(super) fn meet(&self, endpoint: Endpoint, organisations: &[u64]) -> Option<FaultKind> {
        self.strike(endpoint, organisations, |what| {
            *what != FaultKind::RevokeKey
        })
    }

    fn strike(
        &self,
        endpoint: Endpoint,
        organisations: &[u64],
        of_stage: impl Fn(&FaultKind) -> bool,
    ) -> Option<FaultKind> {
        let mut faults = self.lock();
        let struck = faults
            .iter_mut()
            .filter(|fault| of_stage(&fault.what) && fault.concerns(endpoint, organisations))
            .find_map(|fault| fault.strikes().then(|| fault.what.clone()));
        faults.retain(|fault| fault.times != Some(0));
        struck
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_calls_it_names_and_no_other() {
        let faults = Faults::default();
        faults.inject(
            Fault::status(503)
                .at(Endpoint::Devices)
                .for_org(7)
                .after(1)
                .times(2),
        );
        assert_eq!(
            faults.meet(Endpoint::Billing, &[7]),
            None,
            "another endpoint"
        );
        assert_eq!(
            faults.meet(Endpoint::Devices, &[8]),
            None,
            "another organisation"
        );
        let met: Vec<bool> = (0..5)
            .map(|_| faults.meet(Endpoint::Devices, &[7]).is_some())
            .collect();
        assert_eq!(met, [false, true, true, false, false]);
        assert!(faults.list().is_empty(), "a spent fault is gone");
    }

    #[test]
    fn a_fault_is_written_as_one_json_object() {
        let text = r#"{"endpoint":"usage/data/billing","times":3,
            "what":{"kind":"status","status":429,"retry_after":"2"}}"#;
        let fault: Fault = serde_json::from_str(text).expect("as documented");
        let what = FaultKind::Status {
            status: 429,
            retry_after: Some("2".into()),
            body: None,
        };
        assert_eq!(fault, Fault::new(what).at(Endpoint::Billing).times(3));
    }
}
