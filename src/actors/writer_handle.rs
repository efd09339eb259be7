//! The writer as others see it: a place to put batches, with room for a bounded number of rows.

use std::sync::Arc;

use actix::{Addr, MailboxError};
use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::messages::{CountCalls, RecordOutcome, WriteBatch};
use super::writer::DbWriterActor;
use crate::budget::{CallCount, CountState};
use crate::device::{UpdateBatch, WriteReceipt};
use crate::runs::SyncRecord;
use crate::sync::{SinkError, UpdateSink};

/// Sends to one life of the writer.
#[derive(Debug, Clone)]
pub struct WriterHandle {
    address: Addr<DbWriterActor>,
    /// One permit per row that may be queued. actix's mailbox bound is soft, this one is not: a
    /// sender waits here, holding its own batch, until the rows before it are committed.
    room: Arc<Semaphore>,
    capacity: u32,
}

impl WriterHandle {
    /// A handle whose clones share room for `queue_rows` rows.
    #[must_use]
    pub fn new(address: Addr<DbWriterActor>, queue_rows: usize) -> Self {
        let capacity =
            u32::try_from(queue_rows.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self {
            address,
            room: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
        }
    }

    /// The writer behind it.
    #[must_use]
    pub fn address(&self) -> &Addr<DbWriterActor> {
        &self.address
    }

    /// Records how a sync ended; answers after the commit.
    ///
    /// # Errors
    /// [`SinkError`] when it is not in the store.
    pub async fn record(&self, record: SyncRecord) -> Result<(), SinkError> {
        self.address
            .send(RecordOutcome(record))
            .await
            .map_err(writer_gone)?
    }

    /// Changes a count of calls; answers after the commit.
    ///
    /// # Errors
    /// [`SinkError`] when it is not in the store.
    pub async fn count(&self, count: CallCount) -> Result<CountState, SinkError> {
        self.address
            .send(CountCalls(count))
            .await
            .map_err(writer_gone)?
    }
}

#[async_trait]
impl UpdateSink for WriterHandle {
    async fn write(&self, batch: UpdateBatch) -> Result<WriteReceipt, SinkError> {
        let rows = u32::try_from(batch.updates.len())
            .unwrap_or(u32::MAX)
            .min(self.capacity);
        let _room = self
            .room
            .acquire_many(rows)
            .await
            .map_err(|_| writer_closed())?;
        self.address
            .send(WriteBatch(batch))
            .await
            .map_err(writer_gone)?
    }
}

fn writer_gone(_: MailboxError) -> SinkError {
    writer_closed()
}

fn writer_closed() -> SinkError {
    let reason = "the writer ended before it answered; the rows may or may not be written";
    SinkError::Failed(reason.to_owned())
}
