//! `[writer]`: how rows are gathered into transactions.

use std::time::Duration;

use super::reader::Reader;

/// `[writer]`.
#[derive(Debug, Clone)]
pub struct WriterConfig {
    /// Rows per transaction at most; at least 1.
    pub max_batch_rows: usize,
    /// About the bytes per transaction at most; at least 1.
    pub max_batch_bytes: usize,
    /// A batch that is not full is written after this.
    pub max_batch_age: Duration,
    /// Transactions at the same time; at least 1, and on Postgres two below
    /// `database.max_connections`.
    pub max_in_flight: usize,
    /// Rows that may wait; at least `max_batch_rows`.
    pub queue_rows: usize,
    /// How long a batch is retried while the database is away.
    pub retry_for: Duration,
}

impl WriterConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            max_batch_rows: reader.size("writer.max_batch_rows"),
            max_batch_bytes: reader.size("writer.max_batch_bytes"),
            max_batch_age: reader.duration("writer.max_batch_age"),
            max_in_flight: reader.size("writer.max_in_flight"),
            queue_rows: reader.size("writer.queue_rows"),
            retry_for: reader.duration("writer.retry_for"),
        }
    }
}
