//! Reading an account whole: the usage report into a book, and the device listing past it.
//!
//! Neither needs the other's answer, so their first pages are asked for at the same time. Nothing more
//! is before both are judged, the report first: a carrier that refuses one is not asked on for the
//! other, and the outcome does not depend on who was faster.

use std::sync::Arc;

use super::ask::Reading;
use super::book::UsageBook;
use super::job::SyncJob;
use super::merge::{Merged, merge};
use super::outcome::Halt;
use super::pages::{Pages, ReadPage};
use super::run::{Gap, Run};
use crate::carriers::{Bulk, DeviceRecord, Page, UsageRecord};
use crate::client::{CallError, CallMeter};

/// A report is read to its end: every line counts.
const ALL_ROWS: usize = usize::MAX;

/// What came of the device listing.
pub(super) enum Listing {
    /// The carrier has none for this account: every device is asked for.
    None,
    /// Read as far as was needed: what it left out may be asked for, within bounds.
    Read,
    /// It broke off, for this reason: likewise.
    CutShort(CallError),
}

/// The account's two listings, each where the carrier has one.
pub(super) struct BulkPages {
    report: Option<Pages<UsageRecord>>,
    listing: Option<Pages<DeviceRecord>>,
}

impl BulkPages {
    /// Asks for the first page of each.
    ///
    /// With one call permitted at a time the listing comes after the report: nothing would be gained,
    /// and a refusal would cost a second call.
    pub(super) fn begin(job: &Arc<SyncJob>, meter: &Arc<CallMeter>) -> Self {
        let report = job.carrier.get_bulk_usage(job.context());
        let report = report.map(|report| Pages::of(report.walk, job, meter));
        let listing = match job.carrier.get_bulk_device_info(job.context()) {
            Bulk::Listing(walk) => Some(Pages::of(walk, job, meter)),
            Bulk::PerDevice => None,
        };
        if let Some(report) = &report {
            report.need(1);
        }
        if let Some(listing) = &listing
            && (report.is_none() || job.policy.max_concurrency > 1)
        {
            listing.need(1);
        }
        Self { report, listing }
    }

    /// Ends what is still being read.
    pub(super) async fn end(self) {
        if let Some(report) = self.report {
            report.end().await;
        }
        if let Some(listing) = self.listing {
            listing.end().await;
        }
    }
}

impl Run<'_> {
    /// Reads the account whole, as far as it can be.
    pub(super) async fn read_in_bulk(&mut self, bulk: &mut BulkPages) -> Result<Listing, Halt> {
        self.judge_first_pages(bulk).await?;
        let book = self.read_report(bulk.report.as_mut()).await?;
        self.read_listing(bulk.listing.as_mut(), &book).await
    }

    async fn judge_first_pages(&mut self, bulk: &mut BulkPages) -> Result<(), Halt> {
        if let Some(report) = &mut bulk.report
            && let Err(error) = self.alongside(report.peek()).await?
        {
            Self::halt(error).map_or(Ok(()), Err)?;
        }
        if let Some(listing) = &mut bulk.listing
            && listing.is_begun()
            && let Err(error) = self.alongside(listing.peek()).await?
        {
            listing_halt(error).map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Reads the account's usage report. A report that cannot be read whole leaves gaps, which the
    /// listing and single calls fill.
    async fn read_report(
        &mut self,
        report: Option<&mut Pages<UsageRecord>>,
    ) -> Result<UsageBook, Halt> {
        let mut book = UsageBook::default();
        let Some(report) = report else {
            return Ok(book);
        };
        report.need(ALL_ROWS);
        loop {
            match self.alongside(report.next()).await? {
                Ok(Some(ReadPage { page, .. })) => {
                    self.tell_oddities(&page);
                    book.extend(page.records);
                }
                Ok(None) => return Ok(book),
                Err(error) => {
                    Self::halt(&error).map_or(Ok(()), Err)?;
                    self.warn("the usage report ended early", &error);
                    return Ok(book);
                }
            }
        }
    }

    /// Streams the account's device listing past the book, for as long as it may show a device that
    /// is still waited for.
    async fn read_listing(
        &mut self,
        listing: Option<&mut Pages<DeviceRecord>>,
        book: &UsageBook,
    ) -> Result<Listing, Halt> {
        let Some(listing) = listing else {
            return Ok(Listing::None);
        };
        loop {
            let needed = self.rows_needed();
            if needed == 0 {
                return Ok(Listing::Read);
            }
            listing.need(needed);
            match self.alongside(listing.next()).await? {
                Ok(Some(read)) => self.absorb(read, book).await?,
                Ok(None) => return Ok(Listing::Read),
                Err(error) => {
                    listing_halt(&error).map_or(Ok(()), Err)?;
                    self.warn("the device listing ended early", &error);
                    return Ok(Listing::CutShort(error));
                }
            }
        }
    }

    /// Rows that the listing must still bring, at least, to show every device that is waited for. Zero:
    /// it can show nothing new.
    fn rows_needed(&self) -> usize {
        match self.roster.waiting() {
            0 => 0,
            // One row of the listing may be word for several of ours, but for no more than these.
            waiting => waiting.saturating_sub(self.twins).max(1),
        }
    }

    async fn absorb(
        &mut self,
        ReadPage { page, read_at }: ReadPage<DeviceRecord>,
        book: &UsageBook,
    ) -> Result<(), Halt> {
        self.tell_oddities(&page);
        for record in page.records {
            let places = self.roster.waiting_for(&record.device);
            if places.is_empty() {
                continue;
            }
            let device = record.device.clone();
            let merged = merge(record, book);
            if self.can_ask_for_usage(&merged) {
                self.note_gap(Gap {
                    device,
                    places,
                    merged,
                    read_at,
                });
                continue;
            }
            self.put(
                places,
                Reading {
                    info: merged.info,
                    usage: merged.usage.map_err(|gap| gap.to_string()),
                    trouble: None,
                    observed_at: read_at,
                },
            );
            if self.outbox.is_full() {
                self.hand_over().await?;
            }
        }
        self.hand_over_if_due().await
    }

    fn can_ask_for_usage(&self, merged: &Merged) -> bool {
        merged.open.is_some() && self.gaps.len() < self.job.policy.max_fallback_calls
    }

    /// Its rows wait no longer, so a device that is listed twice is asked for once.
    fn note_gap(&mut self, gap: Gap) {
        self.roster.note(&gap.places);
        self.gaps.push(gap);
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
}

/// Whether an error of the listing ends the sync: asking a carrier in trouble for each device would
/// only add to its trouble.
fn listing_halt(error: &CallError) -> Option<Halt> {
    match error {
        CallError::Unavailable { reason } => Some(Halt::Outage {
            reason: reason.clone(),
        }),
        _ => Run::halt(error),
    }
}
