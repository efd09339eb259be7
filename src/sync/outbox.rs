//! Updates on their way to the writer: one batch filling, a bounded number being written.
//!
//! That bound is the whole of a sync's back-pressure: when the database is slower than the carrier, the
//! sync waits here and memory stays flat. It is one batch more than there are transactions at a time, so
//! that the database finds the next one ready when it has committed.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::job::{SinkError, SyncJob, UpdateSink};
use super::roster::Place;
use crate::device::{DeviceUpdate, UpdateBatch, WriteReceipt};

/// A batch that is not full is sent with the first page or answer after this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What became of a batch.
pub struct Written {
    /// The devices it was about.
    pub places: Vec<Place>,
    /// The writer's answer.
    pub receipt: Result<WriteReceipt, SinkError>,
}

/// The batches of one sync.
pub struct Outbox<'a> {
    sink: &'a dyn UpdateSink,
    job: &'a SyncJob,
    updates: Vec<DeviceUpdate>,
    places: Vec<Place>,
    /// In whatever order they come back.
    outstanding: FuturesUnordered<BoxFuture<'a, Written>>,
    /// When the first update of the batch came.
    filling_since: Option<Instant>,
}

impl<'a> Outbox<'a> {
    /// An empty outbox.
    pub fn new(sink: &'a dyn UpdateSink, job: &'a SyncJob) -> Self {
        Self {
            sink,
            job,
            updates: Vec::new(),
            places: Vec::new(),
            outstanding: FuturesUnordered::new(),
            filling_since: None,
        }
    }

    /// Adds an update to the batch.
    pub fn push(&mut self, place: Place, update: DeviceUpdate) {
        self.filling_since.get_or_insert_with(Instant::now);
        self.updates.push(update);
        self.places.push(place);
    }

    /// Whether the batch should be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.updates.len() >= self.job.policy.max_batch_rows
    }

    /// Whether the batch should be sent: it is full, or what came first has waited long enough. A slow
    /// sync, asking device by device, is so written as it goes.
    pub fn is_due(&self) -> bool {
        let waited = |since: Instant| since.elapsed() >= LONGEST_WAIT;
        self.is_full() || self.filling_since.is_some_and(waited)
    }

    /// Whether another batch may be sent.
    pub fn has_room(&self) -> bool {
        self.outstanding.len() < self.job.policy.max_outstanding_batches
    }

    /// Hands the batch to the writer. Call only while there is room.
    pub fn send(&mut self) {
        debug_assert!(self.has_room(), "a bounded number of batches per sync");
        if self.updates.is_empty() {
            return;
        }
        self.filling_since = None;
        // The next batch will be about as large.
        let (rows, most) = (self.updates.len(), self.job.policy.max_batch_rows);
        let room = if rows >= most { most } else { 0 };
        let batch = UpdateBatch {
            tenant_id: self.job.tenant_id.clone(),
            integration_id: self.job.integration_id.clone(),
            epoch: self.job.tenure.epoch(),
            updates: std::mem::replace(&mut self.updates, Vec::with_capacity(room)),
        };
        let places = std::mem::replace(&mut self.places, Vec::with_capacity(room));
        let sink = self.sink;
        self.outstanding.push(Box::pin(async move {
            Written {
                receipt: sink.write(batch).await,
                places,
            }
        }));
    }

    /// Waits for the next batch that comes back; `None` when none is outstanding.
    pub async fn written(&mut self) -> Option<Written> {
        self.outstanding.next().await
    }

    /// A batch that is back already. Also sets what was just sent on its way: a future that nobody
    /// looks at does nothing.
    pub fn written_already(&mut self) -> Option<Written> {
        self.outstanding.next().now_or_never().flatten()
    }

    /// Like [`written`](Self::written), but waits for ever when none is outstanding: for `select!`.
    pub async fn next_written(&mut self) -> Written {
        match self.written().await {
            Some(written) => written,
            None => std::future::pending().await,
        }
    }
}
