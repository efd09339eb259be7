//! Asking for one device: its info, what exists per device only, and its usage where none of them has it.
//!
//! Knows one device at a time; whose turn it is and what a failure means for the others is decided elsewhere.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::ask::Reading;
use super::book::UsageBook;
use super::job::SyncJob;
use super::merge::{Merged, OpenLines, UsageGap, add_cycle, add_detail, merge, sum_parts};
use super::outcome::Halt;
use super::plan::Plan;
use crate::carriers::{Context, DeviceRecord, LineId, PageSizes};
use crate::client::{CallError, CallMeter};
use crate::device::{BillingCycle, ByteCount, CarrierDeviceId, StoredCycles, Usage};

/// Pages that are read for one line before its usage counts as unknown: half a million sessions in
/// one cycle are an answer to another question, and would be held in memory.
const MAX_PAGES_OF_A_LINE: u32 = 100;

/// What every question of one sync is asked with.
#[derive(Debug)]
pub struct Asking {
    /// Whose devices.
    pub job: Arc<SyncJob>,
    /// What it costs.
    pub meter: Arc<CallMeter>,
    /// What is to be asked.
    pub plan: Plan,
    /// What the usage report said.
    pub book: UsageBook,
    /// Cycles that were told before.
    pub cycles: Arc<StoredCycles>,
}

impl Asking {
    /// The device's stored cycle, where it still holds.
    fn stored_cycle(&self, device: &CarrierDeviceId) -> Option<BillingCycle> {
        self.cycles.current(device, self.job.client.clock.now())
    }

    /// Puts what the store knows of the device where the answer cannot know it.
    pub fn add_stored(&self, device: &CarrierDeviceId, record: &mut DeviceRecord) {
        let can = self.job.carrier.capabilities();
        // Where the carrier tells it at every turn, the stored cycle would contradict a corrected one.
        if can.keeps_cycles()
            && let Some(cycle) = self.stored_cycle(device)
        {
            add_cycle(record, cycle);
        }
    }

    /// Whether a device in this cycle may go without its usage in this sync, because it has no turn, or because
    /// the carrier has not begun a cycle for it. Not where a report that could not be read whole should have
    /// told it.
    #[must_use]
    pub fn usage_waits(&self, cycle: Option<BillingCycle>) -> bool {
        let is_told_in_turns = self.job.carrier.capabilities().has_usage_per_device();
        self.plan.usage_waits && (is_told_in_turns || cycle.is_none() || self.book.is_complete())
    }

    /// A single answer is later than the report: the report is asked only where it says nothing of usage.
    pub(super) fn merge_alone(&self, record: DeviceRecord) -> Merged {
        let alone = merge(record.clone(), &UsageBook::default());
        match alone.usage {
            Ok(_) => alone,
            Err(_) => merge(record, &self.book),
        }
    }

    /// Details that a device is asked for which no listing has shown: whatever is still missing.
    pub(super) fn wants_alone(&self, merged: &Merged) -> Vec<usize> {
        let plan = &self.plan;
        let cycle = plan.cycle_detail.filter(|_| merged.cycle.is_none());
        let usage = plan.usage_detail.filter(|_| merged.usage.is_err());
        let statuses = plan.status_details.iter().copied();
        let statuses = statuses.filter(|_| merged.info.network_status.is_none());
        cycle.into_iter().chain(usage).chain(statuses).collect()
    }

    /// Asks for details, then for the usage of lines that are still open. One that fails costs no other.
    pub(super) async fn finish(
        &self,
        device: &CarrierDeviceId,
        merged: Merged,
        wants: Vec<usize>,
    ) -> Reading {
        let mut shortfall = Shortfall::default();
        let merged = self
            .with_details(device, merged, &wants, &mut shortfall)
            .await;
        let cycle = merged.cycle;
        let usage = match (merged.usage, merged.open) {
            (Ok(usage), _) => Some(usage),
            (Err(gap), open) => {
                let waits = self.usage_waits(cycle) && !self.asks_for_usage(&wants);
                let line = (device, cycle);
                let gap = (!waits).then_some(gap);
                self.close(line, open, gap, &mut shortfall).await
            }
        };
        let Shortfall { reason, trouble } = shortfall;
        Reading {
            info: merged.info,
            cycle,
            usage,
            shortfall: reason,
            trouble,
            observed_at: self.job.client.clock.now(),
        }
    }

