//! `[health]`: how often every part tells its state.

use std::time::Duration;

use super::reader::Reader;

/// `[health]`.
#[derive(Debug, Clone)]
pub struct HealthConfig {
    /// Between two reports of an unchanged state.
    pub interval: Duration,
    /// Integrations that are well are told one by one up to this number, beyond it in sum.
    pub max_integrations: usize,
}

impl HealthConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            interval: reader.duration("health.interval"),
            max_integrations: reader.count_or_zero("health.max_integrations") as usize,
        }
    }
}
