//! The walk over a whole account: its devices, then the usage of every rate plan that they are on, joined.
//!
//! One walk, because the rate plans are known from the devices only, and listing the devices a second time
//! would cost as much again. A device is handed over when its usage is known for certain, and that is
//! when all plans have been read: one that has changed its plan within the cycle is in the usage of both,
//! and neither is the whole. So the walk holds the account's devices until its end.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    envelope,
    normalise::{self, PageFacts, PlanUsage, text},
    time::CycleDay,
    wire::{DevicePage, DeviceRow, UsagePage, UsageRow},
};
use crate::{
    carriers::{
        Answer, DeviceRecord, Page, ReadError, Request,
        lenient::Field,
        paging::{Endpoint, Next},
        record::LineUsage,
        rows::{self, present, row},
        walk::body_text,
    },
    device::BillingCycle,
};

/// Older than any device, so that every one counts as modified since. The `Z` needs no encoding.
const SINCE: &str = "2000-01-01T00:00:00Z";

const PAGE: &str = "pageNumber";

/// The first page of `/devices`.
pub(super) fn listing(account_id: Option<&str>, page_size: u32) -> Request {
    let request = Request::get("devices").with("modifiedSince", SINCE);
    let request = match account_id {
        Some(id) => request.with("accountId", id),
        None => request,
    };
    request.with("pageSize", page_size).with(PAGE, 1)
}

/// Where the walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Devices,
    /// The usage of the plan at this place.
    Plan(usize),
}

/// The whole account.
#[derive(Debug)]
pub(super) struct WholeAccount {
    stage: Stage,
    /// The page that is asked for, of the stage.
    page: u64,
    page_sizes: (u32, u32),
    /// The cycle to ask for, by the account's setting.
    asked: Option<BillingCycle>,
    devices: BTreeMap<String, DeviceRecord>,
    plans: BTreeSet<String>,
    /// In the order in which they are read; filled when the devices are.
    order: Vec<String>,
    /// What one row said; without bytes where more than one did, for they cannot be told apart from parts.
    usages: BTreeMap<String, LineUsage>,
}

impl WholeAccount {
    /// `page_sizes`: of devices and of usage.
    pub(super) fn new(
        now: DateTime<Utc>,
        cycle_day: Option<CycleDay>,
        page_sizes: (u32, u32),
    ) -> Self {
        Self {
            stage: Stage::Devices,
            page: 1,
            page_sizes,
            asked: cycle_day.and_then(|day| day.cycle(now)),
            devices: BTreeMap::new(),
            plans: BTreeSet::new(),
            order: Vec::new(),
            usages: BTreeMap::new(),
        }
    }

    fn read_devices(
        &mut self,
        text: &str,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let answer = envelope::object::<DevicePage<'_>>(text)?;
        let rows = present(answer.devices.0, "devices", "a list")?;
        let has_more = has_more(answer.last_page, rows.len(), self.page_sizes.0)?;
        let known = self.devices.len();
        let raw = rows.iter().copied();
        rows::each(page, "device", raw, |row, page| {
            self.read_device(&row, page)
        });
        if has_more && !rows.is_empty() && self.devices.len() == known && page.unreadable.is_empty()
        {
            return Err(ReadError::Malformed(
                "paging makes no progress: a page of devices that were all listed before".into(),
            ));
        }
        Ok(self.following(has_more, page))
    }

