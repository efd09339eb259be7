//! `[leases]`: how several processes tell each other that they live.

use std::time::Duration;

use super::layer::Layer;
use super::problem::Problem;
use super::reader::Reader;

/// Beats that may be missed before a lease runs out.
const BEATS_PER_LEASE: u32 = 3;

/// `[leases]`.
#[derive(Debug, Clone)]
pub struct LeasesConfig {
    /// How long a lease holds without being renewed.
    pub duration: Duration,
    /// Between two renewals; at most a third of `duration`.
    pub heartbeat: Duration,
}

impl LeasesConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            duration: reader.duration("leases.duration"),
            heartbeat: reader.duration("leases.heartbeat"),
        }
    }

    pub(super) fn contradiction(&self, settings: &Layer) -> Option<Problem> {
        (self.heartbeat * BEATS_PER_LEASE > self.duration).then(|| {
            Problem::contradiction(
                settings,
                "leases.heartbeat",
                "must be at most a third of",
                "leases.duration",
                "one answer of the database that comes late would cost every lease",
            )
        })
    }
}
