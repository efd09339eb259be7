//! What a sync is given: the account, its client, its bounds, and the two ends it talks to.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::turns::Turns;
use crate::budget::CallBudget;
use crate::carriers::{Account, Carrier, Context, PageSizes};
use crate::client::CarrierClient;
use crate::device::{IntegrationId, StoredCycles, TenantId, UpdateBatch, WriteReceipt};
use crate::tenure::Tenure;

/// Distinct unmapped values that are remembered; a carrier that sends more is only repeating noise.
const MAX_NOTICES: usize = 1_000;

/// Bounds of one sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncPolicy {
    /// Calls that one sync may make, retries included.
    pub max_calls: u64,
    /// Calls that all syncs of a day and a month may make, purchases of tokens included.
    pub budget: CallBudget,
    /// Devices that may be asked for one by one after a bulk listing left them out.
    pub max_fallback_calls: usize,
    /// Calls that may go to what the carrier tells per device only, while other values come in bulk.
    pub slice_calls: u64,
    /// Statuses that cost a call per device are asked for on every so many syncs; at least 1.
    pub device_info_every: u32,
    /// Devices asked for at once.
    pub max_concurrency: usize,
    /// Rows per batch handed to the writer.
    pub max_batch_rows: usize,
    /// Batches that may be with the writer at once; at least 1. One more than it has transactions at a
    /// time keeps the database from waiting for this sync.
    pub max_outstanding_batches: usize,
}

/// One integration, ready to be synced again and again.
#[derive(Debug)]
pub struct SyncJob {
    /// The integration.
    pub integration_id: IntegrationId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// This process's right to it.
    pub tenure: Tenure,
    /// Its dialect.
    pub carrier: &'static dyn Carrier,
    /// Its credentials and account.
    pub account: Account,
    /// Its way to the carrier.
    pub client: CarrierClient,
    /// Its pages.
    pub pages: PageSizes,
    /// Its bounds.
    pub policy: SyncPolicy,
    /// What has been said about it already.
    pub notices: Notices,
    /// Who is asked for first where not everyone can be.
    pub turns: Turns,
}

impl SyncJob {
    /// What requests are made from, now.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context {
            account: &self.account,
            pages: self.pages,
            now: self.client.clock.now(),
            common_cycle: None,
        }
    }

    /// The same for a sync that begins now, over devices whose stored cycles are these.
    #[must_use]
    pub fn context_with(&self, cycles: &StoredCycles) -> Context<'_> {
        let context = self.context();
        Context {
            common_cycle: cycles.common(context.now),
            ..context
        }
    }
}

impl SyncJob {
    /// Text that may quote the carrier, without secrets and of a length to be shown.
    pub(super) fn scrub(&self, text: &str) -> String {
        self.client.destination.scrubber.scrub(text)
    }

    /// Logs what is odd about an answer as a whole, once.
    pub fn tell_notice(&self, text: &str) {
        let text = self.scrub(text);
        if self.notices.is_new(&text) {
            tracing::warn!(
                carrier = self.carrier.code(),
                integration.id = %self.integration_id,
                notice = text,
                "an answer is not as it was described"
            );
        }
    }

    /// Logs a value outside the carrier's vocabulary, once.
    pub fn tell_unmapped(&self, text: &str) {
        let text = self.scrub(text);
        if self.notices.is_new(&text) {
            tracing::warn!(
                carrier = self.carrier.code(),
                integration.id = %self.integration_id,
                value = text,
                "the carrier sent a value that is not in its vocabulary; stored as unknown"
            );
        }
    }
}

/// Remembers what was logged, so that a carrier's odd value is told once and not at every sync.
#[derive(Debug, Default)]
pub struct Notices(Mutex<HashSet<String>>);

impl Notices {
    /// Whether `text` is new.
    pub fn is_new(&self, text: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MAX_NOTICES && told.insert(text.to_owned())
    }
}

/// Why a batch was not written, named by what the sync does next. Nothing of the batch is in the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// End without a word: another process owns the integration.
    #[error("the lease of the integration has passed to another process")]
    LeaseLost,
    /// End and come back: the database did not take it, for this reason, without secrets.
    #[error("{0}")]
    Failed(String),
}

/// Where updates go: the writer.
#[async_trait]
pub trait UpdateSink: Send + Sync {
    /// Answers after the batch's transaction is committed.
    ///
    /// # Errors
    /// [`SinkError`] when nothing was written; the same batch can be written again.
    async fn write(&self, batch: UpdateBatch) -> Result<WriteReceipt, SinkError>;
}

/// How far a sync has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Linked devices.
    pub devices: usize,
    /// Devices whose row is committed.
    pub synced: usize,
    /// Calls made.
    pub calls: u64,
}

/// Who wants to know how far a sync has come. Must not block.
pub trait Observer: Send + Sync {
    /// Called whenever rows were committed.
    fn progress(&self, progress: Progress);
}
