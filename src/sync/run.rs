//! One sync, from the linked devices to the report.
//!
//! ```text
//!  linked devices ─► bulk usage ─► book ─┐
//!                                        ├─► merge ─► outbox ─► writer ─► report
//!                    bulk listing ───────┘     ▲
//!                    what it left out, one by one
//! ```
//!
//! The usage report is read first and kept as a compact book; the device listing is then streamed
//! past it page by page, so each row is written once and no fleet is held whole.

use std::collections::HashSet;
use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::ask::{Ask, Reading};
use super::book::UsageBook;
use super::job::{Observer, Progress, SyncJob, UpdateSink};
use super::merge::{Merged, merge};
use super::outbox::{Outbox, Written};
use super::outcome::{Halt, SyncReport, error_text, outcome};
use super::roster::Roster;
use super::trouble::Trouble;
use crate::carriers::{Bulk, DeviceRecord, Page, Walk};
use crate::client::{CallError, CallMeter};
use crate::device::{CarrierDeviceId, DeviceUpdate, LinkedDevice};

/// Syncs one integration's `devices`. Never fails: whatever happens is in the report.
///
/// `stop` abandons the page being read, writes what is read already, and reports.
pub async fn sync(
    job: &SyncJob,
    devices: Vec<LinkedDevice>,
    sink: &dyn UpdateSink,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> SyncReport {
    let started = (job.client.clock.now(), Instant::now());
    let meter = CallMeter::new(job.policy.max_calls);
    let names = (&job.tenant_id, &job.integration_id);
    let mut run = Run {
        job,
        observer,
        stop,
        meter: &meter,
        roster: Roster::new(devices),
        outbox: Outbox::new(sink, names, job.policy.max_batch_rows),
        trouble: Trouble::default(),
        gaps: Vec::new(),
    };
    let halt = run.drive().await.err();
    let halt = run.flush(halt).await;
    run.close(halt.as_ref());
    report(job, &run.roster, &meter, started, halt)
}

fn report(
    job: &SyncJob,
    roster: &Roster,
    meter: &CallMeter,
    (started_at, started): (chrono::DateTime<chrono::Utc>, Instant),
    halt: Option<Halt>,
) -> SyncReport {
    let (devices, synced) = (roster.len(), roster.synced());
    SyncReport {
        integration_id: job.integration_id.clone(),
        tenant_id: job.tenant_id.clone(),
        carrier: job.carrier.code().to_owned(),
        started_at,
        elapsed: started.elapsed(),
        devices,
        synced,
        failures: roster.failures().to_vec(),
        api_calls: meter.calls(),
        permits_waited: meter.waited(),
        outcome: outcome(devices, synced, halt.as_ref()),
        error: error_text(devices, synced, halt.as_ref(), roster.failures()),
        halt,
    }
}

/// A sync in progress.
struct Run<'a> {
    job: &'a SyncJob,
    observer: &'a dyn Observer,
    stop: &'a CancellationToken,
    meter: &'a CallMeter,
    roster: Roster,
    outbox: Outbox<'a>,
    trouble: Trouble,
    /// Devices that the listing showed without usage, to be asked for later; bounded by policy. Kept
    /// until the end, so that a sync that is cut short still writes what the listing said of them.
    gaps: Vec<(CarrierDeviceId, Merged)>,
}

