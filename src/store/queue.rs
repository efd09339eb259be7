//! Which batches go into the next transaction. Pure: the writer actor asks, sends and waits.
//!
//! A transaction costs a commit, whatever it holds, so batches of many integrations share one. With
//! the database idle nothing waits for company; while a transaction is under way, batches gather
//! until they fill one or the oldest has waited long enough. Outcomes of syncs and counts of calls queue alike.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::budget::CallCount;
use crate::device::{DeviceUpdate, UpdateBatch};
use crate::runs::SyncRecord;

/// What a row takes besides its texts: counters, times and statuses in a dozen columns.
const BYTES_PER_ROW: usize = 128;

/// When a transaction is worth beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// Rows per transaction; a single larger batch goes by itself.
    pub max_rows: usize,
    /// About the bytes per transaction as they are sent; likewise.
    pub max_bytes: usize,
    /// The longest a batch waits for company while a transaction is under way.
    pub max_age: Duration,
    /// Transactions under way at once.
    pub max_in_flight: usize,
}

/// What the rows of something to be written weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Rows of the database.
    pub rows: usize,
    /// About the bytes that are sent for them.
    pub bytes: usize,
}

/// Something that goes into a transaction whole.
pub trait Loaded {
    /// What it weighs.
    fn load(&self) -> Load;
}

impl Loaded for UpdateBatch {
    fn load(&self) -> Load {
        let integration = self.integration_id.as_str().len();
        let texts = |update: &DeviceUpdate| {
            update.device_id.as_str().len()
                + update.info.iccid.as_ref().map_or(0, |iccid| iccid.len())
        };
        let texts: usize = self.updates.iter().map(texts).sum();
        let rows = self.updates.len();
        Load {
            rows,
            bytes: texts + rows * (integration + BYTES_PER_ROW),
        }
    }
}

impl Loaded for SyncRecord {
    fn load(&self) -> Load {
        let error = self.error.as_ref().map_or(0, String::len);
        Load {
            rows: 1,
            bytes: self.integration_id.as_str().len() + error + BYTES_PER_ROW,
        }
    }
}

impl Loaded for CallCount {
    fn load(&self) -> Load {
        Load {
            rows: 1,
            bytes: self.integration_id.as_str().len() + BYTES_PER_ROW,
        }
    }
}

/// What to do with the queue now.
#[derive(Debug)]
pub enum Due<W, T> {
    /// Begin a transaction with these.
    Now(Vec<(W, T)>),
    /// Ask again after this wait, or when a transaction ends.
    After(Duration),
    /// Ask again when something arrives or a transaction ends.
    Nothing,
}

/// What waits to be written, each with the `T` that its sender waits for.
#[derive(Debug)]
pub struct WriteQueue<W, T> {
    waiting: VecDeque<Waiting<W, T>>,
    /// Of all that waits.
    load: Load,
}

#[derive(Debug)]
struct Waiting<W, T> {
    since: Instant,
    load: Load,
    item: W,
    reply: T,
}

impl<W, T> Default for WriteQueue<W, T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            load: Load::default(),
        }
    }
}

impl<W: Loaded, T> WriteQueue<W, T> {
    /// Adds what arrived at `now`.
    pub fn push(&mut self, item: W, reply: T, now: Instant) {
        let load = item.load();
        self.load.add(load);
        self.waiting.push_back(Waiting {
            since: now,
            load,
            item,
            reply,
        });
    }

    /// Rows waiting.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.load.rows
    }

    /// Whether nothing waits, not even a batch without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes what the next transaction should hold, in order of arrival.
    pub fn take_due(&mut self, policy: &BatchPolicy, in_flight: usize, now: Instant) -> Due<W, T> {
        let Some(oldest) = self.waiting.front() else {
            return Due::Nothing;
        };
        if in_flight >= policy.max_in_flight {
            return Due::Nothing;
        }
        let waited = now.saturating_duration_since(oldest.since);
        let idle = in_flight == 0;
        if !idle && !self.load.fills(policy) && waited < policy.max_age {
            return Due::After(policy.max_age - waited);
        }
        Due::Now(self.take(policy))
    }

    fn take(&mut self, policy: &BatchPolicy) -> Vec<(W, T)> {
        let mut taken = Vec::new();
        let mut load = Load::default();
        while let Some(next) = self.waiting.front() {
            load.add(next.load);
            if !taken.is_empty() && load.exceeds(policy) {
                break;
            }
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.load.remove(next.load);
            taken.push((next.item, next.reply));
        }
        taken
    }
}

impl Load {
    fn add(&mut self, more: Self) {
        self.rows += more.rows;
        self.bytes += more.bytes;
    }

    fn remove(&mut self, less: Self) {
        self.rows -= less.rows;
        self.bytes -= less.bytes;
    }

    fn fills(self, policy: &BatchPolicy) -> bool {
        self.rows >= policy.max_rows || self.bytes >= policy.max_bytes
    }

