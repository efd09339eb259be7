//! Asking for one device: its info, and its usage where the info does not carry it.

use chrono::{DateTime, TimeDelta, Utc};

use super::book::UsageBook;
use super::job::SyncJob;
use super::merge::{OpenLines, UsageGap, merge, sum_parts};
use crate::carriers::{Context, DeviceRecord, LineId, PageSizes};
use crate::client::{CallError, CallMeter};
use crate::device::{BillingCycle, ByteCount, CarrierDeviceId, DeviceInfo, Usage};

/// Pages that are read for one line before its usage counts as unknown: half a million sessions in
/// one cycle are an answer to another question, and would be held in memory.
const MAX_PAGES_OF_A_LINE: u32 = 100;

/// What is known of one device when all has been asked.
#[derive(Debug)]
pub struct Reading {
    /// Statuses and ICCID.
    pub info: DeviceInfo,
    /// Usage, or why it is unknown.
    pub usage: Result<Usage, String>,
    /// The failed call behind an unknown usage: it may concern more than this device.
    pub trouble: Option<CallError>,
    /// When the answer was read.
    pub observed_at: DateTime<Utc>,
}

/// Something to ask for.
#[derive(Debug)]
pub enum Ask {
    /// Everything: no listing has shown the device.
    Device(CarrierDeviceId),
    /// The usage only: a listing has shown the device without it.
    Usage(CarrierDeviceId, OpenUsage),
}

/// What is missing of a device that a listing has shown.
#[derive(Debug)]
pub struct OpenUsage {
    /// The gap that it closes: its place among them.
    pub gap: usize,
    /// The lines to be asked for.
    pub lines: OpenLines,
    /// The cycle of the device's first line.
    pub cycle: Option<BillingCycle>,
}

impl Ask {
    /// The device it is about.
    pub fn device(&self) -> &CarrierDeviceId {
        match self {
            Self::Device(device) | Self::Usage(device, _) => device,
        }
    }

    /// The gap that it closes.
    pub fn gap(&self) -> Option<usize> {
        match self {
            Self::Device(_) => None,
            Self::Usage(_, open) => Some(open.gap),
        }
    }

    /// Asks. Of a device that a listing has shown, the answer holds the usage and no `info`.
    ///
    /// # Errors
    /// [`CallError`] when nothing new is known of the device.
    pub async fn answer(self, job: &SyncJob, meter: &CallMeter) -> Result<Reading, CallError> {
        let (info, usage) = match self {
            Self::Usage(device, open) => {
                let usage = close(job, meter, &device, (open.lines, open.cycle)).await;
                (DeviceInfo::default(), usage)
            }
            Self::Device(device) => {
                let record = device_record(job, meter, &device).await?;
                let merged = merge(record, &UsageBook::default());
                let usage = match (merged.usage, merged.open) {
                    (Ok(usage), _) => Ok(usage),
                    (Err(_), Some(open)) => close(job, meter, &device, (open, merged.cycle)).await,
                    (Err(gap), None) => Err(Unknown::because(gap)),
                };
                (merged.info, usage)
            }
        };
        let (usage, trouble) = match usage {
            Ok(usage) => (Ok(usage), None),
            Err(Unknown { reason, trouble }) => (Err(reason), trouble),
        };
        Ok(Reading {
            info,
            usage,
            trouble,
            observed_at: job.client.clock.now(),
        })
    }
}

async fn device_record(
    job: &SyncJob,
    meter: &CallMeter,
    device: &CarrierDeviceId,
) -> Result<DeviceRecord, CallError> {
    let mut walk = job.carrier.get_device_info(job.context(), device);
    let page = job
        .client
        .next_page(&mut *walk, meter)
        .await?
        .unwrap_or_default();
    for text in page.unmapped {
        job.tell_unmapped(&text);
    }
    match page
        .records
        .into_iter()
        .find(|record| record.device == *device)
    {
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

/// What all lines used, those that were missing asked for one after the other.
async fn close(
    job: &SyncJob,
    meter: &CallMeter,
    device: &CarrierDeviceId,
    (open, device_cycle): (OpenLines, Option<BillingCycle>),
) -> Result<Usage, Unknown> {
    let mut sum = open.known;
    for (line, cycle) in open.lines {
        let used = used_in(job, meter, (device, &line), &cycle).await?;
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
    job: &SyncJob,
    meter: &CallMeter,
    of: (&CarrierDeviceId, &LineId),
    cycle: &BillingCycle,
) -> Result<ByteCount, Unknown> {
    can_be_counted(cycle, job.client.clock.now(), job.carrier.usage_kept_for())
        .map_err(Unknown::because)?;
    let pages = PageSizes {
        max_pages: job.pages.max_pages.min(MAX_PAGES_OF_A_LINE),
        ..job.pages
    };
    let context = Context {
        pages,
        ..job.context()
    };
    let mut walk = job
        .carrier
        .get_usage(context, of, cycle)
        .ok_or_else(|| Unknown::because("the carrier has no call for it"))?;
    let mut parts = Vec::new();
    while let Some(page) = job
        .client
        .next_page(&mut *walk, meter)
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

impl SyncJob {
    /// Text that may quote the carrier, without secrets and of a length to be shown.
    fn scrub(&self, text: &str) -> String {
        self.client.destination.scrubber.scrub(text)
    }

    /// Logs a value outside the carrier's vocabulary, once.
    pub fn tell_unmapped(&self, text: &str) {
        let text = self.scrub(text);
        if self.notices.is_new(&text) {
            tracing::warn!(
                carrier = self.carrier.code(),
                integration.id = %self.integration_id,
                value = text,
                "the carrier sent a value that is not in its vocabulary; stored as unknown"
            );
        }
    }
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
