//! Budgets of calls: how many may still be made today and this month. Pure; the engines keep the counts.
//!
//! Calls are counted before they are made and given back when they were not, so a process that dies leaves
//! too many behind and never too few.

use chrono::NaiveDate;

/// Calls an integration may make; 0: no budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallBudget {
    /// Per day (UTC).
    pub per_day: u64,
    /// Per calendar month (UTC).
    pub per_month: u64,
}

impl CallBudget {
    /// Whether there is any.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is left of a budget; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallsLeft {
    /// Today.
    pub today: Option<u64>,
    /// This month.
    pub this_month: Option<u64>,
}

/// Calls that may be made now, already counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallGrant {
    /// How many.
    pub granted: u64,
    /// What is left besides.
    pub left: CallsLeft,
}

/// What has been counted, as the columns have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// `2026-11-25`; another day's counts are over.
    pub(super) day: Option<String>,
    pub(super) today: i64,
    pub(super) this_month: i64,
}

/// A day as the column has it.
pub(super) fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

impl Counted {
    /// The counts as they stand on `day`.
    fn on(&self, day: &str) -> (u64, u64) {
        let known = self.day.as_deref().unwrap_or_default();
        let count = |count: i64, holds: bool| {
            if holds {
                u64::try_from(count).unwrap_or(0)
            } else {
                0
            }
        };
        let month = |day: &str| day.get(..7).map(str::to_owned);
        (
            count(self.today, known == day),
            count(self.this_month, month(known) == month(day)),
        )
    }

    /// Grants up to `wanted` calls on `day`; the counts with them.
    pub(super) fn grant(&self, day: &str, wanted: u64, budget: CallBudget) -> (CallGrant, Self) {
        let (today, month) = self.on(day);
        let left = |budget: u64, used: u64| (budget > 0).then(|| budget.saturating_sub(used));
        let (left_today, left_month) = (left(budget.per_day, today), left(budget.per_month, month));
        let granted = wanted
            .min(left_today.unwrap_or(u64::MAX))
            .min(left_month.unwrap_or(u64::MAX));
        let grant = CallGrant {
            granted,
            left: CallsLeft {
                today: left_today.map(|left| left - granted),
                this_month: left_month.map(|left| left - granted),
            },
        };
        (grant, Self::of(day, today + granted, month + granted))
    }

    /// The counts after `unused` calls that were granted on `day` are given back: only where it still is that
    /// day, or its month.
    pub(super) fn give_back(&self, day: &str, unused: u64) -> Option<Self> {
        let known = self.day.as_deref()?;
        let is_same_month = known.get(..7) == day.get(..7);
        let (today, month) = self.on(known);
        let today = if known == day {
            today.saturating_sub(unused)
        } else {
            today
        };
        let month = if is_same_month {
            month.saturating_sub(unused)
        } else {
            month
        };
        Some(Self::of(known, today, month))
    }

    fn of(day: &str, today: u64, month: u64) -> Self {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            day: Some(day.to_owned()),
            today: count(today),
            this_month: count(month),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const BUDGET: CallBudget = CallBudget {
        per_day: 10,
        per_month: 15,
    };

    #[test]
    fn a_day_and_a_month_are_each_spent_by_themselves() {
        let (grant, counted) = Counted::default().grant("2026-11-25", 8, BUDGET);
        assert_eq!(grant.granted, 8);
        let (grant, counted) = counted.grant("2026-11-25", 8, BUDGET);
        assert_eq!(
            (grant.granted, grant.left.today, grant.left.this_month),
            (2, Some(0), Some(5))
        );
        let (grant, counted) = counted.grant("2026-11-26", 8, BUDGET);
        assert_eq!(
            (grant.granted, grant.left.today),
            (5, Some(5)),
            "the month's rest"
        );
        let (grant, _) = counted.grant("2026-12-01", 8, BUDGET);
        assert_eq!(
            (grant.granted, grant.left.this_month),
            (8, Some(7)),
            "a new month"
        );
    }

    #[test]
    fn what_was_not_used_is_given_back_to_its_own_day_and_month() {
        let (_, counted) = Counted::default().grant("2026-11-25", 8, BUDGET);
        let back = counted.give_back("2026-11-25", 3).unwrap();
        assert_eq!((back.today, back.this_month), (5, 5));
        let (_, next_day) = counted.grant("2026-11-26", 2, BUDGET);
        let back = next_day.give_back("2026-11-25", 3).unwrap();
        assert_eq!((back.today, back.this_month), (2, 7));
        let (_, next_month) = counted.grant("2026-12-01", 2, BUDGET);
        assert_eq!(next_month.give_back("2026-11-25", 3).unwrap(), next_month);
    }

    #[test]
    fn without_a_budget_everything_is_granted() {
        let (grant, _) =
            Counted::default().grant("2026-11-25", u64::MAX / 2, CallBudget::default());
        assert_eq!(grant.granted, u64::MAX / 2);
        assert_eq!(grant.left, CallsLeft::default());
    }

    proptest! {
        #[test]
        fn no_day_and_no_month_grants_more_than_its_budget(
            wanted in proptest::collection::vec((0_u32..60, 0_u64..20, 0_u64..20), 1..80),
        ) {
            let mut wanted = wanted;
            wanted.sort_by_key(|(day, ..)| *day);
            let first = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
            let mut counted = Counted::default();
            let mut used = std::collections::BTreeMap::<String, u64>::new();
            for (day, calls, unused) in wanted {
                let day = day_text(first + chrono::TimeDelta::days(day.into()));
                let (grant, after) = counted.grant(&day, calls, BUDGET);
                let unused = unused.min(grant.granted);
                counted = after.give_back(&day, unused).unwrap();
                *used.entry(day.clone()).or_default() += grant.granted - unused;
                *used.entry(day[..7].to_owned()).or_default() += grant.granted - unused;
            }
            for (span, calls) in used {
                let most = if span.len() == 7 { BUDGET.per_month } else { BUDGET.per_day };
                prop_assert!(calls <= most, "{span}: {calls}");
            }
        }
    }
}
