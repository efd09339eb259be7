//! What actors say to each other. Imperatives are asked for, past tense has happened.

use actix::Message;

use crate::budget::{CallCount, CountState};
use crate::device::{IntegrationId, UpdateBatch, WriteReceipt};
use crate::runs::SyncRecord;
use crate::supervision::ExitReason;
use crate::sync::SinkError;

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

/// To anyone: begin nothing new, finish what is begun, answer when done. An actor ends after it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

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