    /// Devices come in the order of their last change: one that changes meanwhile comes again, later and
    /// better known.
    fn read_device(
        &mut self,
        row: &DeviceRow<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<(), String> {
        let usage = normalise::usage(None, self.asked);
        let record = normalise::device(row, usage, &mut page.unmapped)?;
        if let Some(plan) = text(&row.rate_plan) {
            self.plans.insert(plan.to_owned());
        }
        self.devices
            .insert(record.device.as_str().to_owned(), record);
        Ok(())
    }

    fn read_usage(
        &mut self,
        answer: &Answer<'_>,
        body: &str,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let usage = envelope::object::<UsagePage<'_>>(body)?;
        let rows = present(usage.usages.0, "usages", "a list")?;
        let has_more = has_more(usage.last_page, rows.len(), self.page_sizes.1)?;
        let facts = PageFacts {
            unit: text(&usage.data_usage_unit),
            date: usage.cycle_start_date,
            asked: self.asked,
            read_at: answer.read_at,
        };
        for (place, raw) in rows.iter().enumerate() {
            let row = row::<UsageRow<'_>>(raw).value();
            let read = row
                .as_ref()
                .ok_or_else(|| "not a readable object".to_owned())
                .and_then(|row| normalise::plan_usage(row, facts));
            match read {
                Ok(PlanUsage::Other) => {}
                Ok(PlanUsage::Of(iccid, usage)) => {
                    if usage.used.is_none() {
                        page.unreadable(|| {
                            format!(
                                "usage row {}: bytes, unit or date cannot be read",
                                place + 1
                            )
                        });
                    }
                    self.add(iccid, usage);
                }
                Err(reason) => page.unreadable(|| format!("usage row {}: {reason}", place + 1)),
            }
        }
        Ok(self.following(has_more, page))
    }

    fn add(&mut self, iccid: &str, usage: LineUsage) {
        match self.usages.entry(iccid.to_owned()) {
            Entry::Vacant(vacant) => {
                vacant.insert(usage);
            }
            Entry::Occupied(mut known) => known.get_mut().used = None,
        }
    }

    /// The next page of this stage, the next stage, or the end with all devices.
    fn following(&mut self, has_more: bool, page: &mut Page<DeviceRecord>) -> Next {
        if has_more {
            self.page += 1;
            return Next::number(PAGE, self.page);
        }
        let plan = match self.stage {
            Stage::Devices => {
                self.order = std::mem::take(&mut self.plans).into_iter().collect();
                0
            }
            Stage::Plan(plan) => plan + 1,
        };
        self.page = 1;
        self.stage = Stage::Plan(plan);
        match self.order.get(plan) {
            Some(name) => Next::Request(self.usage_of(name)),
            None => {
                self.hand_over(page);
                Next::End
            }
        }
    }

    fn usage_of(&self, plan: &str) -> Request {
        let request = Request::get("usages")
            .class("usage")
            .with("ratePlanName", plan)
            .with("usageType", "DATA");
        let request = match self.asked {
            Some(cycle) => request.with("cycleStartDate", cycle.start().format("%Y-%m-%dZ")),
            None => request,
        };
        request.with("pageSize", self.page_sizes.1).with(PAGE, 1)
    }

    /// A device that no plan's usage names is not said to have used nothing.
    fn hand_over(&mut self, page: &mut Page<DeviceRecord>) {
        for (iccid, mut record) in std::mem::take(&mut self.devices) {
            if let Some(usage) = self.usages.remove(&iccid)
                && usage.used.is_some()
            {
                record.lines = vec![normalise::line(&iccid, usage)];
            }
            page.records.push(record);
        }
    }
}

impl Endpoint for WholeAccount {
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        match self.stage {
            Stage::Devices => self.read_devices(&text, page),
            Stage::Plan(_) => self.read_usage(answer, &text, page),
        }
    }

    /// Shared plans have no usage of their own. The devices of a plan that is refused are handed over without.
    fn pass_over(&mut self, page: &mut Page<DeviceRecord>) -> Option<Next> {
        match self.stage {
            Stage::Devices => None,
            Stage::Plan(_) => Some(self.following(false, page)),
        }
    }
}

/// By the carrier's word; without one a full page may have another behind it.
fn has_more(last_page: Field<bool>, rows: usize, page_size: u32) -> Result<bool, ReadError> {
    let has_more = match last_page {
        Field::Value(is_last) => !is_last,
        Field::Missing => rows >= page_size as usize,
        Field::Bad => {
            return Err(ReadError::Malformed(
                "`lastPage` is not a truth value".into(),
            ));
        }
    };
    if has_more && rows == 0 {
        return Err(ReadError::Malformed(
            "an empty page promises more pages".into(),
        ));
    }
    Ok(has_more)
}
