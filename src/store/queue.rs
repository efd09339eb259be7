//! Which batches go into the next transaction. Pure: the writer actor asks, sends and waits.
//!
//! A transaction costs a commit, whatever it holds, so batches of many integrations share one. With
//! the database idle nothing waits for company; while a transaction is under way, batches gather
//! until they fill one or the oldest has waited long enough.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::device::UpdateBatch;

/// When a transaction is worth beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// Rows per transaction; a single larger batch goes by itself.
    pub max_rows: usize,
    /// The longest a batch waits for company while a transaction is under way.
    pub max_age: Duration,
    /// Transactions under way at once.
    pub max_in_flight: usize,
}

/// What to do with the queue now.
#[derive(Debug)]
pub enum Due<T> {
    /// Begin a transaction with these.
    Now(Vec<(UpdateBatch, T)>),
    /// Ask again after this wait, or when a transaction ends.
    After(Duration),
    /// Ask again when something arrives or a transaction ends.
    Nothing,
}

/// Batches waiting to be written, each with the `T` that its sender waits for.
#[derive(Debug)]
pub struct WriteQueue<T> {
    waiting: VecDeque<(Instant, UpdateBatch, T)>,
    rows: usize,
}

impl<T> Default for WriteQueue<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            rows: 0,
        }
    }
}

impl<T> WriteQueue<T> {
    /// Adds a batch that arrived at `now`.
    pub fn push(&mut self, batch: UpdateBatch, reply: T, now: Instant) {
        self.rows += batch.updates.len();
        self.waiting.push_back((now, batch, reply));
    }

    /// Rows waiting.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Takes what the next transaction should hold, in order of arrival.
    pub fn take_due(&mut self, policy: &BatchPolicy, in_flight: usize, now: Instant) -> Due<T> {
        let Some((oldest, ..)) = self.waiting.front() else {
            return Due::Nothing;
        };
        if in_flight >= policy.max_in_flight {
            return Due::Nothing;
        }
        let waited = now.saturating_duration_since(*oldest);
        let idle = in_flight == 0;
        if !idle && self.rows < policy.max_rows && waited < policy.max_age {
            return Due::After(policy.max_age - waited);
        }
        Due::Now(self.take(policy.max_rows))
    }

    fn take(&mut self, max_rows: usize) -> Vec<(UpdateBatch, T)> {
        let mut taken = Vec::new();
        let mut rows = 0;
        while let Some((_, batch, _)) = self.waiting.front() {
            let more = batch.updates.len();
            if !taken.is_empty() && rows + more > max_rows {
                break;
            }
            let Some((_, batch, reply)) = self.waiting.pop_front() else {
                break;
            };
            rows += more;
            taken.push((batch, reply));
        }
        self.rows -= rows;
        taken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::{DeviceId, DeviceInfo, DeviceUpdate, IntegrationId, TenantId};

    const POLICY: BatchPolicy = BatchPolicy {
        max_rows: 10,
        max_age: Duration::from_millis(50),
        max_in_flight: 2,
    };

    fn batch(rows: usize) -> UpdateBatch {
        let update = |n: usize| DeviceUpdate {
            device_id: DeviceId::parse(&n.to_string()).unwrap(),
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

    fn taken(due: Due<u32>) -> Vec<u32> {
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
}