    async fn with_details(
        &self,
        device: &CarrierDeviceId,
        merged: Merged,
        wants: &[usize],
        shortfall: &mut Shortfall,
    ) -> Merged {
        if wants.is_empty() {
            return merged;
        }
        let mut record = merged.into_record(device.clone());
        for detail in wants {
            match self.detail(device, *detail).await {
                Ok(answer) => add_detail(&mut record, answer),
                Err(error) => {
                    let is_over = Halt::of(&error).is_some();
                    let name = &self.job.carrier.capabilities().details[*detail].name;
                    shortfall.note(format!("{name}: {error}"), Some(error));
                    if is_over {
                        break;
                    }
                }
            }
        }
        merge(record, &self.book)
    }

    fn asks_for_usage(&self, wants: &[usize]) -> bool {
        let detail = self.plan.usage_detail;
        detail.is_some_and(|detail| wants.contains(&detail))
    }

    /// The usage that no answer so far has told; why it is not known, unless it may wait for another turn.
    async fn close(
        &self,
        (device, device_cycle): (&CarrierDeviceId, Option<BillingCycle>),
        open: Option<OpenLines>,
        gap: Option<UsageGap>,
        shortfall: &mut Shortfall,
    ) -> Option<Usage> {
        if shortfall
            .trouble
            .as_ref()
            .is_some_and(|error| Halt::of(error).is_some())
        {
            return None;
        }
        if let Some(open) = open.filter(|open| self.has_call_for(device, open)) {
            let closed = self.close_lines(device, open, device_cycle).await;
            return closed
                .map_err(|unknown| shortfall.note(unknown.reason, unknown.trouble))
                .ok();
        }
        if let Some(gap) = gap {
            shortfall.note(format!("usage unknown: {gap}"), None);
        }
        None
    }

    fn has_call_for(&self, device: &CarrierDeviceId, open: &OpenLines) -> bool {
        let (context, carrier) = (self.job.context(), self.job.carrier);
        let call = |(line, cycle): &(LineId, BillingCycle)| {
            carrier.get_usage(context, (device, line), cycle).is_some()
        };
        open.lines.iter().all(call)
    }

    pub(super) async fn device_record(
        &self,
        device: &CarrierDeviceId,
    ) -> Result<DeviceRecord, CallError> {
        let walk = self.job.carrier.get_device_info(self.job.context(), device);
        self.one_record(walk, device).await
    }

    async fn detail(
        &self,
        device: &CarrierDeviceId,
        detail: usize,
    ) -> Result<DeviceRecord, CallError> {
        let context = self.job.context();
        let walk = self.job.carrier.get_detail(context, detail, device);
        self.one_record(walk, device).await
    }

