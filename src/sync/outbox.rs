//! Updates on their way to the writer: one batch filling, at most one being written.
//!
//! That one outstanding batch is the whole of a sync's back-pressure: when the database is slower
//! than the carrier, the sync waits here and memory stays flat.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::job::{SinkError, SyncJob, UpdateSink};
use super::roster::Place;
use crate::device::{DeviceUpdate, UpdateBatch, WriteReceipt};

/// An update waits no longer than this for its batch to fill.
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
    in_flight: Option<BoxFuture<'a, Written>>,
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
            in_flight: None,
            filling_since: None,
        }
    }

    /// Adds an update to the batch.
    pub fn push(&mut self, place: Place, update: DeviceUpdate) {
        self.filling_since.get_or_insert_with(Instant::now);
        self.updates.push(update);
        self.places.push(place);
    }

    /// Whether the batch should be sent before more is added: it is full, or what came first has
    /// waited long enough. A slow sync, asking device by device, is so written as it goes.
    pub fn is_due(&self) -> bool {
        let waited = |since: Instant| since.elapsed() >= LONGEST_WAIT;
        self.updates.len() >= self.job.policy.max_batch_rows
            || self.filling_since.is_some_and(waited)
    }

    /// Hands the batch to the writer. Call only when nothing is in flight.
    pub fn send(&mut self) {
        debug_assert!(self.in_flight.is_none(), "one outstanding batch per sync");
        if self.updates.is_empty() {
            return;
        }
        self.filling_since = None;
        let batch = UpdateBatch {
            tenant_id: self.job.tenant_id.clone(),
            integration_id: self.job.integration_id.clone(),
            epoch: self.job.tenure.epoch(),
            updates: std::mem::take(&mut self.updates),
        };
        let places = std::mem::take(&mut self.places);
        let sink = self.sink;
        self.in_flight = Some(Box::pin(async move {
            Written {
                receipt: sink.write(batch).await,
                places,
            }
        }));
    }

    /// Waits for the batch in flight; `None` when there is none.
    pub async fn written(&mut self) -> Option<Written> {
        let written = self.in_flight.as_mut()?.await;
        self.in_flight = None;
        Some(written)
    }

    /// Like [`written`](Self::written), but waits for ever when nothing is in flight: for `select!`.
    pub async fn next_written(&mut self) -> Written {
        match self.written().await {
            Some(written) => written,
            None => std::future::pending().await,
        }
    }
}
