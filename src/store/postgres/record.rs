//! What the service writes of integrations: how syncs ended, one statement per tenant, and with it their runs.
//!
//! The update itself is the fence: it takes the row's lock and looks at the epoch under it, so a claim
//! comes before it and is seen, or after it.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, query_scalar};

use super::error::classify;
use super::runs;
use super::scope::{Limits, Scope, begin_writing, confine, enter};
use crate::device::TenantId;
use crate::integration::Outcome;
use crate::runs::{Retention, SyncRecord};
use crate::store::{LeaseLost, NotRecorded, StoreError};

/// Records of one tenant, each of another integration, with their places among all.
type Group<'a> = Vec<(usize, &'a SyncRecord)>;

pub(super) async fn record(
    connection: &mut PgConnection,
    limits: &Limits,
    records: &[SyncRecord],
    retention: Retention,
) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
    let mut answers = vec![Ok(()); records.len()];
    let mut transaction = begin_writing(connection).await?;
    let mut confined: Option<&TenantId> = None;
    for group in groups(records) {
        let tenant = &group[0].1.tenant_id;
        match confined.replace(tenant) {
            Some(same) if same == tenant => {}
            Some(_) => confine(&mut transaction, tenant).await?,
            None => enter(&mut transaction, limits, Scope::Tenant(tenant)).await?,
        }
        for (place, why) in update(&mut transaction, tenant, &group).await? {
            answers[place] = Err(why);
        }
        let recorded = group.iter().filter(|(place, _)| answers[*place].is_ok());
        let recorded: Vec<_> = recorded.map(|(_, record)| *record).collect();
        runs::keep(&mut transaction, tenant, &recorded, retention).await?;
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(answers)
}

/// By tenant, then by integration, the order in which rows are locked. An integration's second record
/// goes into a statement after that of its first: one that meets a row twice would pick either.
fn groups(records: &[SyncRecord]) -> Vec<Group<'_>> {
    let mut seen = HashMap::new();
    let mut sorted: Vec<_> = records
        .iter()
        .enumerate()
        .map(|(place, record)| {
            let times = seen
                .entry((&record.tenant_id, &record.integration_id))
                .or_insert(0_usize);
            *times += 1;
            ((&record.tenant_id, *times), (place, record))
        })
        .collect();
    sorted.sort_by_key(|(key, (_, record))| (*key, &record.integration_id));
    sorted
        .chunk_by(|a, b| a.0 == b.0)
        .map(|group| group.iter().map(|(_, member)| *member).collect())
        .collect()
}

/// Answers the records that matched nothing.
const UPDATE: &str = "\
    WITH recorded AS ( \
        UPDATE carrier_integrations AS c SET \
            last_sync_at = COALESCE(u.started_at, c.last_sync_at), \
            last_success_at = CASE WHEN u.is_success \
                                   THEN COALESCE(u.started_at, c.last_success_at) \
                                   ELSE c.last_success_at END, \
            last_sync_status = u.status, last_sync_error = u.error, updated_at = now() \
        FROM UNNEST($2::text[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[], \
                    $7::text[]) WITH ORDINALITY \
             AS u (id, epoch, started_at, is_success, status, error, position) \
        WHERE c.tenant_id = $1 AND c.id::text = u.id \
          AND (u.epoch IS NULL OR c.lease_epoch = u.epoch) \
        RETURNING u.position \
    ) \
    SELECT position FROM generate_series(1, cardinality($2::text[])::bigint) AS position \
    EXCEPT SELECT position FROM recorded";

async fn update(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    group: &Group<'_>,
) -> Result<Vec<(usize, NotRecorded)>, StoreError> {
    fn each<'a, T>(group: &Group<'a>, field: impl Fn(&'a SyncRecord) -> T) -> Vec<T> {
        group.iter().map(|(_, record)| field(record)).collect()
    }
    let positions: Vec<i64> = query_scalar(UPDATE)
        .bind(tenant.as_str())
        .bind(each(group, |record| record.integration_id.as_str()))
        .bind(each(group, |record| record.epoch.map(|epoch| epoch.0)))
        .bind(each(group, |record| record.started_at()))
        .bind(each(group, |record| record.outcome == Outcome::Success))
        .bind(each(group, |record| record.outcome.as_str()))
        .bind(each(group, |record| record.error.as_deref().map(storable)))
        .fetch_all(&mut *transaction)
        .await
        .map_err(|e| classify(&e))?;
    // Positions count from one and never exceed the number of records.
    let refused = positions
        .into_iter()
        .filter_map(|p| usize::try_from(p - 1).ok());
    let refused: Vec<_> = refused.map(|index| group[index]).collect();
    explain(transaction, tenant, refused).await
}

/// A carrier's words may hold a NUL, which no Postgres text can.
pub(super) fn storable(error: &str) -> String {
    error.replace('\0', "\u{FFFD}")
}

/// An integration that is there has another owner.
async fn explain(
    transaction: &mut PgConnection,
    tenant: &TenantId,
    refused: Group<'_>,
) -> Result<Vec<(usize, NotRecorded)>, StoreError> {
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = refused
        .iter()
        .map(|(_, record)| record.integration_id.as_str())
        .collect();
    let there: Vec<String> = query_scalar(
        "SELECT id::text FROM carrier_integrations WHERE tenant_id = $1 AND id::text = ANY ($2)",
    )
    .bind(tenant.as_str())
    .bind(ids)
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    let there: HashSet<_> = there.into_iter().collect();
    let why = |record: &SyncRecord| match there.contains(record.integration_id.as_str()) {
        true => NotRecorded::LeaseLost(LeaseLost),
        false => NotRecorded::Gone,
    };
    Ok(refused
        .into_iter()
        .map(|(place, record)| (place, why(record)))
        .collect())
}
