//! Promises about the count of calls.

use carrier_sync::budget::{Booking, CallBudget, CallCount, CallsCounted, CountChange, CountState};
use carrier_sync::store::NotRecorded;
use chrono::NaiveDate;
use futures_util::future::join_all;

use crate::store::fleet::*;

const MADE: fn(u64) -> CountChange = |made| CountChange::Settle { made };

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap()
}

/// So many in all, of `per_day` and a thousand per month.
fn book(calls: u64, per_day: u64) -> CountChange {
    let budget = CallBudget::of(per_day, 1_000);
    CountChange::Book { calls, budget }
}

/// Of tenant t's account i on the 23rd of November.
fn count(booking: i64, change: CountChange) -> CallCount {
    CallCount {
        tenant_id: tenant("t"),
        integration_id: integration("i"),
        epoch: None,
        day: day(11, 23),
        booking: Booking(booking),
        change,
    }
}

async fn told(fleet: &Fleet, count: CallCount) -> (u64, u64, u64) {
    let answers = fleet.service.count_calls(&[count]).await.unwrap();
    let [
        Ok(CountState {
            booked,
            counted: CallsCounted { day, month },
        }),
    ] = answers[..]
    else {
        panic!("{answers:?}");
    };
    (booked, day, month)
}

pub async fn a_booking_holds_what_was_asked_for_or_what_is_left(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    assert_eq!(told(fleet, count(1, book(4, 10))).await, (4, 4, 4));
    assert_eq!(told(fleet, count(1, book(7, 10))).await, (7, 7, 7));
    assert_eq!(told(fleet, count(2, book(4, 10))).await, (3, 10, 10));
    assert_eq!(told(fleet, count(3, book(4, 10))).await, (0, 10, 10));
    assert_eq!(told(fleet, count(3, book(4, 0))).await, (4, 14, 14));
}

pub async fn what_was_not_made_is_given_back_once(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let nothing_yet = told(fleet, count(1, MADE(0))).await;
    assert_eq!(nothing_yet, (0, 0, 0));
    told(fleet, count(1, book(9, 10))).await;
    for _ in 0..2 {
        assert_eq!(told(fleet, count(1, MADE(2))).await, (0, 2, 2));
    }
    told(fleet, count(2, book(5, 10))).await;
    told(fleet, count(3, book(1, 10))).await;
    let followed = told(fleet, count(2, MADE(0))).await;
    assert_eq!(followed, (0, 8, 8), "another has booked since");
}

pub async fn saying_it_again_books_nothing_more(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    for _ in 0..3 {
        assert_eq!(told(fleet, count(1, book(4, 10))).await, (4, 4, 4));
    }
    let twice = [count(1, book(6, 10)), count(1, book(6, 10))];
    let answers = fleet.service.count_calls(&twice).await.unwrap();
    assert_eq!(answers[0], answers[1]);
    assert_eq!(told(fleet, count(1, MADE(6))).await, (0, 6, 6));
}

pub async fn the_days_of_a_month_add_up_and_old_ones_are_forgotten(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let on = |booking, day, change| CallCount {
        day,
        ..count(booking, change)
    };
    let days = [(1, 9, 1), (2, 10, 31), (3, 11, 1), (4, 11, 30), (5, 12, 1)];
    for (booking, month, of_month) in days {
        told(fleet, on(booking, day(month, of_month), book(10, 0))).await;
        told(fleet, on(booking, day(month, of_month), MADE(7))).await;
    }
    let november = told(fleet, count(6, MADE(0))).await;
    assert_eq!(november, (0, 0, 14), "neither October nor December");
    let december = told(fleet, on(7, day(12, 31), book(1, 0))).await;
    assert_eq!(december, (1, 1, 8));
    let september = told(fleet, on(8, day(9, 1), MADE(0))).await;
    assert_eq!(september, (0, 0, 0), "forgotten");
    let november = told(fleet, count(9, MADE(0))).await;
    assert_eq!(november, (0, 0, 14), "the month before is not");
}

pub async fn each_integration_counts_for_itself(fleet: &Fleet) {
    for (owner, id) in [("t", "i"), ("t", "k"), ("u", "j")] {
        fleet.bare_account(owner, id).await;
    }
    let of = |owner: &str, id: &str| CallCount {
        tenant_id: tenant(owner),
        integration_id: integration(id),
        ..count(1, book(4, 10))
    };
    // Not in the order of their keys.
    let counts = [of("u", "j"), of("t", "k"), of("u", "i"), of("t", "i")];
    let answers = fleet.service.count_calls(&counts).await.unwrap();
    let four = CountState {
        booked: 4,
        counted: CallsCounted { day: 4, month: 4 },
    };
    let expected = [Ok(four), Ok(four), Err(NotRecorded::Gone), Ok(four)];
    assert_eq!(answers, expected, "i is another tenant's");
}

pub async fn bookings_at_once_never_exceed_the_budget(fleet: &Fleet) {
    fleet.bare_account("t", "i").await;
    let bookings = (0..20).map(|booking| told(fleet, count(booking, book(3, 10))));
    let booked: Vec<_> = join_all(bookings).await;
    let booked: u64 = booked.iter().map(|(booked, ..)| booked).sum();
    assert_eq!(booked, 10);
}

pub async fn calls_of_a_removed_integration_are_not_booked_and_its_count_goes_with_it(
    fleet: &Fleet,
) {
    fleet.bare_account("t", "i").await;
    told(fleet, count(1, book(4, 10))).await;
    fleet
        .admin
        .remove_integration(&integration("i"))
        .await
        .unwrap();
    let answers = fleet.service.count_calls(&[count(2, book(4, 10))]).await;
    assert_eq!(answers.unwrap(), [Err(NotRecorded::Gone)]);
    fleet.bare_account("t", "i").await;
    assert_eq!(told(fleet, count(3, book(4, 10))).await, (4, 4, 4));
}
