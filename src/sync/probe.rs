//! One harmless call that tells whether an integration works.

use super::job::SyncJob;
use crate::client::{CallError, CallMeter};

/// Calls one probe may make, retries included.
const PROBE_BUDGET: u64 = 5;

/// Asks the carrier for next to nothing with the integration's own address and credentials.
///
/// # Errors
/// [`CallError`] saying what does not work.
pub async fn probe(job: &SyncJob) -> Result<(), CallError> {
    let mut walk = job.carrier.probe(job.context());
    job.client
        .next_page(&mut *walk, &CallMeter::new(PROBE_BUDGET))
        .await
        .map(drop)
}
