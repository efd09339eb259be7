//! Writing again while the database is away. Every write of ours can be repeated without harm, so a
//! restart of the database costs a sync a wait, not its rows.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};

use super::{LeaseLost, NotRecorded, Store, StoreError};
use crate::budget::{CallCount, CountState};
use crate::device::{UpdateBatch, WriteReceipt};
use crate::runs::SyncRecord;

/// Parts of a split transaction that are tried at once.
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

/// Why a batch, an outcome or a count is not in the store after every try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// Another process owns the integration by now.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// The outcome's integration was removed: nothing is wrong with the database.
    #[error("the integration is no longer there")]
    Gone,
    /// The store's last reason, without secrets.
    #[error("{0}")]
    Failed(String),
}

impl From<NotRecorded> for NotStored {
    fn from(why: NotRecorded) -> Self {
        match why {
            NotRecorded::Gone => Self::Gone,
            NotRecorded::LeaseLost(lost) => Self::LeaseLost(lost),
        }
    }
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
) -> Vec<Result<WriteReceipt, NotStored>> {
    store_patiently(batches, policy, trouble, &|batches| store.write(batches)).await
}

/// Records how syncs ended, for as long as the policy allows; as [`write_patiently`].
pub async fn record_patiently(
    store: &dyn Store,
    records: &[SyncRecord],
    policy: RetryPolicy,
    trouble: Trouble<'_>,
) -> Vec<Result<(), NotStored>> {
    store_patiently(records, policy, trouble, &|records| store.record(records)).await
}

/// Changes counts of calls, for as long as the policy allows; as [`write_patiently`].
pub async fn count_patiently(
    store: &dyn Store,
    counts: &[CallCount],
    policy: RetryPolicy,
    trouble: Trouble<'_>,
) -> Vec<Result<CountState, NotStored>> {
    store_patiently(counts, policy, trouble, &|counts| store.count_calls(counts)).await
}

/// One transaction's work on some of the items: an answer for each.
type Work<'a, I, T, E> =
    &'a (dyn Fn(&'a [I]) -> BoxFuture<'a, Result<Vec<Result<T, E>>, StoreError>> + Sync);

async fn store_patiently<'a, I: Sync, T: Send, E: Into<NotStored> + Send>(
    items: &'a [I],
    policy: RetryPolicy,
    trouble: Trouble<'a>,
    work: Work<'a, I, T, E>,
) -> Vec<Result<T, NotStored>> {
    let now = Instant::now();
    let deadline = now + policy.give_up_after;
    let is_shared = items.len() > 1;
    let until = if is_shared {
        now + policy.first_wait
    } else {
        deadline
    };
    let error = match patiently(policy, until, trouble, || work(items)).await {
        Ok(answers) => return answers.into_iter().map(told).collect(),
        Err(error) => error,
    };
    let may_be_one_item_s = matches!(error, StoreError::Rejected(_) | StoreError::Unavailable(_));
    if !is_shared || !may_be_one_item_s {
        return items
            .iter()
            .map(|_| Err(NotStored::Failed(error.to_string())))
            .collect();
    }
    let mut alone = Vec::with_capacity(items.len());
    for item in items.chunks(1) {
        alone.push(store_alone(item, (policy, deadline), trouble, work, &error));
    }
    stream::iter(alone).buffered(ALONE_AT_ONCE).collect().await
}

/// One item of a transaction that failed with `error`; past the deadline that is its error too.
async fn store_alone<'a, I: Sync, T: Send, E: Into<NotStored> + Send>(
    item: &'a [I],
    (policy, deadline): (RetryPolicy, Instant),
    trouble: Trouble<'a>,
    work: Work<'a, I, T, E>,
    error: &StoreError,
) -> Result<T, NotStored> {
    let failed = |error: &StoreError| NotStored::Failed(error.to_string());
    if Instant::now() >= deadline {
        return Err(failed(error));
    }
    let answers = patiently(policy, deadline, trouble, || work(item)).await;
    let answer = answers.map_err(|error| failed(&error))?.into_iter().next();
    answer.map_or_else(
        || Err(NotStored::Failed("the store did not answer".to_owned())),
        told,
    )
}

fn told<T, E: Into<NotStored>>(answer: Result<T, E>) -> Result<T, NotStored> {
    answer.map_err(Into::into)
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
