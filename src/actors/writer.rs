//! The one actor that writes: batches, outcomes and counts in, transactions out, replies after the commit.
//!
//! What goes into which transaction is `store/queue.rs`'s decision; each flush runs in a task of its
//! own, so a panic in it fails what it held and nothing else. An outcome is sent after the replies to
//! the rows that it speaks of, so it is never committed before them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::ActorContext;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, SpawnHandle, WrapFuture,
};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::messages::{CountCalls, Drain, RecordOutcome, WriteBatch};
use crate::budget::{CallCount, CountState};
use crate::clock::Clock;
use crate::device::{UpdateBatch, WriteReceipt};
use crate::runs::SyncRecord;
use crate::status::metrics::FlushEnded;
use crate::status::{ActorName, ActorState, Board};
use crate::store::queue::{BatchPolicy, Due, WriteQueue};
use crate::store::retry::{
    NotStored, RetryPolicy, count_patiently, record_patiently, write_patiently,
};
use crate::store::{Store, StoreError};
use crate::supervision::exit::panic_text;
use crate::sync::SinkError;

type Reply<T> = oneshot::Sender<Result<T, SinkError>>;
type Flush<T> = JoinHandle<Vec<Result<T, NotStored>>>;

/// Outcomes, and counts of calls, have a transaction of their own, one at a time: they are small, and not to
/// be kept waiting by batches nor to keep them. While it is under way, the next ones gather.
const SMALL: BatchPolicy = BatchPolicy {
    max_rows: 1_000,
    max_bytes: 1 << 20,
    max_age: Duration::ZERO,
    max_in_flight: 1,
};

/// Bounds of the writer.
#[derive(Debug, Clone, Copy)]
pub struct WriterPolicy {
    /// What goes into a transaction.
    pub batch: BatchPolicy,
    /// How long a transaction is tried again while the database is away.
    pub retry: RetryPolicy,
}

/// Writes for everyone.
#[derive(Debug)]
pub struct DbWriterActor {
    store: Arc<dyn Store>,
    policy: WriterPolicy,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    batches: WriteQueue<UpdateBatch, Reply<WriteReceipt>>,
    outcomes: WriteQueue<SyncRecord, Reply<()>>,
    counts: WriteQueue<CallCount, Reply<CountState>>,
    /// Transactions with batches under way.
    in_flight: usize,
    /// Transactions with outcomes under way.
    recording: usize,
    /// Transactions with counts under way.
    counting: usize,
    /// Fires when the oldest waiting batch has waited long enough.
    timer: Option<SpawnHandle>,
    /// Told when the queue is empty and nothing is under way.
    drained: Option<oneshot::Sender<()>>,
}

