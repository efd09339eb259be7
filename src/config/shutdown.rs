//! `[shutdown]`: how long stopping may take.

use std::time::Duration;

use super::reader::Reader;

/// `[shutdown]`.
#[derive(Debug, Clone)]
pub struct ShutdownConfig {
    /// Running syncs and waiting rows get this long; zero: none.
    pub drain_timeout: Duration,
}

impl ShutdownConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            drain_timeout: reader.duration_or_zero("shutdown.drain_timeout"),
        }
    }
}
