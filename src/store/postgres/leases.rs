//! Leases on Postgres, on a connection of their own: a heartbeat must not wait behind the syncs.
//!
//! The rules that make an owner the only one, all enforced here:
//!
//! * A lease holds for as long as its owner's row is there. Only the row's removal frees it, and the
//!   removal locks the row: it cannot pass a renewal that is under way, nor the other way round.
//! * An owner is dead when a statement has found no row of its name; names are never used again, so it
//!   stays dead. Free is what has no owner or one of *those*: an owner that has come since is none.
//! * A claim takes `FOR UPDATE`, which a write of the present owner (`FOR KEY SHARE`) excludes: the
//!   epoch cannot change between the check of a write and its commit. What is locked is skipped, and
//!   taken at the next beat.
//!
//! Each call is one transaction with nothing left on the session, so that a pooler may stand between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Row, query, query_as, query_scalar};
use tokio::time::timeout;

use super::error::{classify, for_service};
use super::scope::{Limits, Scope, enter};
use super::{connection_of, is_pooled, settle};
use crate::device::IntegrationId;
use crate::store::leases::{Census, Lease, Leases, LiveProcess, Lot, Process, ProcessId};
use crate::store::{StoreError, StoreOptions};
use crate::tenure::Epoch;

/// One connection to the database that several processes share.
#[derive(Debug)]
pub(in crate::store) struct PostgresLeases {
    pool: PgPool,
    limits: Limits,
    /// The longest that a call may take; then its connection is given up for a new one.
    patience: Duration,
}

impl PostgresLeases {
    /// Connects to nothing yet.
    pub(in crate::store) fn connect(
        options: &StoreOptions,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let connection = connection_of(options)?;
        let limits = Limits::new(
            options.statement_timeout.min(patience),
            options.lock_timeout.min(patience),
            is_pooled(options.url.expose_secret()),
        );
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(options.acquire_timeout.min(patience))
            .connect_lazy_with(connection);
        Ok(Self {
            pool,
            limits,
            patience,
        })
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.pool.acquire().await.map_err(|e| classify(&e))
    }

    /// Runs one transaction over all tenants' rows, at most for as long as our patience lasts.
    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.acquire().await?;
        let done = async {
            let mut transaction = connection.begin().await.map_err(|e| classify(&e))?;
            enter(&mut transaction, &self.limits, Scope::AllTenants).await?;
            let done = work(&mut transaction).await?;
            transaction.commit().await.map_err(|e| classify(&e))?;
            Ok(done)
        };
        let done = timeout(self.patience, done).await;
        settle(connection, done).map_err(for_service)
    }
}

#[async_trait]
impl Leases for PostgresLeases {
    async fn register(&self, process: &Process, lease: Duration) -> Result<(), StoreError> {
        self.transaction(async |transaction| {
            query(
                "INSERT INTO carrier_sync_processes \
                    (process_id, address, shares, renewed_at, expires_at) \
                 VALUES ($1, $2, $3, clock_timestamp(), \
                         clock_timestamp() + $4 * interval '1 millisecond')",
            )
            .bind(process.id.as_str())
            .bind(&process.address)
            .bind(process.shares)
            .bind(milliseconds(lease))
            .execute(transaction)
            .await
            .map_err(|e| classify(&e))
            .map(drop)
        })
        .await
    }

    async fn renew(&self, id: &ProcessId, lease: Duration) -> Result<Option<Census>, StoreError> {
        self.transaction(async |transaction| {
            let renewed = query(
                "UPDATE carrier_sync_processes \
                 SET renewed_at = clock_timestamp(), \
                     expires_at = clock_timestamp() + $2 * interval '1 millisecond' \
                 WHERE process_id = $1 AND expires_at > clock_timestamp()",
            )
            .bind(id.as_str())
            .bind(milliseconds(lease))
            .execute(&mut *transaction)
            .await
            .map_err(|e| classify(&e))?;
            if renewed.rows_affected() == 0 {
                return Ok(None);
            }
            remove_who_has_run_out(transaction).await?;
            census(transaction).await.map(Some)
        })
        .await
    }

    async fn claim(
        &self,
        id: &ProcessId,
        lots: &[Lot],
    ) -> Result<Vec<(IntegrationId, Epoch)>, StoreError> {
        self.transaction(async |transaction| {
            if !is_registered(transaction, id).await? {
                return Ok(Vec::new());
            }
            let wanted: Vec<&str> = lots.iter().flatten().map(IntegrationId::as_str).collect();
            let free = lock_free(transaction, &wanted).await?;
            let whole = lots
                .iter()
                .filter(|lot| lot.iter().all(|id| free.contains(id.as_str())));
            let taken: Vec<&str> = whole.flatten().map(IntegrationId::as_str).collect();
            take(transaction, id, &taken).await
        })
        .await
    }

    async fn release(
        &self,
        id: &ProcessId,
        integrations: &[IntegrationId],
    ) -> Result<(), StoreError> {
        let integrations: Vec<&str> = integrations.iter().map(IntegrationId::as_str).collect();
        self.transaction(async |transaction| {
            query(
                "UPDATE carrier_integrations SET lease_owner = NULL \
                 WHERE id::text = ANY ($1) AND lease_owner = $2",
            )
            .bind(&integrations)
            .bind(id.as_str())
            .execute(transaction)
            .await
            .map_err(|e| classify(&e))
            .map(drop)
        })
        .await
    }

