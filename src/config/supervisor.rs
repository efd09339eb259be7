//! `[supervisor]`: when integrations are looked for, started and tried again, and how many sync at once.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::reader::Reader;

/// `[supervisor]`.
#[derive(Debug, Clone)]
pub struct SupervisorConfig {
    /// Between two looks at the integrations.
    pub discover_interval: Duration,
    /// Syncs at once, in the whole process.
    pub max_concurrent_syncs: NonZeroUsize,
    /// First syncs are spread over this; zero: all at once.
    pub start_spread: Duration,
    /// Between two attempts at an integration that keeps crashing.
    pub parked_retry: Duration,
}

impl SupervisorConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            discover_interval: reader.duration("supervisor.discover_interval"),
            max_concurrent_syncs: reader
                .count("supervisor.max_concurrent_syncs")
                .try_into()
                .unwrap_or(NonZeroUsize::MAX),
            start_spread: reader.duration_or_zero("supervisor.start_spread"),
            parked_retry: reader.duration("supervisor.parked_retry"),
        }
    }
}
