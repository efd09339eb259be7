//! A single round of syncs: which integrations, each once, beside whoever else has the database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::task::AbortOnDropHandle;

use super::{App, AppError};
use crate::actors::attempt::Attempt;
use crate::actors::messages::Drain;
use crate::actors::round::{self, Claimed};
use crate::actors::{LeaseKeeper, WriterHandle};
use crate::device::IntegrationId;
use crate::integration::IntegrationRow;
use crate::shutdown::Stop;
use crate::store::StoreError;
use crate::sync::{Halt, Observer, SyncReport};
use crate::tenure::Tenure;

impl App {
    /// The integrations of one round: those named, or all whose timer is on.
    ///
    /// # Errors
    /// [`AppError`] when one that was named is not there or not enabled.
    pub async fn choose(&self, named: &[IntegrationId]) -> Result<Vec<IntegrationRow>, AppError> {
        let rows = self.store.integrations().await?;
        if named.is_empty() {
            return Ok(rows
                .into_iter()
                .filter(|row| row.enabled && row.sync_enabled)
                .collect());
        }
        let named: BTreeSet<_> = named.iter().collect();
        let chosen: Vec<_> = rows
            .into_iter()
            .filter(|row| named.contains(&row.id))
            .collect();
        let found: BTreeSet<_> = chosen.iter().map(|row| &row.id).collect();
        if let Some(unknown) = named.difference(&found).next() {
            return Err(AppError::UnknownIntegration((*unknown).clone()));
        }
        match chosen.iter().find(|row| !row.enabled) {
            Some(row) => Err(AppError::NotEnabled(row.id.clone())),
            None => Ok(chosen),
        }
    }

    /// Syncs each of `rows` once, now, each with an observer of its own; `told` hears each report as it
    /// comes. Needs an actix system.
    ///
    /// All have been written and recorded when it returns. What another process holds is left to it, and
    /// reported as an error that says so.
    ///
    /// # Errors
    /// [`StoreError`] when nothing could be claimed.
    pub async fn sync_once(
        &self,
        rows: Vec<IntegrationRow>,
        observe: &dyn Fn() -> Arc<dyn Observer>,
        stop: &Stop,
        mut told: impl FnMut(&SyncReport),
    ) -> Result<Vec<SyncReport>, StoreError> {
        let keeper = self.keeper(false);
        let claimed = self.claim(keeper.as_deref(), &rows).await?;
        let _beating = keeper.clone().map(|keeper| {
            AbortOnDropHandle::new(tokio::spawn(round::keep_beating(
                keeper,
                Arc::clone(&self.builder),
            )))
        });
        let mut reports = Vec::new();
        for row in &rows {
            if let Some(reason) = claimed.others.get(&row.id) {
                let report = self.left_to_others(row, reason);
                told(&report);
                reports.push(report);
            }
        }
        let writer = self.spawn_writer();
        let attempts = rows
            .iter()
            .filter_map(|row| Some((row, claimed.ours.get(&row.id)?)))
            .map(|(row, tenure)| self.attempt(row, tenure, &writer, observe(), stop));
        let mut ended = std::pin::pin!(attempts.collect::<FuturesUnordered<_>>());
        while let Some(report) = ended.next().await {
            told(&report);
            reports.push(report);
        }
        let _ = writer.address().send(Drain).await;
        if let Some(keeper) = keeper {
            keeper.leave().await;
        }
        Ok(reports)
    }

    /// What of `rows` this process may sync.
    async fn claim(
        &self,
        keeper: Option<&LeaseKeeper>,
        rows: &[IntegrationRow],
    ) -> Result<Claimed, StoreError> {
        let chosen = rows.iter().map(|row| row.id.clone());
        let Some(keeper) = keeper else {
            return Ok(Claimed {
                ours: chosen.map(|id| (id, Tenure::sole())).collect(),
                ..Claimed::default()
            });
        };
        let all = self.store.integrations().await?;
        round::claim(keeper, &chosen.collect(), &all, &self.builder).await
    }

    /// The report of a sync that is another process's to make.
    fn left_to_others(&self, row: &IntegrationRow, reason: &str) -> SyncReport {
        let names = (
            row.id.clone(),
            row.tenant_id.clone(),
            row.carrier_name.clone(),
        );
        let times = (self.clock.now(), Duration::ZERO);
        let mut report = SyncReport::failed_whole(names, times, 0, Halt::LeaseLost);
        report.error = Some(reason.to_owned());
        report
    }

    async fn attempt(
        &self,
        row: &IntegrationRow,
        tenure: &Tenure,
        writer: &WriterHandle,
        observer: Arc<dyn Observer>,
        stop: &Stop,
    ) -> SyncReport {
        let job = match self.builder.build(row, tenure.clone()) {
            Ok(job) => Arc::new(job),
            Err(misconfigured) => {
                let reason = misconfigured.0;
                return self.not_begun(row, tenure, writer, reason).await;
            }
        };
        // Told to stop, it is over at once, slot or not.
        let _slot = tokio::select! {
            slot = self.slots.take(&job) => Some(slot),
            () = stop.asked.cancelled() => None,
        };
        let attempt = Attempt {
            store: Arc::clone(&self.store),
            writer: writer.clone(),
            job,
            observer,
            stop: stop.asked.clone(),
            start_late: None,
        };
        attempt.make().await
    }

    async fn not_begun(
        &self,
        row: &IntegrationRow,
        tenure: &Tenure,
        writer: &WriterHandle,
        reason: String,
    ) -> SyncReport {
        let names = (
            row.id.clone(),
            row.tenant_id.clone(),
            row.carrier_name.clone(),
        );
        let times = (self.clock.now(), Duration::ZERO);
        let report = SyncReport::failed_whole(names, times, 0, Halt::Misconfigured { reason });
        if let Some(record) = report.record(tenure.epoch())
            && let Err(error) = writer.record(record).await
        {
            tracing::error!(integration.id = %row.id, %error, "the outcome could not be recorded");
        }
        report
    }
}
