//! Onomondo: the requests of its dialect. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `credentials.rs` | keys, and the word before them |
//! | `sim_id.rs` | the names of SIMs |
//! | `envelope.rs` | what surrounds the rows |
//! | `way.rs` | which page comes next |
//! | `walks.rs` | the listing, single SIMs, usage |
//! | `totals.rs` | rows of usage, summed per SIM |
//! | `wire.rs` | the rows as documented and as seen |
//! | `normalise.rs` | what their values mean |
//! | `status.rs` | conditions of status |

mod capabilities;
mod credentials;
mod envelope;
mod normalise;
mod sim_id;
mod status;
mod totals;
mod walks;
mod way;
mod wire;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use self::{
    walks::{OneSim, Report, Sims, UsageOfSim},
    way::Way,
};
use crate::{
    carriers::{
        Account, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier, Context,
        DeviceRecord, HintOf, LimitHint, LineId, ReportScope, Request, UsagePart, UsageReport,
        Walk, calendar::month, pages_of, paging::Paged,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// Rows per page, at most (`docs.onomondo.com/readme/sims`, `docs.onomondo.com/readme/usage`).
const MOST_PER_PAGE: u32 = 1_000;

/// The limit is per minute; a reset further off than this is no time that was meant.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The dialect.
#[derive(Debug)]
pub struct Onomondo;

impl Carrier for Onomondo {
    fn code(&self) -> &'static str {
        "onomondo"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://api.onomondo.com"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        credentials::header(account).map(Authorization::Headers)
    }

    /// `x-ratelimit-reset` is a point in time here, in unix seconds; other carriers send seconds left by
    /// that name. One in this second has not come yet; one that has passed names nothing.
    fn limit_hint(&self, headers: &http::HeaderMap, now: DateTime<Utc>) -> Option<LimitHint> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let remaining = number("x-ratelimit-remaining").and_then(|left| left.try_into().ok());
        let resets_in = number("x-ratelimit-reset")
            .and_then(|at| at.checked_sub(now.timestamp()))
            .and_then(|seconds| seconds.try_into().ok())
            .map(|seconds: u64| Duration::from_secs(seconds.max(1)))
            .filter(|wait| *wait <= LONGEST_WAIT);
        (remaining.is_some() || resets_in.is_some()).then_some(LimitHint {
            remaining,
            resets_in,
            of: HintOf::Account,
        })
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        sim_id::check(name)
    }

    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        let request = Request::get("sims").with("limit", 1);
        Box::new(Paged::once(sims(context, &request, 1), request))
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let size = page_size(context.pages.devices);
        let request = Request::get("sims").with("limit", size);
        let walk = sims(context, &request, size);
        Bulk::Listing(Box::new(Paged::new(walk, request, context.pages.max_pages)))
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        let month = month(context.now)?;
        let size = page_size(context.pages.usage);
        let request = usage_in(Request::get("usage"), &month, size);
        let report = Report::of(month, Way::new(&request, size));
        let walk = Paged::new(report, request, context.pages.max_pages);
        Some(UsageReport {
            walk: Box::new(walk),
            scope: ReportScope::Cycle(month),
        })
    }

    /// At least: a SIM has a row per session and quarter of an hour, not one per month.
    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        let pages = |size| pages_of(devices, page_size(size));
        pages(context.pages.devices) + pages(context.pages.usage)
    }

    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let request = Request::of_device("sims/{id}", device.as_str().trim());
        let sim = OneSim {
            device: device.clone(),
            month: month(context.now),
        };
        Box::new(Paged::once(sim, request))
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        (_, line): (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        let size = page_size(context.pages.usage);
        let request = Request::of_device("usage/{id}", &line.to_string()).class("usage");
        let request = usage_in(request, cycle, size);
        let usage = UsageOfSim {
            month: *cycle,
            way: Way::new(&request, size),
        };
        let walk = Paged::new(usage, request, context.pages.max_pages);
        Some(Box::new(walk))
    }
}

fn sims(context: Context<'_>, first: &Request, size: u32) -> Sims {
    Sims {
        month: month(context.now),
        way: Way::new(first, size),
    }
}

/// The filter is required; the month is the one that a cycle begins in, for cycles are months.
fn usage_in(request: Request, cycle: &BillingCycle, size: u32) -> Request {
    request
        .class("usage")
        .with("filter[]", cycle.start().format("time:%Y-%m"))
        .with("limit", size)
}

/// A larger page than the largest may be refused.
fn page_size(wanted: u32) -> u32 {
    wanted.min(MOST_PER_PAGE)
}

#[cfg(test)]
mod tests;
