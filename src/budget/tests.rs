//! The arithmetic of budgets, in tables and against whatever syncs do.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap()
}

fn counted(day: u64, month: u64) -> CallsCounted {
    CallsCounted { day, month }
}

fn count(booking: i64, change: CountChange) -> CallCount {
    CallCount {
        tenant_id: TenantId::parse("t").unwrap(),
        integration_id: IntegrationId::parse("i").unwrap(),
        epoch: None,
        day: day(11, 23),
        booking: Booking(booking),
        change,
    }
}

#[test]
fn what_is_left_is_never_below_zero_and_nothing_where_there_is_no_budget() {
    let table = [
        ((0, 0), (7, 70), (None, None)),
        ((10, 0), (7, 70), (Some(3), None)),
        ((10, 0), (11, 70), (Some(0), None)),
        ((0, 100), (7, 70), (None, Some(30))),
        ((10, 100), (7, 101), (Some(3), Some(0))),
    ];
    for ((per_day, per_month), (today, month), (left_today, left_month)) in table {
        let left = CallBudget::of(per_day, per_month).left(counted(today, month));
        assert_eq!((left.today, left.this_month), (left_today, left_month));
        let least = left_today.into_iter().chain(left_month).min();
        assert_eq!(left.least(), least);
    }
}

#[test]
fn a_spent_budget_is_named_with_its_end_and_the_longer_one_first() {
    let budget = CallBudget::of(10, 100);
    let spent = |made, day| budget.spent(made, day).map(|spent| spent.to_string());
    assert_eq!(spent(counted(9, 99), day(11, 23)), None);
    let text = "calls_per_day = 10 spent until 2026-11-24 00:00 UTC";
    assert_eq!(spent(counted(10, 99), day(11, 23)).unwrap(), text);
    let text = "calls_per_month = 100 spent until 2026-12-01 00:00 UTC";
    assert_eq!(spent(counted(10, 100), day(11, 23)).unwrap(), text);
    let text = "calls_per_month = 100 spent until 2027-01-01 00:00 UTC";
    assert_eq!(spent(counted(0, 100), day(12, 31)).unwrap(), text);
}

#[test]
fn a_step_is_a_twentieth_of_the_smaller_budget_and_at_least_one_call() {
    let table = [
        ((1, 0), 1),
        ((39, 0), 1),
        ((500, 0), 25),
        ((500, 100), 5),
        ((0, 10_000_000), 500),
    ];
    for ((per_day, per_month), step) in table {
        assert_eq!(CallBudget::of(per_day, per_month).step(), step);
    }
}

#[test]
fn months_begin_on_their_first_day_and_two_of_them_are_kept() {
    assert_eq!(month_of(day(11, 23)), (day(11, 1), day(12, 1)));
    assert_eq!(
        month_of(day(12, 31)),
        (day(12, 1), NaiveDate::from_ymd_opt(2027, 1, 1).unwrap())
    );
    assert!(first_kept(day(8, 31)) <= month_of(day(7, 31)).0);
}

#[test]
fn a_change_that_is_said_again_changes_nothing_more() {
    let budget = CallBudget::of(10, 0);
    let book = count(1, CountChange::Book { calls: 4, budget });
    let (once, told) = book.apply(DayCount::default(), CallsCounted::default());
    assert_eq!((once.calls, told.booked), (4, 4));
    assert_eq!(book.apply(once, told.counted), (once, told));
    let settle = count(1, CountChange::Settle { made: 3 });
    let (settled, told) = settle.apply(once, told.counted);
    assert_eq!((settled.calls, told.counted.day), (3, 3));
    assert_eq!(settle.apply(settled, told.counted), (settled, told));
}

#[test]
fn a_booking_that_was_followed_by_another_gives_nothing_back() {
    let budget = CallBudget::of(10, 0);
    let book = |booking| count(booking, CountChange::Book { calls: 4, budget });
    let (first, told) = book(1).apply(DayCount::default(), CallsCounted::default());
    let (second, told) = book(2).apply(first, told.counted);
    assert_eq!((second.calls, told.booked), (8, 4));
    let late = count(1, CountChange::Settle { made: 0 });
    assert_eq!(late.apply(second, told.counted).0, second);
}

#[test]
fn calls_of_other_days_count_in_the_month() {
    let budget = CallBudget::of(0, 100);
    let book = count(1, CountChange::Book { calls: 9, budget });
    let (after, told) = book.apply(DayCount::default(), counted(0, 96));
    assert_eq!((after.calls, told.booked), (4, 4));
    assert_eq!(told.counted, counted(4, 100));
}

/// A sync: it books up to so many calls, makes some of what it was granted, and ends or dies.
fn syncs() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    prop::collection::vec((0..30_u64, 0..30_u64, any::<bool>()), 1..12)
}

proptest! {
    #[test]
    fn whatever_syncs_do_and_whenever_they_die_no_budget_is_exceeded(
        per_day in 1..60_u64, per_month in 0..90_u64, before in 0..50_u64, syncs in syncs(),
    ) {
        let budget = CallBudget::of(per_day, per_month);
        let (mut stored, mut made) = (DayCount::default(), 0);
        for (number, (wanted, tried, dies)) in syncs.into_iter().enumerate() {
            let number = i64::try_from(number).unwrap();
            let counted = CallsCounted { day: stored.calls, month: stored.calls + before };
            let book = count(number, CountChange::Book { calls: wanted, budget });
            let (booked, told) = book.apply(stored, counted);
            let calls = tried.min(told.booked);
            made += calls;
            stored = booked;
            if !dies {
                let settle = count(number, CountChange::Settle { made: calls });
                stored = settle.apply(stored, told.counted).0;
            }
            prop_assert!(made <= stored.calls, "what was made is counted");
            prop_assert!(made <= per_day);
            prop_assert!(per_month == 0 || made + before.min(per_month) <= per_month);
        }
    }
}