    /// Without its row an owner owns nothing, so the leases need not be touched.
    async fn leave(&self, id: &ProcessId) -> Result<(), StoreError> {
        self.transaction(async |transaction| {
            query("DELETE FROM carrier_sync_processes WHERE process_id = $1")
                .bind(id.as_str())
                .execute(transaction)
                .await
                .map_err(|e| classify(&e))
                .map(drop)
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// A row that is being renewed is locked, and so skipped.
async fn remove_who_has_run_out(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let removed: Vec<(String, String)> = query_as(
        "DELETE FROM carrier_sync_processes WHERE process_id IN ( \
            SELECT process_id FROM carrier_sync_processes \
            WHERE expires_at <= clock_timestamp() FOR UPDATE SKIP LOCKED) \
         RETURNING process_id, address",
    )
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    for (_, address) in removed {
        tracing::warn!(
            address,
            "a process has not renewed its leases in time; others take over"
        );
    }
    Ok(())
}

async fn census(transaction: &mut PgConnection) -> Result<Census, StoreError> {
    let taken_at_us: i64 =
        query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
            .fetch_one(&mut *transaction)
            .await
            .map_err(|e| classify(&e))?;
    let live: Vec<(String, String, bool, i64)> = query_as(
        "SELECT process_id, address, shares, (extract(epoch FROM renewed_at) * 1000000)::bigint \
         FROM carrier_sync_processes ORDER BY process_id COLLATE \"C\"",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    let owners: Vec<&str> = live.iter().map(|(id, ..)| id.as_str()).collect();
    let leases = query(
        "SELECT id::text, lease_owner, lease_epoch FROM carrier_integrations \
         WHERE lease_owner = ANY ($1)",
    )
    .bind(&owners)
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(Census {
        taken_at_us,
        leases: leases.iter().filter_map(lease).collect(),
        live: live.into_iter().map(live_process).collect(),
    })
}

fn live_process((id, address, shares, renewed_at_us): (String, String, bool, i64)) -> LiveProcess {
    LiveProcess {
        process: Process {
            id: ProcessId::from_column(id),
            address,
            shares,
        },
        renewed_at_us,
    }
}

/// `None` for an integration whose own name is not one: discovery has left it out, with a warning.
fn lease(row: &PgRow) -> Option<Lease> {
    Some(Lease {
        integration: IntegrationId::parse(row.try_get(0).ok()?).ok()?,
        owner: ProcessId::from_column(row.try_get(1).ok()?),
        epoch: Epoch(row.try_get(2).ok()?),
    })
}

/// Keeps our own row until the transaction ends: what is claimed in it is ours when it commits.
async fn is_registered(transaction: &mut PgConnection, id: &ProcessId) -> Result<bool, StoreError> {
    let found: Option<i32> = query_scalar(
        "SELECT 1 FROM carrier_sync_processes \
         WHERE process_id = $1 AND expires_at > clock_timestamp() FOR KEY SHARE",
    )
    .bind(id.as_str())
    .fetch_optional(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(found.is_some())
}

/// Locks those of `wanted` that nobody owns and nobody is writing.
async fn lock_free(
    transaction: &mut PgConnection,
    wanted: &[&str],
) -> Result<BTreeSet<String>, StoreError> {
    let dead: Vec<String> = query_scalar(
        "SELECT DISTINCT i.lease_owner FROM carrier_integrations i \
         WHERE i.id::text = ANY ($1) AND i.lease_owner IS NOT NULL AND NOT EXISTS ( \
            SELECT FROM carrier_sync_processes p WHERE p.process_id = i.lease_owner)",
    )
    .bind(wanted)
    .fetch_all(&mut *transaction)
    .await
    .map_err(|e| classify(&e))?;
    let free: Vec<String> = query_scalar(
        "SELECT id::text FROM carrier_integrations \
         WHERE id::text = ANY ($1) AND (lease_owner IS NULL OR lease_owner = ANY ($2)) \
         FOR UPDATE SKIP LOCKED",
    )
    .bind(wanted)
    .bind(&dead)
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    Ok(free.into_iter().collect())
}

async fn take(
    transaction: &mut PgConnection,
    id: &ProcessId,
    integrations: &[&str],
) -> Result<Vec<(IntegrationId, Epoch)>, StoreError> {
    let taken: Vec<(String, i64)> = query_as(
        "UPDATE carrier_integrations SET lease_owner = $2, lease_epoch = lease_epoch + 1 \
         WHERE id::text = ANY ($1) RETURNING id::text, lease_epoch",
    )
    .bind(integrations)
    .bind(id.as_str())
    .fetch_all(transaction)
    .await
    .map_err(|e| classify(&e))?;
    let taken: BTreeMap<_, _> = taken.into_iter().collect();
    Ok(taken
        .into_iter()
        .filter_map(|(id, epoch)| Some((IntegrationId::parse(&id).ok()?, Epoch(epoch))))
        .collect())
}

fn milliseconds(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}
