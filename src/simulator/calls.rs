//! What was asked of the carrier and when: the proof that a client keeps limits, measured where it counts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fault::Endpoint;

/// Everything asked since the start or the last reset.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Calls {
    /// Calls that arrived.
    pub total: u64,
    /// Most calls under way at the same time.
    pub peak_concurrency: usize,
    /// Most calls that arrived within any second.
    pub peak_per_second: usize,
    /// By endpoint, in words of [`Endpoint`].
    pub endpoints: BTreeMap<Endpoint, EndpointCalls>,
    /// By the first organisation of the key; calls without a valid key are in none.
    pub accounts: BTreeMap<u64, AccountCalls>,
    /// In order of arrival; bounded.
    pub arrivals: Vec<Arrival>,
    /// Older arrivals that are no longer in `arrivals`.
    pub arrivals_dropped: u64,
}

impl Calls {
    /// Calls of one endpoint that arrived.
    #[must_use]
    pub fn of(&self, endpoint: Endpoint) -> u64 {
        self.endpoints.get(&endpoint).map_or(0, |calls| calls.total)
    }

    /// Calls that were answered with this status, at any endpoint.
    #[must_use]
    pub fn answered(&self, status: u16) -> u64 {
        self.endpoints
            .values()
            .filter_map(|calls| calls.answered.get(&status))
            .sum()
    }
}

/// Calls of one endpoint.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EndpointCalls {
    /// That arrived.
    pub total: u64,
    /// That were answered, by status.
    pub answered: BTreeMap<u16, u64>,
    /// That the caller gave up before an answer.
    pub abandoned: u64,
}

/// Calls of one key.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AccountCalls {
    /// That arrived.
    pub total: u64,
    /// Most under way at the same time.
    pub peak_concurrency: usize,
    /// Most that arrived within any second.
    pub peak_per_second: usize,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// Microseconds since the start or the last reset.
    pub at_micros: u64,
    /// First organisation of the key; `None`: no valid key.
    pub orgid: Option<u64>,
    /// What was asked.
    pub endpoint: Endpoint,
    /// Rows that the caller wanted on a page, if it said so.
    pub page_size: Option<u64>,
    /// The answer; `None`: none (yet).
    pub status: Option<u16>,
}