impl DbWriterActor {
    /// A writer to `store`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: WriterPolicy,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            policy,
            board,
            clock,
            batches: WriteQueue::default(),
            outcomes: WriteQueue::default(),
            counts: WriteQueue::default(),
            in_flight: 0,
            recording: 0,
            counting: 0,
            timer: None,
            drained: None,
        }
    }

    /// Begins every transaction that is due, and sees to it that the rest is looked at in time.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        if let Due::Now(outcomes) = self.outcomes.take_due(&SMALL, self.recording, now) {
            self.record(outcomes, ctx);
        }
        if let Due::Now(counts) = self.counts.take_due(&SMALL, self.counting, now) {
            self.count(counts, ctx);
        }
        loop {
            let policy = &self.policy.batch;
            match self.batches.take_due(policy, self.in_flight, now) {
                Due::Now(batches) => self.write(batches, ctx),
                Due::After(wait) => {
                    self.look_again(wait, ctx);
                    break;
                }
                Due::Nothing => break,
            }
        }
        self.post();
        self.end_if_drained(ctx);
    }

    fn look_again(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if self.timer.is_none() {
            self.timer = Some(ctx.run_later(wait, |writer, ctx| {
                writer.timer = None;
                writer.pump(ctx);
            }));
        }
    }

    fn write(&mut self, taken: Vec<(UpdateBatch, Reply<WriteReceipt>)>, ctx: &mut Context<Self>) {
        let (batches, replies): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let (store, retry, trouble) = self.flushing();
        let board = Arc::clone(&self.board);
        let flush = tokio::spawn(async move {
            let started = Instant::now();
            let told = write_patiently(&*store, &batches, retry, &trouble).await;
            board
                .metrics
                .flush_ended(flushed(&batches, &told, started.elapsed()));
            told
        });
        self.in_flight += 1;
        self.reply_after(flush, replies, Self::written, ctx);
    }

    fn record(&mut self, taken: Vec<(SyncRecord, Reply<()>)>, ctx: &mut Context<Self>) {
        let (records, replies): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let (store, retry, trouble) = self.flushing();
        let flush =
            tokio::spawn(async move { record_patiently(&*store, &records, retry, &trouble).await });
        self.recording += 1;
        self.reply_after(flush, replies, Self::recorded, ctx);
    }

    fn count(&mut self, taken: Vec<(CallCount, Reply<CountState>)>, ctx: &mut Context<Self>) {
        let (counts, replies): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let (store, retry, trouble) = self.flushing();
        let flush =
            tokio::spawn(async move { count_patiently(&*store, &counts, retry, &trouble).await });
        self.counting += 1;
        self.reply_after(flush, replies, Self::counted, ctx);
    }

    fn reply_after<T: 'static>(
        &self,
        flush: Flush<T>,
        replies: Vec<Reply<T>>,
        ended: fn(&mut Self, &[Result<T, NotStored>]),
        ctx: &mut Context<Self>,
    ) {
        ctx.spawn(flush.into_actor(self).map(move |joined, writer, ctx| {
            let results = joined.unwrap_or_else(|panic| {
                let reason = format!("the flush panicked: {}", join_text(panic));
                let failed = || Err(NotStored::Failed(reason.clone()));
                replies.iter().map(|_| failed()).collect()
            });
            ended(writer, &results);
            for (reply, result) in replies.into_iter().zip(results) {
                // A sync that has been abandoned no longer listens; what it sent is stored all the same.
                let _ = reply.send(result.map_err(sink_error));
            }
            writer.pump(ctx);
        }));
    }

    /// What a flush works with.
    fn flushing(
        &self,
    ) -> (
        Arc<dyn Store>,
        RetryPolicy,
        impl Fn(&StoreError) + Send + Sync + use<>,
    ) {
        (Arc::clone(&self.store), self.policy.retry, self.trouble())
    }

    /// Posts that the database is away, while a transaction is tried again.
    fn trouble(&self) -> impl Fn(&StoreError) + Send + Sync + use<> {
        let (board, clock) = (Arc::clone(&self.board), Arc::clone(&self.clock));
        move |error| {
            board.update(&ActorName::Writer, clock.now(), |status| {
                status.reason = Some(error.to_string());
                if status.state != ActorState::Draining {
                    status.state = ActorState::BackingOff;
                }
            });
        }
    }

    /// A refused outcome (its integration is gone) says nothing about the database; trouble has been
    /// posted while it lasted.
    fn recorded(&mut self, results: &[Result<(), NotStored>]) {
        self.recording -= 1;
        if results.iter().any(Result::is_ok) {
            self.ended(None);
        }
    }

    /// As [`recorded`](Self::recorded).
    fn counted(&mut self, results: &[Result<CountState, NotStored>]) {
        self.counting -= 1;
        if results.iter().any(Result::is_ok) {
            self.ended(None);
        }
    }

    fn written(&mut self, results: &[Result<WriteReceipt, NotStored>]) {
        self.in_flight -= 1;
        let receipts = results.iter().flatten();
        let rows: usize = receipts.map(|receipt| receipt.written).sum();
        let failure = results.iter().find_map(|result| match result {
            Err(NotStored::Failed(reason)) => Some(reason),
            _ => None,
        });
        self.ended(failure);
        self.board
            .update(&ActorName::Writer, self.clock.now(), |status| {
                status.runs += 1;
                status.synced += rows;
            });
    }

    /// A transaction has ended: the database is well, or it is not.
    fn ended(&self, failure: Option<&String>) {
        let now = self.clock.now();
        self.board.update(&ActorName::Writer, now, |status| {
            status.reason = failure.cloned();
            status.state = match (status.state, failure) {
                (ActorState::Draining, _) => ActorState::Draining,
                (_, Some(_)) => ActorState::BackingOff,
                (_, None) => ActorState::Idle,
            };
            if failure.is_none() {
                status.last_success_at = Some(now);
            }
        });
    }

    fn post(&self) {
        let draining = self.drained.is_some();
        self.board
            .update(&ActorName::Writer, self.clock.now(), |status| {
                status.in_flight = self.in_flight;
                status.queue_depth = self.batches.rows();
                if draining {
                    status.state = ActorState::Draining;
                }
            });
    }

    fn end_if_drained(&mut self, ctx: &mut Context<Self>) {
        if self.in_flight + self.recording + self.counting == 0
            && self.batches.is_empty()
            && self.outcomes.is_empty()
            && self.counts.is_empty()
            && let Some(drained) = self.drained.take()
        {
            let _ = drained.send(());
            ctx.stop();
        }
    }
}

fn flushed(
    batches: &[UpdateBatch],
    told: &[Result<WriteReceipt, NotStored>],
    elapsed: Duration,
) -> FlushEnded {
    let rows: usize = batches.iter().map(|batch| batch.updates.len()).sum();
    let written = told.iter().flatten().map(|receipt| receipt.written).sum();
    FlushEnded {
        written,
        failed: rows.saturating_sub(written),
        elapsed,
    }
}

fn sink_error(error: NotStored) -> SinkError {
    match error {
        NotStored::LeaseLost(_) => SinkError::LeaseLost,
        other => SinkError::Failed(other.to_string()),
    }
}

fn join_text(error: JoinError) -> String {
    error
        .try_into_panic()
        .map_or_else(|e| e.to_string(), |payload| panic_text(payload.as_ref()))
}

impl Actor for DbWriterActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.post();
    }
}

impl Handler<WriteBatch> for DbWriterActor {
    type Result = ResponseFuture<Result<WriteReceipt, SinkError>>;

    fn handle(&mut self, WriteBatch(batch): WriteBatch, ctx: &mut Self::Context) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        self.batches.push(batch, reply, Instant::now());
        self.pump(ctx);
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(SinkError::Failed("the writer ended".to_owned())))
        })
    }
}

impl Handler<RecordOutcome> for DbWriterActor {
    type Result = ResponseFuture<Result<(), SinkError>>;

    fn handle(
        &mut self,
        RecordOutcome(record): RecordOutcome,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        self.outcomes.push(record, reply, Instant::now());
        self.pump(ctx);
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(SinkError::Failed("the writer ended".to_owned())))
        })
    }
}

impl Handler<CountCalls> for DbWriterActor {
    type Result = ResponseFuture<Result<CountState, SinkError>>;

    fn handle(&mut self, CountCalls(count): CountCalls, ctx: &mut Self::Context) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        self.counts.push(count, reply, Instant::now());
        self.pump(ctx);
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(SinkError::Failed("the writer ended".to_owned())))
        })
    }
}

impl Handler<Drain> for DbWriterActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, done) = oneshot::channel();
        self.drained = Some(drained);
        self.pump(ctx);
        Box::pin(async move {
            let _ = done.await;
        })
    }
}
