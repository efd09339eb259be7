//! What is true of each SIM, in the service's words, by the carriers' documentation.

use chrono::{DateTime, Utc};

/// One SIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectTruth {
    /// Its name at the carrier, as the service links it.
    pub carrier_device_id: String,
    /// The number on the card.
    pub iccid: String,
    /// Used in the current cycle.
    pub used_bytes: u64,
    /// First instant of the cycle.
    pub cycle_start: DateTime<Utc>,
    /// First instant after it.
    pub cycle_end: DateTime<Utc>,
    /// `active`, `suspended`, `deactivated` or `ready`.
    pub sim_status: &'static str,
    /// `connected`, `disconnected`, `suspended` or `unknown`.
    pub network_status: &'static str,
}
