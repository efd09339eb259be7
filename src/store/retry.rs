//! Writing again while the database is away. Every write of ours can be repeated without harm, so a
//! restart of the database costs a sync a wait, not its rows.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use super::{Store, StoreError};
use crate::device::{UpdateBatch, WriteReceipt};
use crate::integration::SyncRecord;

/// Batches of a split transaction that are tried at once.
const ALONE_AT_ONCE: usize = 16;

/// How long to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// First wait; each further one doubles it.
    pub first_wait: Duration,
    /// No wait is longer than this.
    pub longest_wait: Duration,
    /// After this the failure is told.
    pub give_up_after: Duration,
}

/// Told of each try that found the database unavailable, so that the trouble shows while it lasts.
pub type Trouble<'a> = &'a (dyn Fn(&StoreError) + Sync);

/// Writes the batches, for as long as the policy allows; one result per batch, in their order.
///
/// At first in one transaction. One that is refused, or fails again (a tenant's row may be locked), is
/// split, so that one integration's batch never costs another's.
pub async fn write_patiently(
    store: &dyn Store,
    batches: &[UpdateBatch],
    policy: RetryPolicy,
    trouble: Trouble<'_>,
) -> Vec<Result<WriteReceipt, String>> {
    let now = Instant::now();
    let deadline = now + policy.give_up_after;
    let is_shared = batches.len() > 1;
    let until = if is_shared {
        now + policy.first_wait
    } else {
        deadline
    };
    let error = match patiently(policy, until, trouble, || store.write(batches)).await {
        Ok(receipts) => return receipts.into_iter().map(Ok).collect(),
        Err(error) => error,
    };
    let may_be_one_batch_s = matches!(error, StoreError::Rejected(_) | StoreError::Unavailable(_));
    if !is_shared || !may_be_one_batch_s {
        return batches.iter().map(|_| Err(error.to_string())).collect();
    }
    let mut alone = Vec::with_capacity(batches.len());
    for batch in batches {
        alone.push(write_alone(
            store,
            batch,
            (policy, deadline),
            trouble,
            &error,
        ));
    }
    stream::iter(alone).buffered(ALONE_AT_ONCE).collect().await
}

/// One batch of a transaction that failed with `error`; past the deadline that is its error too.
async fn write_alone(
    store: &dyn Store,
    batch: &UpdateBatch,
    (policy, deadline): (RetryPolicy, Instant),
    trouble: Trouble<'_>,
    error: &StoreError,
) -> Result<WriteReceipt, String> {
    if Instant::now() >= deadline {
        return Err(error.to_string());
    }
    let batch = std::slice::from_ref(batch);
    let receipts = patiently(policy, deadline, trouble, || store.write(batch)).await;
    let receipts = receipts.map_err(|error| error.to_string())?;
    let receipt = receipts.into_iter().next();
    receipt.ok_or_else(|| "the store answered without a receipt".to_owned())
}

/// Records how a sync ended, for as long as the policy allows.
///
/// # Errors
/// The store's last reason.
pub async fn record_patiently(
    store: &dyn Store,
    record: &SyncRecord,
    policy: RetryPolicy,
    trouble: Trouble<'_>,
) -> Result<(), String> {
    let deadline = Instant::now() + policy.give_up_after;
    let recorded = patiently(policy, deadline, trouble, || store.record(record)).await;
    recorded.map_err(|error| error.to_string())
}

/// Repeats `work` while the database is unavailable and the deadline allows another wait.
async fn patiently<T, F>(
    policy: RetryPolicy,
    deadline: Instant,
    trouble: Trouble<'_>,
    work: impl Fn() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut wait = policy.first_wait;
    loop {
        let error = match work().await {
            Err(error @ StoreError::Unavailable(_)) => error,
            done => return done,
        };
        trouble(&error);
        if Instant::now() + wait > deadline {
            return Err(error);
        }
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(%error, wait_ms, "database unavailable, trying again");
        tokio::time::sleep(wait.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
        wait = (wait * 2).min(policy.longest_wait);
    }
}
