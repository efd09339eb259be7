//! Writing again while the database is away. Every write of ours can be repeated without harm, so a
//! restart of the database costs a sync a wait, not its rows.

use std::time::{Duration, Instant};

use super::{Store, StoreError};
use crate::device::{UpdateBatch, WriteReceipt};
use crate::integration::SyncRecord;

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

/// Writes the batches in one transaction, for as long as the policy allows; one result per batch.
///
/// A transaction that the database refuses for good is tried batch by batch, so that one
/// integration's batch never costs another's.
pub async fn write_patiently(
    store: &dyn Store,
    batches: &[UpdateBatch],
    policy: RetryPolicy,
    trouble: Trouble<'_>,
) -> Vec<Result<WriteReceipt, String>> {
    match patiently(policy, trouble, || store.write(batches)).await {
        Ok(receipts) => receipts.into_iter().map(Ok).collect(),
        Err(StoreError::Rejected(_)) if batches.len() > 1 => {
            let mut results = Vec::with_capacity(batches.len());
            for batch in batches {
                results.push(write_one(store, batch, policy, trouble).await);
            }
            results
        }
        Err(error) => batches.iter().map(|_| Err(error.to_string())).collect(),
    }
}

async fn write_one(
    store: &dyn Store,
    batch: &UpdateBatch,
    policy: RetryPolicy,
    trouble: Trouble<'_>,
) -> Result<WriteReceipt, String> {
    let receipts = patiently(policy, trouble, || store.write(std::slice::from_ref(batch))).await;
    let receipts = receipts.map_err(|error| error.to_string())?;
    receipts
        .into_iter()
        .next()
        .ok_or_else(|| "the store answered without a receipt".to_owned())
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
    patiently(policy, trouble, || store.record(record))
        .await
        .map_err(|error| error.to_string())
}

/// Repeats `work` while the database is unavailable.
async fn patiently<T, F>(
    policy: RetryPolicy,
    trouble: Trouble<'_>,
    work: impl Fn() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let started = Instant::now();
    let mut wait = policy.first_wait;
    loop {
        let error = match work().await {
            Err(error @ StoreError::Unavailable(_)) => error,
            done => return done,
        };
        trouble(&error);
        if started.elapsed() + wait > policy.give_up_after {
            return Err(error);
        }
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(%error, wait_ms, "database unavailable, trying again");
        tokio::time::sleep(wait.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
        wait = (wait * 2).min(policy.longest_wait);
    }
}
