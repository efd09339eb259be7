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
//! past it page by page, so each row is written once and only ids and counters are held whole.

use std::pin::pin;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::ask::Reading;
use super::book::UsageBook;
use super::job::{Observer, Progress, SinkError, SyncJob, UpdateSink};
use super::merge::{Merged, merge};
use super::outbox::{Outbox, Written};
use super::outcome::{Halt, SyncReport, error_text, outcome};
use super::roster::Roster;
use crate::carriers::{Bulk, DeviceRecord, Page, Walk};
use crate::client::{CallError, CallMeter};
use crate::device::{CarrierDeviceId, DeviceUpdate, LinkedDevices};

/// Syncs one integration's `devices`. Never fails: whatever happens is in the report.
///
/// `stop` abandons the page being read, writes what is read already, and reports.
pub async fn sync(
    job: &SyncJob,
    devices: LinkedDevices,
    sink: &dyn UpdateSink,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> SyncReport {
    let started = (job.client.clock.now(), Instant::now());
    let meter = CallMeter::new(job.policy.max_calls);
    let mut run = Run {
        job,
        observer,
        stop,
        meter: &meter,
        roster: Roster::new(devices),
        outbox: Outbox::new(sink, job),
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

/// What came of the device listing.
pub(super) enum Listing {
    /// The carrier has none for this account: every device is asked for.
    None,
    /// Read as far as was needed: what it left out may be asked for, within bounds.
    Read,
    /// It broke off, for this reason: likewise.
    CutShort(CallError),
}

/// A sync in progress.
pub(super) struct Run<'a> {
    pub(super) job: &'a SyncJob,
    observer: &'a dyn Observer,
    stop: &'a CancellationToken,
    pub(super) meter: &'a CallMeter,
    pub(super) roster: Roster,
    outbox: Outbox<'a>,
    /// Devices that the listing showed without usage, to be asked for later; bounded by policy. Kept
    /// until the end, so that a sync that is cut short still writes what the listing said of them.
    pub(super) gaps: Vec<(CarrierDeviceId, Merged)>,
}

impl Run<'_> {
    async fn drive(&mut self) -> Result<(), Halt> {
        if self.roster.waiting() == 0 {
            return Ok(());
        }
        self.tell_progress();
        self.warn_of_shared_ids();
        let book = self.read_bulk_usage().await?;
        let listing = self.read_bulk_listing(&book).await?;
        drop(book);
        self.ask_one_by_one(listing).await
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

    /// Streams the account's device listing past the book, for as long as it may show a device that
    /// is still waited for.
    async fn read_bulk_listing(&mut self, book: &UsageBook) -> Result<Listing, Halt> {
        let Bulk::Listing(mut walk) = self
            .job
            .carrier
            .get_bulk_device_info(&self.job.account, self.job.pages)
        else {
            return Ok(Listing::None);
        };
        while self.roster.waiting() > self.gaps.len() {
            match self.next_page(&mut *walk).await? {
                Ok(Some(page)) => self.absorb(page, book).await?,
                Ok(None) => break,
                // Asking a carrier in trouble for each device would only add to its trouble.
                Err(CallError::Unavailable { reason }) => return Err(Halt::Outage { reason }),
                Err(error) => {
                    self.warn("the device listing ended early", &error);
                    return Ok(Listing::CutShort(error));
                }
            }
        }
        Ok(Listing::Read)
    }

    async fn absorb(&mut self, page: Page<DeviceRecord>, book: &UsageBook) -> Result<(), Halt> {
        let observed_at = self.job.client.clock.now();
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
        merged.open.is_some() && self.gaps.len() < self.job.policy.max_fallback_calls
    }

    /// Puts what is known of a device into the outbox, for every row that names it.
    pub(super) async fn accept(
        &mut self,
        device: &CarrierDeviceId,
        reading: Reading,
    ) -> Result<(), Halt> {
        for place in self.roster.waiting_for(device) {
            match &reading.usage {
                Ok(_) => self.roster.read(place),
                Err(reason) => self.roster.fail(place, reason),
            }
            let update = DeviceUpdate {
                device_id: self.roster.device_id(place),
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

    pub(super) fn fail(&mut self, device: &CarrierDeviceId, reason: &str) {
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
        if matches!(halt, Some(Halt::Store { .. } | Halt::LeaseLost)) {
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
        let receipt = written.receipt.map_err(|error| match error {
            SinkError::LeaseLost => Halt::LeaseLost,
            SinkError::Failed(reason) => Halt::Store { reason },
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
            Err(error) => return Self::halt(&error).map_or(Ok(Err(error)), Err),
        };
        if let Some(page) = &page {
            self.tell_oddities(page);
        }
        Ok(Ok(page))
    }

    /// Does `work` while the batch in flight is being written, until the service stops.
    pub(super) async fn alongside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
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

    /// Whether an error ends the sync, whatever was asked.
    pub(super) fn halt(error: &CallError) -> Option<Halt> {
        let reason = error.to_string();
        match error {
            CallError::Unauthorized { .. } => Some(Halt::Credentials { reason }),
            CallError::Throttled { until } => Some(Halt::Throttled { until: *until }),
            CallError::BudgetSpent { .. } => Some(Halt::BudgetSpent { reason }),
            CallError::LeaseLost => Some(Halt::LeaseLost),
            // The address as written has passed; what a name resolves to may change by itself.
            CallError::Forbidden { .. } => Some(Halt::Outage { reason }),
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
