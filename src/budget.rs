//! Budgets of calls over days and months: what is left of them, and how a sync takes its part. Pure.
//!
//! A sync books calls before it makes them, a step at a time, and gives back at its end what it has not
//! made. A process that dies leaves its last step counted, so that a budget is never exceeded and a crash
//! costs little of it. Days and months are UTC's; a call counts on the day on which it is booked, and what was
//! booked and not made by midnight is booked anew.

use std::fmt;
use std::num::NonZeroU64;

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::device::{IntegrationId, TenantId};
use crate::tenure::Epoch;

/// A step is this part of the smaller budget, which is what a crash costs at most.
const STEPS_PER_BUDGET: u64 = 20;
/// With more calls per step the trips to the database are not worth counting.
const LONGEST_STEP: u64 = 500;
/// A month and the one before it; older days are of no use to anyone.
const DAYS_KEPT: u64 = 62;

/// What an integration may spend; `None` for no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallBudget {
    /// Calls per day.
    pub per_day: Option<NonZeroU64>,
    /// Calls per month.
    pub per_month: Option<NonZeroU64>,
}

/// Calls of an integration that are made or booked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallsCounted {
    /// On the day.
    pub day: u64,
    /// In its month, the day included.
    pub month: u64,
}

/// What is left of a budget; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallsLeft {
    /// Of the day's.
    pub today: Option<u64>,
    /// Of the month's.
    pub this_month: Option<u64>,
}

impl CallsLeft {
    /// How many calls may still be booked.
    #[must_use]
    pub fn least(self) -> Option<u64> {
        self.today.into_iter().chain(self.this_month).min()
    }
}

/// A budget of which nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The setting's name.
    pub setting: &'static str,
    /// Its value.
    pub calls: NonZeroU64,
    /// The day that begins with a new one.
    pub until: NaiveDate,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            calls,
            until,
        } = self;
        write!(f, "{setting} = {calls} spent until {until} 00:00 UTC")
    }
}

impl CallBudget {
    /// Of two settings, where 0 is for none.
    #[must_use]
    pub fn of(per_day: u64, per_month: u64) -> Self {
        Self {
            per_day: NonZeroU64::new(per_day),
            per_month: NonZeroU64::new(per_month),
        }
    }

    /// Whether nothing need be counted.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.smaller().is_none()
    }

    /// What is left after these calls.
    #[must_use]
    pub fn left(self, made: CallsCounted) -> CallsLeft {
        let left = |budget: Option<NonZeroU64>, made| Some(budget?.get().saturating_sub(made));
        CallsLeft {
            today: left(self.per_day, made.day),
            this_month: left(self.per_month, made.month),
        }
    }

    /// Which budget is spent by these calls, the month's before the day's, as it lasts longer.
    #[must_use]
    pub fn spent(self, made: CallsCounted, day: NaiveDate) -> Option<Spent> {
        let left = self.left(made);
        let of = |setting, calls, until| Spent {
            setting,
            calls,
            until,
        };
        let month = self.per_month.filter(|_| left.this_month == Some(0));
        let month = month.map(|calls| of("calls_per_month", calls, month_of(day).1));
        month.or_else(|| {
            let calls = self.per_day.filter(|_| left.today == Some(0))?;
            Some(of("calls_per_day", calls, next(day)))
        })
    }

    /// Calls that are booked at once.
    #[must_use]
    pub fn step(self) -> u64 {
        let smaller = self.smaller().map_or(u64::MAX, NonZeroU64::get);
        (smaller / STEPS_PER_BUDGET).clamp(1, LONGEST_STEP)
    }

    fn smaller(self) -> Option<NonZeroU64> {
        self.per_day.into_iter().chain(self.per_month).min()
    }
}

/// The first day of a day's month, and of the next.
#[must_use]
pub fn month_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let first = day.with_day(1).unwrap_or(day);
    let next = first.checked_add_months(Months::new(1));
    (first, next.unwrap_or(NaiveDate::MAX))
}

/// Days before this one are no longer needed on `day`.
#[must_use]
pub fn first_kept(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(DAYS_KEPT))
        .unwrap_or(NaiveDate::MIN)
}

fn next(day: NaiveDate) -> NaiveDate {
    day.succ_opt().unwrap_or(NaiveDate::MAX)
}

/// Names what one sync has booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking(pub i64);

/// A change of an integration's count. Saying it again changes nothing more: it speaks of totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCount {
    /// The integration's owner; the transaction is confined to it.
    pub tenant_id: TenantId,
    /// Whose calls.
    pub integration_id: IntegrationId,
    /// The lease it is synced under; with another one stored nothing is booked.
    pub epoch: Option<Epoch>,
    /// On which they count.
    pub day: NaiveDate,
    /// Whose booking.
    pub booking: Booking,
    /// What is changed.
    pub change: CountChange,
}

/// What becomes of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountChange {
    /// It is to hold so many calls in all, or as many as the budget has left.
    Book {
        /// In all.
        calls: u64,
        /// Of which.
        budget: CallBudget,
    },
    /// It ends; so many of its calls were made, the others are free again. Needs no lease: only who booked
    /// knows it, and whoever has booked since has ended it already, with all of its calls as made.
    Settle {
        /// In all.
        made: u64,
    },
}

/// What a count has become.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountState {
    /// Calls that the booking holds.
    pub booked: u64,
    /// All of the integration's.
    pub counted: CallsCounted,
}

/// An integration's calls of one day, as stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayCount {
    /// Made or booked.
    pub calls: u64,
    /// The last booking, unless it was settled.
    pub booking: Option<Booking>,
    /// How many of `calls` it holds.
    pub booked: u64,
}

impl CallCount {
    /// The day after this change, and what its sender is told; `counted` are the calls before it.
    #[must_use]
    pub fn apply(&self, day: DayCount, counted: CallsCounted) -> (DayCount, CountState) {
        let is_ours = day.booking == Some(self.booking);
        let ours = if is_ours { day.booked } else { 0 };
        let changed = match self.change {
            CountChange::Book { calls, budget } => {
                let left = budget.left(counted).least().unwrap_or(u64::MAX);
                match calls.saturating_sub(ours).min(left) {
                    0 => day,
                    granted => DayCount {
                        calls: day.calls.saturating_add(granted),
                        booking: Some(self.booking),
                        booked: ours + granted,
                    },
                }
            }
            CountChange::Settle { made } if is_ours => DayCount {
                calls: day.calls.saturating_sub(ours).saturating_add(made),
                ..DayCount::default()
            },
            CountChange::Settle { .. } => day,
        };
        let of_others = counted.month.saturating_sub(day.calls);
        let counted = CallsCounted {
            day: changed.calls,
            month: of_others.saturating_add(changed.calls),
        };
        let is_ours = changed.booking == Some(self.booking);
        let booked = if is_ours { changed.booked } else { 0 };
        (changed, CountState { booked, counted })
    }
}

#[cfg(test)]
mod tests;
