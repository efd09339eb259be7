//! Reading an account whole: the usage report into a book, and the device listing past it.
//!
//! Neither needs the other's answer, so their first pages are asked for at the same time. Nothing more
//! is before both are judged, the report first: a carrier that refuses one is not asked on for the
//! other, and the outcome does not depend on who was faster.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ask::Reading;
use super::asking::Asking;
use super::book::UsageBook;
use super::job::SyncJob;
use super::merge::{Merged, merge};
use super::outcome::Halt;
use super::pages::{Pages, ReadPage};
use super::roster::Place;
use super::run::{Gap, Run};
use crate::carriers::{Bulk, DeviceRecord, Page, ReportScope, UsageRecord, UsageReport};
use crate::client::{CallError, CallMeter};
use crate::device::{SimStatus, StoredCycles};

/// A report is read to its end: every line counts.
const ALL_ROWS: usize = usize::MAX;

/// A report of more pages than this, and than so many for each linked device, is left: the account is mostly
/// another fleet's, and asking for each device costs less.
const PAGES_THAT_PAY: usize = 10;
/// Where a report has a row per session, a single busy device fills some pages, asked for alone as well.
const PAGES_PER_DEVICE: usize = 4;

/// Pages of the listing without a device that is waited for, before it is asked whether it still pays.
const BARREN_PAGES: usize = 2;

/// What came of the device listing.
pub(super) enum Listing {
    /// The carrier has none for this account: every device is asked for.
    None,
    /// Read as far as was needed: what it left out may be asked for, within bounds.
    Read,
    /// Left, because asking for the few devices that are still waited for costs less than its other pages.
    Left,
    /// It broke off, for this reason: likewise.
    CutShort(CallError),
}

/// The account's two listings, each where the carrier has one.
pub(super) struct BulkPages {
    report: Option<Pages<UsageRecord>>,
    scope: ReportScope,
    listing: Option<Pages<DeviceRecord>>,
}

