//! What integrations have called: booked before, settled after. The transaction holds the write lock from
//! its beginning, so nobody counts beside it.

use sqlx::{Connection, SqliteConnection, query, query_as, query_scalar};

use super::error::classify;
use crate::budget::{
    Booking, CallCount, CallsCounted, CountChange, CountState, DayCount, first_kept, month_of,
};
use crate::store::{NotRecorded, StoreError};

pub(super) async fn count(
    connection: &mut SqliteConnection,
    counts: &[CallCount],
) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|e| classify(&e))?;
    let mut answers = Vec::with_capacity(counts.len());
    for count in counts {
        answers.push(count_one(&mut transaction, count).await?);
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(answers)
}

async fn count_one(
    transaction: &mut SqliteConnection,
    count: &CallCount,
) -> Result<Result<CountState, NotRecorded>, StoreError> {
    let books = matches!(count.change, CountChange::Book { .. });
    if books && !is_there(transaction, count).await? {
        return Ok(Err(NotRecorded::Gone));
    }
    let stored = stored_day(transaction, count).await?;
    let counted = CallsCounted {
        day: stored.calls,
        month: calls_of_month(transaction, count).await?,
    };
    let (changed, state) = count.apply(stored, counted);
    if changed != stored {
        keep(transaction, count, changed).await?;
    }
    if changed.booking.is_some() && changed.booking != stored.booking {
        forget_old_days(transaction, count).await?;
    }
    Ok(Ok(state))
}

async fn is_there(
    transaction: &mut SqliteConnection,
    count: &CallCount,
) -> Result<bool, StoreError> {
    query_scalar(
        "SELECT EXISTS (SELECT 1 FROM carrier_integrations WHERE tenant_id = ?1 AND id = ?2)",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .fetch_one(transaction)
    .await
    .map_err(|e| classify(&e))
}

async fn stored_day(
    transaction: &mut SqliteConnection,
    count: &CallCount,
) -> Result<DayCount, StoreError> {
    let row: Option<(i64, Option<i64>, i64)> = query_as(
        "SELECT calls, booking, booked FROM carrier_calls \
         WHERE tenant_id = ?1 AND integration_id = ?2 AND day = ?3",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(count.day.to_string())
    .fetch_optional(transaction)
    .await
    .map_err(|e| classify(&e))?;
    let day = row.map(|(calls, booking, booked)| DayCount {
        calls: unsigned(calls),
        booking: booking.map(Booking),
        booked: unsigned(booked),
    });
    Ok(day.unwrap_or_default())
}

async fn calls_of_month(
    transaction: &mut SqliteConnection,
    count: &CallCount,
) -> Result<u64, StoreError> {
    let (first, next) = month_of(count.day);
    query_scalar(
        "SELECT COALESCE(sum(calls), 0) FROM carrier_calls \
         WHERE tenant_id = ?1 AND integration_id = ?2 AND day >= ?3 AND day < ?4",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(first.to_string())
    .bind(next.to_string())
    .fetch_one(transaction)
    .await
    .map(unsigned)
    .map_err(|e| classify(&e))
}

async fn keep(
    transaction: &mut SqliteConnection,
    count: &CallCount,
    day: DayCount,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO carrier_calls (tenant_id, integration_id, day, calls, booking, booked) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (tenant_id, integration_id, day) DO UPDATE SET \
            calls = excluded.calls, booking = excluded.booking, booked = excluded.booked",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(count.day.to_string())
    .bind(signed(day.calls))
    .bind(day.booking.map(|booking| booking.0))
    .bind(signed(day.booked))
    .execute(transaction)
    .await
    .map(drop)
    .map_err(|e| classify(&e))
}

async fn forget_old_days(
    transaction: &mut SqliteConnection,
    count: &CallCount,
) -> Result<(), StoreError> {
    query("DELETE FROM carrier_calls WHERE tenant_id = ?1 AND integration_id = ?2 AND day < ?3")
        .bind(count.tenant_id.as_str())
        .bind(count.integration_id.as_str())
        .bind(first_kept(count.day).to_string())
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| classify(&e))
}

/// A stored count below zero is no one's; nothing was called.
fn unsigned(calls: i64) -> u64 {
    u64::try_from(calls).unwrap_or(0)
}

fn signed(calls: u64) -> i64 {
    i64::try_from(calls).unwrap_or(i64::MAX)
}