impl Run<'_> {
    async fn drive(&mut self) -> Result<(), Halt> {
        if self.roster.missing().is_empty() {
            return Ok(());
        }
        self.tell_progress();
        self.warn_of_shared_ids();
        let book = self.read_bulk_usage().await?;
        let allowance = self.read_bulk_listing(&book).await?;
        drop(book);
        self.ask_one_by_one(allowance).await
    }

    /// Reads the account's usage report. A report that cannot be read whole leaves gaps, which the
    /// listing and single calls fill.
    async fn read_bulk_usage(&mut self) -> Result<UsageBook, Halt> {
        let mut book = UsageBook::default();
        let Bulk::Listing(mut walk) = self
            .job
            .carrier
            .get_bulk_usage(&self.job.account, self.job.pages)
        else {
            return Ok(book);
        };
        loop {
            match self.next_page(&mut *walk).await? {
                Ok(Some(page)) => page.records.into_iter().for_each(|record| book.add(record)),
                Ok(None) => return Ok(book),
                Err(error) => {
                    self.warn("the usage report ended early", &error);
                    return Ok(book);
                }
            }
        }
    }

    /// Streams the account's device listing past the book. Answers how many devices may be asked for
    /// one by one afterwards.
    async fn read_bulk_listing(&mut self, book: &UsageBook) -> Result<usize, Halt> {
        let Bulk::Listing(mut walk) = self
            .job
            .carrier
            .get_bulk_device_info(&self.job.account, self.job.pages)
        else {
            return Ok(usize::MAX);
        };
        loop {
            match self.next_page(&mut *walk).await? {
                Ok(Some(page)) => self.absorb(page, book).await?,
                Ok(None) => return Ok(self.job.policy.max_fallback_calls),
                // Asking a carrier in trouble for each device would only add to its trouble.
                Err(CallError::Unavailable { reason }) => return Err(Halt::Outage { reason }),
                Err(error) => {
                    self.warn("the device listing ended early", &error);
                    return Ok(self.job.policy.max_fallback_calls);
                }
            }
        }
    }

    async fn absorb(&mut self, page: Page<DeviceRecord>, book: &UsageBook) -> Result<(), Halt> {
        let observed_at = self.job.client.clock.now();
        if !page.records.is_empty() {
            self.trouble.heard();
        }
        for record in page.records {
            if self.roster.waiting_for(&record.device).is_empty() {
                continue;
            }
            let device = record.device.clone();
            let merged = merge(record, book);
            if self.can_ask_for_usage(&merged) {
                self.gaps.push((device, merged));
                continue;
            }
            let usage = merged.usage.map_err(|gap| gap.to_string());
            self.accept(
                &device,
                Reading {
                    info: merged.info,
                    usage,
                    trouble: None,
                    observed_at,
                },
            )
            .await?;
        }
        Ok(())
    }

    fn can_ask_for_usage(&self, merged: &Merged) -> bool {
        merged.usage.is_err()
            && merged.cycle.is_some()
            && self.gaps.len() < self.job.policy.max_fallback_calls
    }

    async fn ask_one_by_one(&mut self, allowance: usize) -> Result<(), Halt> {
        let gaps = self.gaps.clone();
        let shown: HashSet<_> = gaps.iter().map(|(device, _)| device).collect();
        let mut missing = self.roster.missing();
        missing.retain(|device| !shown.contains(device));
        let allowed = allowance.saturating_sub(gaps.len());
        let left_out = missing.len().saturating_sub(allowed);
        let asks = gaps
            .into_iter()
            .map(|(device, merged)| Ask::Usage(device, merged))
            .chain(missing.into_iter().take(allowed).map(Ask::Device));
        self.ask_all(asks.collect()).await?;
        if left_out == 0 {
            return Ok(());
        }
        Err(Halt::BudgetSpent {
            reason: format!(
                "{left_out} devices are not in the carrier's listing and were not asked for one by \
                 one (max_fallback_calls = {})",
                self.job.policy.max_fallback_calls
            ),
        })
    }

    async fn ask_all(&mut self, asks: Vec<Ask>) -> Result<(), Halt> {
        let (job, meter) = (self.job, self.meter);
        // Once the budget is spent nothing new is asked; answers under way are paid for and kept.
        let (is_spent, mut spent) = (AtomicBool::new(false), None);
        let asks = stream::iter(asks).take_while(|_| ready(!is_spent.load(Ordering::Relaxed)));
        let answers = asks.map(|ask| async move {
            let device = ask.device().clone();
            (device, ask.answer(job, meter).await)
        });
        let mut answers = pin!(answers.buffer_unordered(job.policy.max_concurrency));
        while let Some((device, answer)) = self.alongside(answers.next()).await? {
            let error = match answer {
                Ok(mut reading) => {
                    let trouble = reading.trouble.take();
                    self.accept(&device, reading).await?;
                    trouble
                }
                Err(error) => Some(error),
            };
            let Some(error) = error else {
                self.trouble.heard();
                continue;
            };
            match self.halt(&error) {
                Some(halt @ Halt::BudgetSpent { .. }) => {
                    is_spent.store(true, Ordering::Relaxed);
                    spent = Some(halt);
                    continue;
                }
                Some(halt) => return Err(halt),
                None => {}
            }
            if let Some(outage) = self.trouble.met(&error) {
                return Err(outage);
            }
            self.fail(&device, &error.to_string());
        }
        spent.map_or(Ok(()), Err)
    }

    /// Puts what is known of a device into the outbox, for every row that names it.
    async fn accept(&mut self, device: &CarrierDeviceId, reading: Reading) -> Result<(), Halt> {
        for place in self.roster.waiting_for(device) {
            match &reading.usage {
                Ok(_) => self.roster.read(place),
                Err(reason) => self.roster.fail(place, reason),
            }
            let update = DeviceUpdate {
                device_id: self.roster.device(place).device_id.clone(),
                observed_at: reading.observed_at,
                usage: reading.usage.as_ref().ok().copied(),
                info: reading.info.clone(),
            };
            self.outbox.push(place, update);
        }
        if self.outbox.is_due() {
            self.hand_over().await?;
        }
        Ok(())
    }

    fn fail(&mut self, device: &CarrierDeviceId, reason: &str) {
        for place in self.roster.waiting_for(device) {
            self.roster.fail(place, reason);
        }
    }

    /// Sends the batch once the one before is committed: the sync's back-pressure.
    async fn hand_over(&mut self) -> Result<(), Halt> {
        if let Some(written) = self.outbox.written().await {
            self.settle(written)?;
        }
        self.outbox.send();
        Ok(())
    }

    /// Writes what is read already. A halt of the store is final; any other stays what it was.
    async fn flush(&mut self, halt: Option<Halt>) -> Option<Halt> {
        if matches!(halt, Some(Halt::Store { .. })) {
            return halt;
        }
        let written = async {
            self.accept_gaps(halt.as_ref()).await?;
            self.hand_over().await?;
            self.hand_over().await
        };
        written.await.err().or(halt)
    }

    /// What the listing said of devices whose usage was not asked for any more.
    async fn accept_gaps(&mut self, halt: Option<&Halt>) -> Result<(), Halt> {
        for (device, merged) in std::mem::take(&mut self.gaps) {
            let gap = merged.usage.err().map(|gap| gap.to_string());
            let reading = Reading {
                info: merged.info,
                usage: Err(halt.map(ToString::to_string).or(gap).unwrap_or_default()),
                trouble: None,
                observed_at: self.job.client.clock.now(),
            };
            self.accept(&device, reading).await?;
        }
        Ok(())
    }

    fn settle(&mut self, written: Written) -> Result<(), Halt> {
        let receipt = written.receipt.map_err(|error| Halt::Store {
            reason: error.to_string(),
        })?;
        self.roster.settle(&written.places, &receipt);
        self.tell_progress();
        Ok(())
    }

    fn tell_progress(&self) {
        self.observer.progress(Progress {
            devices: self.roster.len(),
            synced: self.roster.synced(),
            calls: self.meter.calls(),
        });
    }

    fn close(&mut self, halt: Option<&Halt>) {
        let reason = halt.map_or_else(|| "not in any answer".to_owned(), ToString::to_string);
        self.roster.close(&reason);
    }

    /// The next page, read while the batch before is being written.
    ///
    /// The inner error is this walk's alone; the outer one ends the sync.
    async fn next_page<T>(
        &mut self,
        walk: &mut (dyn Walk<T> + '_),
    ) -> Result<Result<Option<Page<T>>, CallError>, Halt> {
        let (job, meter) = (self.job, self.meter);
        let page = match self.alongside(job.client.next_page(walk, meter)).await? {
            Ok(page) => page,
            Err(error) => return self.halt(&error).map_or(Ok(Err(error)), Err),
        };
        if let Some(page) = &page {
            self.tell_oddities(page);
        }
        Ok(Ok(page))
    }

    /// Does `work` while the batch in flight is being written, until the service stops.
    async fn alongside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let mut work = pin!(work);
        let stop = self.stop;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Halt::Stopped),
                written = self.outbox.next_written() => self.settle(written)?,
                done = &mut work => return Ok(done),
            }
        }
    }

    /// Whether an error ends the sync. Once a call has been answered, a 403 is about one device: the
    /// credentials have just worked.
    fn halt(&self, error: &CallError) -> Option<Halt> {
        let reason = error.to_string();
        match error {
            CallError::Unauthorized { status: 403 } if self.meter.answered() => None,
            CallError::Unauthorized { .. } => Some(Halt::Credentials { reason }),
            CallError::Throttled { until } => Some(Halt::Throttled { until: *until }),
            CallError::BudgetSpent { .. } => Some(Halt::BudgetSpent { reason }),
            CallError::Forbidden { .. } => Some(Halt::Misconfigured { reason }),
            _ => None,
        }
    }

    fn tell_oddities<T>(&self, page: &Page<T>) {
        page.unmapped
            .iter()
            .for_each(|text| self.job.tell_unmapped(text));
        if let Some(first) = page.unreadable.first() {
            tracing::warn!(
                carrier = self.job.carrier.code(),
                integration.id = %self.job.integration_id,
                rows = page.unreadable.len(),
                first,
                "rows of an answer could not be read; the others were"
            );
        }
    }

    fn warn(&self, what: &str, error: &CallError) {
        tracing::warn!(
            carrier = self.job.carrier.code(), integration.id = %self.job.integration_id,
            %error, "{what}; what it left out is asked for one by one"
        );
    }

    fn warn_of_shared_ids(&self) {
        let shared = self.roster.shared_ids();
        if shared > 0 && self.job.notices.is_new("shared carrier_device_id") {
            tracing::warn!(
                integration.id = %self.job.integration_id, ids = shared,
                "several devices share a carrier_device_id; each gets the same figures"
            );
        }
    }
}
