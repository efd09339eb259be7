//! What actors say to each other. Imperatives are asked for, past tense has happened.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;

use crate::budget::{CallCount, CountState};
use crate::device::{IntegrationId, UpdateBatch, WriteReceipt};
use crate::runs::SyncRecord;
use crate::supervision::ExitReason;
use crate::sync::{SinkError, SyncJob};

/// To the writer: write this, and answer after the commit.
#[derive(Debug, Message)]
#[rtype(result = "Result<WriteReceipt, SinkError>")]
pub struct WriteBatch(pub UpdateBatch);

/// To the writer: record how a sync ended.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), SinkError>")]
pub struct RecordOutcome(pub SyncRecord);

/// To the writer: change a count of calls, and answer after the commit.
#[derive(Debug, Message)]
#[rtype(result = "Result<CountState, SinkError>")]
pub struct CountCalls(pub CallCount);

/// To an integration: sync now, unless a sync is under way.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct SyncNow;

/// To an integration: use these from the next sync on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Adopt {
    /// What it syncs.
    pub job: Arc<SyncJob>,
    /// Time until another try where a person must change something.
    pub parked_retry: Duration,
}

/// To the supervisor: the configuration has changed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct UseSettings {
    /// Time between looks at the integrations.
    pub discover_interval: Duration,
    /// The first syncs after a start are spread over this.
    pub start_spread: Duration,
    /// An integration that is parked or needs credentials is tried again after this.
    pub parked_retry: Duration,
}

/// To anyone: begin nothing new, finish what is begun, answer when done. An actor ends after it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// To the supervisor: the integrations in the database have changed, look at them soon. Many of these at once
/// cost few looks, and one that comes while a look is under way leads to another look after it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct LookNow;

/// To the supervisor: sync this integration now, whatever its timer says.
#[derive(Debug, Clone, Message)]
#[rtype(result = "SyncAnswer")]
pub struct SyncIntegration(pub IntegrationId);

/// What came of [`SyncIntegration`], named by what whoever asked does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncAnswer {
    /// Watch it: the sync begins as soon as there is a slot.
    Begun,
    /// Wait for the one that is under way; no other was begun.
    UnderWay,
    /// Have its row changed first: it cannot be synced as it is, for this reason.
    Misconfigured(String),
    /// Ask another process: this one does not have the integration.
    NotHere,
}

/// To the supervisor: an integration's actor has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChildExited {
    /// Whose.
    pub id: IntegrationId,
    /// Which of its lives; an old one's end says nothing of the present one.
    pub life: u64,
    /// Why.
    pub reason: ExitReason,
}

/// To the supervisor: the writer has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct WriterExited {
    /// Why.
    pub reason: ExitReason,
}