impl BulkPages {
    /// Asks for the first page of each.
    ///
    /// With one call permitted at a time the listing comes after the report: nothing would be gained,
    /// and a refusal would cost a second call.
    pub(super) fn begin(job: &Arc<SyncJob>, meter: &Arc<CallMeter>, cycles: &StoredCycles) -> Self {
        let context = job.context_with(cycles);
        let (report, scope) = match job.carrier.get_bulk_usage(context) {
            Some(UsageReport { walk, scope }) => (Some(Pages::of(walk, job, meter)), scope),
            None => (None, ReportScope::Cycles),
        };
        let listing = match job.carrier.get_bulk_device_info(context) {
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
        Self {
            report,
            scope,
            listing,
        }
    }

    /// What the report speaks of.
    pub(super) fn scope(&self) -> ReportScope {
        self.scope
    }

    /// Whether the account has a device listing.
    pub(super) fn is_listed(&self) -> bool {
        self.listing.is_some()
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
    pub(super) async fn read_in_bulk(
        &mut self,
        bulk: &mut BulkPages,
        asking: &mut Asking,
    ) -> Result<Listing, Halt> {
        self.judge_first_pages(bulk).await?;
        self.read_report(bulk.report.as_mut(), &mut asking.book)
            .await?;
        self.read_listing(bulk.listing.as_mut(), asking).await
    }

    async fn judge_first_pages(&mut self, bulk: &mut BulkPages) -> Result<(), Halt> {
        if let Some(report) = &mut bulk.report
            && let Err(error) = self.alongside(report.peek()).await?
        {
            Halt::of(error).map_or(Ok(()), Err)?;
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
        book: &mut UsageBook,
    ) -> Result<(), Halt> {
        let Some(report) = report else {
            return Ok(());
        };
        let most_pages = PAGES_THAT_PAY.max(PAGES_PER_DEVICE.saturating_mul(self.roster.len()));
        let mut is_readable = true;
        report.need(ALL_ROWS);
        for _ in 0..most_pages {
            match self.alongside(report.next()).await? {
                Ok(Some(ReadPage { page, .. })) => {
                    self.tell_oddities(&page);
                    is_readable &= page.unreadable.is_empty();
                    book.extend(page.records);
                }
                Ok(None) => {
                    if is_readable {
                        book.complete();
                    }
                    return Ok(());
                }
                Err(error) => {
                    Halt::of(&error).map_or(Ok(()), Err)?;
                    self.warn("the usage report ended early", &error);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Streams the account's device listing past the book, for as long as it may show a device that
    /// is still waited for, and as it costs less than asking for those that are.
    async fn read_listing(
        &mut self,
        listing: Option<&mut Pages<DeviceRecord>>,
        asking: &Asking,
    ) -> Result<Listing, Halt> {
        let Some(listing) = listing else {
            return Ok(Listing::None);
        };
        let mut barren_pages = 0;
        loop {
            let needed = self.rows_needed();
            if needed == 0 {
                return Ok(Listing::Read);
            }
            if barren_pages >= BARREN_PAGES.max(self.roster.waiting())
                && self.may_ask_for_the_rest()
            {
                return Ok(Listing::Left);
            }
            listing.need(needed);
            match self.alongside(listing.next()).await? {
                Ok(Some(read)) => {
                    let waiting = self.roster.waiting();
                    self.absorb(read, asking).await?;
                    let is_barren = self.roster.waiting() == waiting;
                    barren_pages = if is_barren { barren_pages + 1 } else { 0 };
                }
                Ok(None) => return Ok(Listing::Read),
                Err(error) => {
                    listing_halt(&error).map_or(Ok(()), Err)?;
                    self.warn("the device listing ended early", &error);
                    return Ok(Listing::CutShort(error));
                }
            }
        }
    }

    fn may_ask_for_the_rest(&self) -> bool {
        self.roster.waiting() + self.fallbacks <= self.job.policy.max_fallback_calls
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
        asking: &Asking,
    ) -> Result<(), Halt> {
        self.tell_oddities(&page);
        for mut record in page.records {
            let also = record.also.take();
            let places = self
                .roster
                .waiting_for_either(&record.device, also.as_ref());
            let Some(first) = places.first() else {
                continue;
            };
            let device = match also {
                // It may be linked by either name, and is asked for by the one that it is linked by.
                Some(_) => self
                    .roster
                    .carrier_name(first)
                    .unwrap_or(record.device.clone()),
                None => record.device.clone(),
            };
            asking.add_stored(&device, &mut record);
            let merged = merge(record, &asking.book);
            if let Some(wants) = self.more_to_ask(first, &merged, asking) {
                self.note_gap(Gap {
                    device,
                    places,
                    merged,
                    wants: Some(wants),
                    read_at,
                });
                continue;
            }
            self.put(places, as_listed(merged, read_at, asking));
            if self.outbox.is_full() {
                self.hand_over().await?;
            }
        }
        self.hand_over_if_due().await
    }

    /// Details to ask of a device that the listing shows, perhaps none but its usage; `None`: nothing.
    fn more_to_ask(
        &mut self,
        place: Place,
        merged: &Merged,
        asking: &Asking,
    ) -> Option<Vec<usize>> {
        let mut wants = self.usage_to_ask(place, merged, asking);
        if self.in_turn.statuses.contains(&place) {
            let statuses = &asking.plan.status_details;
            wants.get_or_insert_default().extend(statuses);
        }
        wants
    }

    fn usage_to_ask(
        &mut self,
        place: Place,
        merged: &Merged,
        asking: &Asking,
    ) -> Option<Vec<usize>> {
        if merged.usage.is_ok() {
            return None;
        }
        let plan = &asking.plan;
        let waits = asking.usage_waits(merged.cycle);
        let cycle = plan.cycle_detail.filter(|_| merged.cycle.is_none());
        let wants: Vec<usize> = cycle.into_iter().chain(plan.usage_detail).collect();
        let can_be_closed = merged.open.is_some() || !wants.is_empty();
        let has_turn = if waits {
            self.in_turn.usage.contains(&place)
        } else {
            self.in_turn.may_fall_back(place) && self.fallbacks < self.job.policy.max_fallback_calls
        };
        if !(can_be_closed && has_turn) {
            return None;
        }
        self.fallbacks += usize::from(!waits);
        Some(wants)
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
        for text in &page.notices {
            self.job.tell_notice(text);
        }
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

/// What the listing said of a device of which nothing more is asked.
fn as_listed(merged: Merged, observed_at: DateTime<Utc>, asking: &Asking) -> Reading {
    // A SIM that is over has no cycle any more in which it could use anything.
    let is_over = merged.info.sim_status == Some(SimStatus::Deactivated) && merged.cycle.is_none();
    let waits = is_over || asking.usage_waits(merged.cycle);
    let (usage, gap) = match merged.usage {
        Ok(usage) => (Some(usage), None),
        Err(gap) => (None, Some(gap.to_string())),
    };
    Reading {
        info: merged.info,
        cycle: merged.cycle,
        usage,
        // A device that has no turn keeps its stored usage, and that is as it should be.
        shortfall: gap.filter(|_| !waits),
        trouble: None,
        observed_at,
    }
}

/// Whether an error of the listing ends the sync: asking a carrier in trouble for each device would
/// only add to its trouble.
fn listing_halt(error: &CallError) -> Option<Halt> {
    match error {
        CallError::Unavailable { reason } => Some(Halt::Outage {
            reason: reason.clone(),
        }),
        _ => Halt::of(error),
    }
}
