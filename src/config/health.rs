//! `[health]`: how often every part tells its state.

use std::time::Duration;

use super::reader::Reader;

/// `[health]`.
#[derive(Debug, Clone)]
pub struct HealthConfig {
    /// Between two reports of an unchanged state.
    pub interval: Duration,
}

impl HealthConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            interval: reader.duration("health.interval"),
        }
    }
}
