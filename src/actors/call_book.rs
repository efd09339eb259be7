//! One sync's calls in the database, where the integration has a budget per day or month: booked before they
//! are made, settled when it has ended. How much of a budget is left is `budget.rs`'s to say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::NaiveDate;

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
    state: Mutex<State>,
}

/// Where the booking stands.
#[derive(Debug, Clone, Copy)]
struct State {
    /// On which calls count from now on.
    day: NaiveDate,
    /// Calls of this sync that count on earlier days.
    before: u64,
    /// As far as is known.
    left: CallsLeft,
}

impl CallBook {
    /// For a sync that begins now; `None`: it has no budget.
    #[must_use]
    pub fn of(job: &Arc<SyncJob>, writer: &WriterHandle) -> Option<Arc<Self>> {
        (!job.policy.budget.is_none()).then(|| {
            Arc::new(Self {
                writer: writer.clone(),
                job: Arc::clone(job),
                booking: Booking(rand::random()),
                state: Mutex::new(State {
                    day: today(job),
                    before: 0,
                    left: CallsLeft::default(),
                }),
            })
        })
    }

    /// Gives back what was booked and not made. Answers what is left.
    pub async fn settle(&self, made: u64) -> CallsLeft {
        self.end_day(made).await;
        self.state().left
    }

    /// Where giving back fails the calls stay counted, which is the safe side.
    async fn end_day(&self, made: u64) {
        let made = made.saturating_sub(self.state().before);
        if let Err(error) = self.count(CountChange::Settle { made }).await {
            tracing::warn!(
                integration.id = %self.job.integration_id, %error,
                "calls that were booked and not made could not be given back; they stay counted"
            );
        }
    }

    /// What is made from now on counts on `day`.
    async fn begin_day(&self, day: NaiveDate, made: u64) {
        self.end_day(made).await;
        let mut state = self.state();
        (state.day, state.before) = (day, made);
    }

    async fn count(&self, change: CountChange) -> Result<CountState, SinkError> {
        let count = CallCount {
            tenant_id: self.job.tenant_id.clone(),
            integration_id: self.job.integration_id.clone(),
            epoch: self.job.tenure.epoch(),
            day: self.state().day,
            booking: self.booking,
            change,
        };
        let counted = self.writer.count(count).await?;
        self.state().left = self.budget().left(counted.counted);
        Ok(counted)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn budget(&self) -> CallBudget {
        self.job.policy.budget
    }
}

#[async_trait]
impl Allowance for CallBook {
    async fn book_beyond(&self, taken: u64) -> Result<u64, CallError> {
        if self.is_over() {
            self.begin_day(today(&self.job), taken).await;
        }
        let (budget, State { day, before, .. }) = (self.budget(), *self.state());
        let taken = taken.saturating_sub(before);
        let wanted = CountChange::Book {
            calls: taken.saturating_add(budget.step()),
            budget,
        };
        let state = self.count(wanted).await.map_err(|error| match error {
            SinkError::LeaseLost => CallError::LeaseLost,
            SinkError::Failed(reason) => CallError::NotCounted { reason },
        })?;
        if state.booked > taken {
            return Ok(before + state.booked);
        }
        let spent = budget.spent(state.counted, day);
        let reason = spent.map_or_else(|| "no calls left".to_owned(), |spent| spent.to_string());
        Err(CallError::AllowanceSpent { reason })
    }

    /// A clock that is set back changes nothing.
    fn is_over(&self) -> bool {
        today(&self.job) > self.state().day
    }
}

fn today(job: &SyncJob) -> NaiveDate {
    job.client.clock.now().date_naive()
}
