//! One sync's calls in the database, where the integration has a budget per day or month: booked before they
//! are made, settled when it has ended. How much of a budget is left is `budget.rs`'s to say.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::writer_handle::WriterHandle;
use crate::budget::{Booking, CallBudget, CallCount, CallsLeft, CountChange, CountState};
use crate::client::{Allowance, CallError};
use crate::sync::{SinkError, SyncJob};

/// Books the calls of one sync.
#[derive(Debug)]
pub struct CallBook {
    writer: WriterHandle,
    job: Arc<SyncJob>,
    booking: Booking,
    /// On which all of them count, however long it takes.
    day: NaiveDate,
    /// As far as is known.
    left: Mutex<CallsLeft>,
}

impl CallBook {
    /// For a sync that begins `now`; `None`: it has no budget.
    #[must_use]
    pub fn of(job: &Arc<SyncJob>, writer: &WriterHandle, now: DateTime<Utc>) -> Option<Arc<Self>> {
        (!job.policy.budget.is_none()).then(|| {
            Arc::new(Self {
                writer: writer.clone(),
                job: Arc::clone(job),
                booking: Booking(rand::random()),
                day: now.date_naive(),
                left: Mutex::default(),
            })
        })
    }

    /// Gives back what was booked and not made. Answers what is left.
    ///
    /// Where that fails the calls stay counted, which is the safe side.
    pub async fn settle(&self, made: u64) -> CallsLeft {
        if let Err(error) = self.count(CountChange::Settle { made }).await {
            tracing::warn!(
                integration.id = %self.job.integration_id, %error,
                "calls that were booked and not made could not be given back; they stay counted"
            );
        }
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn count(&self, change: CountChange) -> Result<CountState, SinkError> {
        let count = CallCount {
            tenant_id: self.job.tenant_id.clone(),
            integration_id: self.job.integration_id.clone(),
            epoch: self.job.tenure.epoch(),
            day: self.day,
            booking: self.booking,
            change,
        };
        let state = self.writer.count(count).await?;
        let left = self.budget().left(state.counted);
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
        Ok(state)
    }

    fn budget(&self) -> CallBudget {
        self.job.policy.budget
    }
}

#[async_trait]
impl Allowance for CallBook {
    async fn book_beyond(&self, calls: u64) -> Result<u64, CallError> {
        let budget = self.budget();
        let wanted = CountChange::Book {
            calls: calls.saturating_add(budget.step()),
            budget,
        };
        let state = self.count(wanted).await.map_err(|error| match error {
            SinkError::LeaseLost => CallError::LeaseLost,
            SinkError::Failed(reason) => CallError::NotCounted { reason },
        })?;
        if state.booked > calls {
            return Ok(state.booked);
        }
        let spent = budget.spent(state.counted, self.day);
        let reason = spent.map_or_else(|| "no calls left".to_owned(), |spent| spent.to_string());
        Err(CallError::AllowanceSpent { reason })
    }
}
