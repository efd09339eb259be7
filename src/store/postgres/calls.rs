//! What integrations have called: booked before, settled after, a few small statements per change.
//!
//! A booking holds its day's row from its first statement on, so that two never look at the same count. The
//! lease is looked at as a write of devices does it: a claim comes before and is seen, or after.

use sqlx::{PgConnection, query, query_as, query_scalar};

use super::error::classify;
use super::scope::{Limits, Scope, confine, enter};
use crate::budget::{
    Booking, CallCount, CallsCounted, CountChange, CountState, DayCount, first_kept, month_of,
};
use crate::device::TenantId;
use crate::store::{LeaseLost, NotRecorded, StoreError};

pub(super) async fn count(
    connection: &mut PgConnection,
    limits: &Limits,
    counts: &[CallCount],
) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
    let mut answers = vec![Err(NotRecorded::Gone); counts.len()];
    let mut transaction = sqlx::Connection::begin(connection)
        .await
        .map_err(|e| classify(&e))?;
    let mut confined: Option<&TenantId> = None;
    for place in in_order(counts) {
        let count = &counts[place];
        match confined.replace(&count.tenant_id) {
            Some(same) if *same == count.tenant_id => {}
            Some(_) => confine(&mut transaction, &count.tenant_id).await?,
            None => enter(&mut transaction, limits, Scope::Tenant(&count.tenant_id)).await?,
        }
        answers[place] = count_one(&mut transaction, count).await?;
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(answers)
}

/// By tenant, then by integration, the order in which rows are locked; of one, in the order of arrival.
fn in_order(counts: &[CallCount]) -> Vec<usize> {
    let mut places: Vec<_> = (0..counts.len()).collect();
    let key = |place: &usize| {
        let count = &counts[*place];
        (&count.tenant_id, &count.integration_id)
    };
    places.sort_by(|a, b| key(a).cmp(&key(b)));
    places
}

async fn count_one(
    transaction: &mut PgConnection,
    count: &CallCount,
) -> Result<Result<CountState, NotRecorded>, StoreError> {
    let stored = match count.change {
        CountChange::Book { .. } => match held_day(transaction, count).await? {
            Some(day) => day,
            None => return why_not(transaction, count).await.map(Err),
        },
        CountChange::Settle { .. } => stored_day(transaction, count).await?,
    };
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

type Row = (i64, Option<i64>, i64);

fn day_count((calls, booking, booked): Row) -> DayCount {
    DayCount {
        calls: unsigned(calls),
        booking: booking.map(Booking),
        booked: unsigned(booked),
    }
}

/// The day's row, made where it is missing, and locked; `None` when the integration is not ours.
async fn held_day(
    transaction: &mut PgConnection,
    count: &CallCount,
) -> Result<Option<DayCount>, StoreError> {
    let row: Option<Row> = query_as(
        "INSERT INTO carrier_calls AS c (tenant_id, integration_id, day) \
         SELECT i.tenant_id, i.id::text, $3 FROM carrier_integrations AS i \
         WHERE i.tenant_id = $1 AND i.id::text = $2 AND ($4 IS NULL OR i.lease_epoch = $4) \
         FOR KEY SHARE OF i \
         ON CONFLICT (tenant_id, integration_id, day) DO UPDATE SET calls = c.calls \
         RETURNING calls, booking, booked",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(count.day)
    .bind(count.epoch.map(|epoch| epoch.0))
    .fetch_optional(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(row.map(day_count))
}

/// The day's row as it is, locked; where there is none, nothing was booked.
async fn stored_day(
    transaction: &mut PgConnection,
    count: &CallCount,
) -> Result<DayCount, StoreError> {
    let row: Option<Row> = query_as(
        "SELECT calls, booking, booked FROM carrier_calls \
         WHERE tenant_id = $1 AND integration_id = $2 AND day = $3 FOR UPDATE",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(count.day)
    .fetch_optional(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(row.map(day_count).unwrap_or_default())
}

async fn calls_of_month(
    transaction: &mut PgConnection,
    count: &CallCount,
) -> Result<u64, StoreError> {
    let (first, next) = month_of(count.day);
    query_scalar(
        "SELECT COALESCE(sum(calls), 0)::bigint FROM carrier_calls \
         WHERE tenant_id = $1 AND integration_id = $2 AND day >= $3 AND day < $4",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(first)
    .bind(next)
    .fetch_one(transaction)
    .await
    .map(unsigned)
    .map_err(|e| classify(&e))
}

async fn keep(
    transaction: &mut PgConnection,
    count: &CallCount,
    day: DayCount,
) -> Result<(), StoreError> {
    query(
        "UPDATE carrier_calls SET calls = $4, booking = $5, booked = $6 \
         WHERE tenant_id = $1 AND integration_id = $2 AND day = $3",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .bind(count.day)
    .bind(signed(day.calls))
    .bind(day.booking.map(|booking| booking.0))
    .bind(signed(day.booked))
    .execute(transaction)
    .await
    .map(drop)
    .map_err(|e| classify(&e))
}

async fn forget_old_days(
    transaction: &mut PgConnection,
    count: &CallCount,
) -> Result<(), StoreError> {
    query("DELETE FROM carrier_calls WHERE tenant_id = $1 AND integration_id = $2 AND day < $3")
        .bind(count.tenant_id.as_str())
        .bind(count.integration_id.as_str())
        .bind(first_kept(count.day))
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| classify(&e))
}

/// An integration that is there has another owner.
async fn why_not(
    transaction: &mut PgConnection,
    count: &CallCount,
) -> Result<NotRecorded, StoreError> {
    let is_there: bool = query_scalar(
        "SELECT EXISTS (SELECT FROM carrier_integrations WHERE tenant_id = $1 AND id::text = $2)",
    )
    .bind(count.tenant_id.as_str())
    .bind(count.integration_id.as_str())
    .fetch_one(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(match is_there {
        true => NotRecorded::LeaseLost(LeaseLost),
        false => NotRecorded::Gone,
    })
}

/// A stored count below zero is no one's; nothing was called.
fn unsigned(calls: i64) -> u64 {
    u64::try_from(calls).unwrap_or(0)
}

fn signed(calls: u64) -> i64 {
    i64::try_from(calls).unwrap_or(i64::MAX)
}