    async fn one_record(
        &self,
        mut walk: Box<dyn crate::carriers::Walk<DeviceRecord>>,
        device: &CarrierDeviceId,
    ) -> Result<DeviceRecord, CallError> {
        let job = &self.job;
        let page = job.client.next_page(&mut *walk, &self.meter).await?;
        let page = page.unwrap_or_default();
        for text in page.unmapped {
            job.tell_unmapped(&text);
        }
        for text in page.notices {
            job.tell_notice(&text);
        }
        let mut records = page.records.into_iter();
        match records.find(|record| record.is_called(device)) {
            Some(record) => Ok(record),
            None => Err(CallError::Malformed {
                reason: page
                    .unreadable
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| "the answer is about another device".to_owned()),
            }),
        }
    }

    /// What all lines used, those that were missing asked for one after the other.
    async fn close_lines(
        &self,
        device: &CarrierDeviceId,
        open: OpenLines,
        device_cycle: Option<BillingCycle>,
    ) -> Result<Usage, Unknown> {
        let mut sum = open.known;
        for (line, cycle) in open.lines {
            let used = self.used_in((device, &line), &cycle).await?;
            sum = sum
                .checked_add(used)
                .ok_or_else(|| Unknown::because(UsageGap::Overflow))?;
        }
        Ok(Usage {
            used: sum,
            limit: None,
            cycle: device_cycle,
        })
    }

    /// What one line used in `cycle`. One unreadable part makes it unknown, not smaller.
    async fn used_in(
        &self,
        of: (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Result<ByteCount, Unknown> {
        let job = &self.job;
        can_be_counted(cycle, job.client.clock.now(), job.carrier.usage_kept_for())
            .map_err(Unknown::because)?;
        let context = Context {
            pages: PageSizes {
                max_pages: job.pages.max_pages.min(MAX_PAGES_OF_A_LINE),
                ..job.pages
            },
            ..job.context()
        };
        let walk = job.carrier.get_usage(context, of, cycle);
        let mut walk = walk.ok_or_else(|| Unknown::because("the carrier has no call for it"))?;
        let mut parts = Vec::new();
        while let Some(page) = job
            .client
            .next_page(&mut *walk, &self.meter)
            .await
            .map_err(Unknown::after)?
        {
            if let Some(reason) = page.unreadable.first() {
                return Err(Unknown::because(job.scrub(reason)));
            }
            parts.extend(page.records);
        }
        sum_parts(of.1, parts).map_err(|gap| Unknown::because(job.scrub(&gap.to_string())))
    }
}

/// Why a device is not up to date: the first reason, and the first failed call.
#[derive(Debug, Default)]
struct Shortfall {
    reason: Option<String>,
    trouble: Option<CallError>,
}

impl Shortfall {
    fn note(&mut self, reason: String, trouble: Option<CallError>) {
        self.reason.get_or_insert(reason);
        if self.trouble.is_none() {
            self.trouble = trouble;
        }
    }
}

/// Why a device's usage is not known, though the device is.
struct Unknown {
    reason: String,
    trouble: Option<CallError>,
}

impl Unknown {
    fn because(gap: impl std::fmt::Display) -> Self {
        Self {
            reason: format!("usage unknown: {gap}"),
            trouble: None,
        }
    }

    fn after(error: CallError) -> Self {
        Self {
            reason: format!("usage unknown: {error}"),
            trouble: Some(error),
        }
    }
}

/// Whether the records of `cycle` can all be there to be summed. Where they cannot, a carrier answers
/// with an empty list, which would read as nothing used.
fn can_be_counted(
    cycle: &BillingCycle,
    now: DateTime<Utc>,
    kept_for: Option<TimeDelta>,
) -> Result<(), &'static str> {
    if cycle.start() >= now {
        return Err("its billing cycle has not begun");
    }
    if kept_for.is_some_and(|kept_for| now - cycle.start() > kept_for) {
        return Err("its billing cycle began before the carrier's oldest records");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::CycleSource;

    #[test]
    fn a_cycle_whose_records_cannot_all_be_there_is_not_summed() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let from = |days_ago| {
            let start = now - TimeDelta::days(days_ago);
            BillingCycle::new(start, start + TimeDelta::days(30), CycleSource::Derived).unwrap()
        };
        let kept_for = Some(TimeDelta::days(89));
        let is_asked = |days_ago| can_be_counted(&from(days_ago), now, kept_for).is_ok();
        assert_eq!(
            [-1, 0, 1, 40, 89, 90, 300].map(is_asked),
            [false, false, true, true, true, false, false]
        );
        assert!(can_be_counted(&from(300), now, None).is_ok());
    }
}