    fn exceeds(self, policy: &BatchPolicy) -> bool {
        self.rows > policy.max_rows || self.bytes > policy.max_bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::{DeviceId, DeviceInfo, DeviceUpdate, IntegrationId, TenantId};

    const POLICY: BatchPolicy = BatchPolicy {
        max_rows: 10,
        max_bytes: usize::MAX,
        max_age: Duration::from_millis(50),
        max_in_flight: 2,
    };

    fn batch(rows: usize) -> UpdateBatch {
        let update = |n: usize| DeviceUpdate {
            device_id: DeviceId::parse(&n.to_string()).unwrap(),
            carrier_device_id: n.to_string().into(),
            observed_at: chrono::DateTime::UNIX_EPOCH,
            usage: None,
            info: DeviceInfo::default(),
        };
        UpdateBatch {
            tenant_id: TenantId::parse("t").unwrap(),
            integration_id: IntegrationId::parse("i").unwrap(),
            epoch: None,
            updates: (0..rows).map(update).collect(),
        }
    }

    fn taken(due: Due<UpdateBatch, u32>) -> Vec<u32> {
        match due {
            Due::Now(batches) => batches.into_iter().map(|(_, reply)| reply).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_idle_database_waits_for_no_company() {
        let (mut queue, now) = (WriteQueue::default(), Instant::now());
        queue.push(batch(1), 1, now);
        assert_eq!(taken(queue.take_due(&POLICY, 0, now)), [1]);
        assert!(matches!(queue.take_due(&POLICY, 0, now), Due::Nothing));
    }

    #[test]
    fn while_one_is_under_way_batches_gather_by_rows_or_age() {
        let (mut queue, now) = (WriteQueue::default(), Instant::now());
        queue.push(batch(4), 1, now);
        let later = now + Duration::from_millis(20);
        assert!(matches!(
            queue.take_due(&POLICY, 1, later),
            Due::After(wait) if wait == Duration::from_millis(30)
        ));
        queue.push(batch(6), 2, later);
        assert_eq!(taken(queue.take_due(&POLICY, 1, later)), [1, 2], "full");
        queue.push(batch(1), 3, now);
        assert_eq!(
            taken(queue.take_due(&POLICY, 1, now + POLICY.max_age)),
            [3],
            "old"
        );
    }

    #[test]
    fn no_more_transactions_at_once_than_allowed() {
        let (mut queue, now) = (WriteQueue::default(), Instant::now());
        queue.push(batch(99), 1, now);
        assert!(matches!(
            queue.take_due(&POLICY, 2, now + POLICY.max_age),
            Due::Nothing
        ));
    }

    #[test]
    fn a_transaction_holds_whole_batches_up_to_its_rows() {
        let (mut queue, now) = (WriteQueue::default(), Instant::now());
        for (rows, reply) in [(6, 1), (6, 2), (25, 3), (1, 4)] {
            queue.push(batch(rows), reply, now);
        }
        assert_eq!(queue.rows(), 38);
        assert_eq!(taken(queue.take_due(&POLICY, 0, now)), [1]);
        assert_eq!(taken(queue.take_due(&POLICY, 0, now)), [2]);
        assert_eq!(
            taken(queue.take_due(&POLICY, 0, now)),
            [3],
            "larger than a transaction"
        );
        assert_eq!(taken(queue.take_due(&POLICY, 0, now)), [4]);
        assert_eq!(queue.rows(), 0);
    }

    #[test]
    fn a_transaction_is_full_by_bytes_as_well_as_by_rows() {
        let (mut queue, now) = (WriteQueue::default(), Instant::now());
        let each = batch(1).load().bytes;
        assert!(each > BYTES_PER_ROW, "{each}");
        let policy = BatchPolicy {
            max_bytes: each * 2,
            ..POLICY
        };
        queue.push(batch(1), 1, now);
        assert!(matches!(queue.take_due(&policy, 1, now), Due::After(_)));
        for reply in [2, 3] {
            queue.push(batch(1), reply, now);
        }
        assert_eq!(taken(queue.take_due(&policy, 1, now)), [1, 2], "full");
        assert_eq!(queue.load, batch(1).load(), "what was taken counts no more");
        let long = batch(9);
        queue.push(long, 4, now);
        assert_eq!(taken(queue.take_due(&policy, 0, now)), [3]);
        assert_eq!(taken(queue.take_due(&policy, 0, now)), [4], "by itself");
        assert_eq!(queue.load, Load::default());
    }

    #[test]
    fn a_batch_without_rows_is_answered_too() {
        let (mut queue, now) = (WriteQueue::default(), Instant::now());
        queue.push(batch(0), 1, now);
        assert!(!queue.is_empty());
        assert_eq!(taken(queue.take_due(&POLICY, 0, now)), [1]);
        assert!(queue.is_empty());
    }
}
