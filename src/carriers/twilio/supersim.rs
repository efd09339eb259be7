//! The requests of Super SIM: one product at two vendors, Twilio and KORE, with the same resources.
//!
//! Knows neither credentials nor addresses; what differs between the vendors is a field of [`SuperSim`].

use std::borrow::Cow;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{
    walks::{OneSim, Parts, Periods, Report, Sims},
    window::{Window, iso},
};
use crate::{
    carriers::{
        BadDeviceName, Bulk, Context, DeviceRecord, LineId, ReportScope, Request, UsagePart,
        UsageReport, Walk,
        capability::{Detail, Due, Gives, Text},
        iccid::looks_like_iccid,
        pages_of,
        paging::Paged,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// Most rows of a page of SIMs, at both vendors.
const MOST_SIMS: u32 = 1_000;

/// The longest time that a report by SIM may span (error 83603), and the longest billing period.
const LONGEST_REPORT: TimeDelta = TimeDelta::days(31);

/// Behind the letters of a SID.
const SID_DIGITS: usize = 32;

pub(in crate::carriers) const CYCLE_RULE: &str =
    "one month from the SIM's activation, to the second";

pub(in crate::carriers) const FRESHNESS: &str =
    "usage counts as its events arrive; a period is complete 24 hours after its end";

pub(in crate::carriers) const DETAILS: &[Detail] = &[Detail {
    name: Cow::Borrowed("Sims/{id}/BillingPeriods"),
    gives: Gives::Cycle,
    due: Due::OncePerCycle,
}];

pub(in crate::carriers) const GAPS: &[Text] = &[
    Cow::Borrowed("there is no connectivity in the API: network_status stays as it was"),
    Cow::Borrowed(
        "a SIM that was activated at another second than most, and used data, costs a call of its own",
    ),
    Cow::Borrowed("a SIM that was never activated has no billing period, so its usage is unknown"),
    Cow::Borrowed(
        "whether the report may begin within an hour is not documented (error 83602 speaks of whole hours)",
    ),
];

/// What a vendor has of its own.
#[derive(Debug, Clone, Copy)]
pub(in crate::carriers) struct SuperSim {
    /// Its name in messages.
    pub(in crate::carriers) vendor: &'static str,
    /// Where people find a SIM's SID.
    pub(in crate::carriers) sims_are_shown_in: &'static str,
    /// Most rows of a page of usage records; asking for more is refused.
    pub(in crate::carriers) most_usage_rows: u32,
}

impl SuperSim {
    /// Eighteen months (error 83605), as short as they can be.
    pub(in crate::carriers) const USAGE_KEPT: TimeDelta = TimeDelta::days(546);

    /// Refuses what is no SID of a Super SIM. (A unique name would do in a path, but no row names a SIM by
    /// it alone.)
    pub(in crate::carriers) fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        let Self {
            vendor,
            sims_are_shown_in: shown,
            ..
        } = self;
        let wrong = if is_sid("HS", name) {
            return Ok(());
        } else if is_sid("DE", name) {
            "looks like a SIM of Programmable Wireless (DE…), a product that is not spoken"
        } else if looks_like_iccid(name) {
            "looks like an ICCID"
        } else {
            "is no SID of a Super SIM"
        };
        Err(BadDeviceName(format!(
            "{wrong}; {vendor} wants HS and 32 hexadecimal digits, shown in {shown}"
        )))
    }

    pub(in crate::carriers) fn probe(&self) -> Box<dyn Walk<DeviceRecord>> {
        let request = Request::get("Sims").with("PageSize", 1);
        Box::new(Paged::once(Sims, request))
    }

    pub(in crate::carriers) fn listing(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let request = Request::get("Sims").with("PageSize", sims_per_page(context));
        let walk = Paged::new(Sims, request, context.pages.max_pages);
        Bulk::Listing(Box::new(walk))
    }

    /// Without `EndTime`, which is then now: one that is not on the hour might be refused (error 83602).
    pub(in crate::carriers) fn report(&self, context: Context<'_>) -> UsageReport {
        let start = report_start(&context);
        let request = Request::get("UsageRecords")
            .class("usage")
            .with("Group", "sim")
            .with("StartTime", iso(start))
            .with("PageSize", self.usage_per_page(context));
        let report = Report::of(Window::since(start));
        UsageReport {
            walk: Box::new(Paged::new(report, request, context.pages.max_pages)),
            scope: ReportScope::Since(start),
        }
    }

    pub(in crate::carriers) fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        pages_of(devices, sims_per_page(context)) + pages_of(devices, self.usage_per_page(context))
    }

    pub(in crate::carriers) fn sim(&self, device: &CarrierDeviceId) -> Box<dyn Walk<DeviceRecord>> {
        let request = Request::of_device("Sims/{id}", device.as_str());
        Box::new(Paged::once(OneSim::of(device), request))
    }

    pub(in crate::carriers) fn billing_periods(
        &self,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let request = Request::of_device("Sims/{id}/BillingPeriods", device.as_str());
        Box::new(Paged::once(Periods::of(device), request))
    }

    pub(in crate::carriers) fn usage(
        &self,
        context: Context<'_>,
        line: &LineId,
        cycle: &BillingCycle,
    ) -> Box<dyn Walk<UsagePart>> {
        let request = Request::get("UsageRecords")
            .class("usage")
            .with("Sim", line)
            .with("StartTime", iso(cycle.start()))
            .with("EndTime", iso(cycle.end()))
            .with("PageSize", self.usage_per_page(context));
        let parts = Parts::of(Window::of(cycle));
        Box::new(Paged::new(parts, request, context.pages.max_pages))
    }

    fn usage_per_page(&self, context: Context<'_>) -> u32 {
        context.pages.usage.min(self.most_usage_rows)
    }
}

fn sims_per_page(context: Context<'_>) -> u32 {
    context.pages.devices.min(MOST_SIMS)
}

/// To the second where most SIMs' cycle began, so that their rows are their cycles' usage; else as early as
/// a report may begin, so that a SIM without a row has used nothing.
fn report_start(context: &Context<'_>) -> DateTime<Utc> {
    let common = context.common_cycle.map(|cycle| cycle.start());
    let earliest = context.now - LONGEST_REPORT;
    common
        .filter(|start| earliest < *start)
        .unwrap_or_else(|| whole_hour_within(earliest))
}

/// A whole hour an hour or two later: the vendor's clock is not ours, and a report that is a second too long
/// is refused.
fn whole_hour_within(earliest: DateTime<Utc>) -> DateTime<Utc> {
    let hour = TimeDelta::hours(1);
    earliest.duration_trunc(hour).unwrap_or(earliest) + hour * 2
}

fn is_sid(letters: &str, name: &str) -> bool {
    name.strip_prefix(letters).is_some_and(|digits| {
        digits.len() == SID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{
        carriers::{Account, PageSizes},
        device::CycleSource,
    };

    const TWILIO: SuperSim = SuperSim {
        vendor: "Twilio",
        sims_are_shown_in: "the console",
        most_usage_rows: 1_000,
    };
    const KORE: SuperSim = SuperSim {
        most_usage_rows: 249,
        ..TWILIO
    };

    fn account() -> Account {
        Account {
            api_key: "AC".to_owned().into(),
            api_secret: None,
            account_id: None,
            settings: serde_json::Map::new(),
        }
    }

    fn context<'a>(account: &'a Account, now: &str, start: Option<&str>) -> Context<'a> {
        let now: DateTime<Utc> = now.parse().unwrap();
        let cycle = |start: &str| {
            let start = start.parse().unwrap();
            BillingCycle::new(start, now + TimeDelta::days(9), CycleSource::Reported).unwrap()
        };
        Context {
            account,
            pages: PageSizes {
                devices: 5_000,
                usage: 5_000,
                max_pages: 10,
            },
            now,
            common_cycle: start.map(cycle),
        }
    }

    #[test]
    fn a_thousand_sims_cost_two_calls_at_twilio_and_six_at_kore() {
        let account = account();
        let context = context(&account, "2021-07-01T00:00:00Z", None);
        assert_eq!(TWILIO.bulk_calls(context, 1_000), 2);
        assert_eq!(KORE.bulk_calls(context, 1_000), 6);
        assert_eq!(KORE.bulk_calls(context, 0), 2);
    }

    #[test]
    fn no_page_is_larger_than_the_vendor_serves_whatever_is_configured() {
        let account = account();
        let context = context(&account, "2021-07-01T00:00:00Z", None);
        let size = |vendor: SuperSim| {
            let request = vendor.report(context).walk.request().unwrap();
            request.query.last().unwrap().1.clone()
        };
        assert_eq!((size(TWILIO), size(KORE)), ("1000".into(), "249".into()));
    }

    #[test]
    fn a_report_begins_where_the_common_cycle_began_to_the_second() {
        let account = account();
        let now = "2021-07-01T10:20:30.5Z";
        let table = [
            (Some("2021-06-09T13:18:15Z"), "2021-06-09T13:18:15Z"),
            (Some("2021-06-09T13:18:15.25Z"), "2021-06-09T13:18:15.250Z"),
            (None, "2021-05-31T12:00:00Z"),
            (Some("2021-05-31T10:20:30.5Z"), "2021-05-31T12:00:00Z"),
            (Some("2020-06-09T13:18:15Z"), "2021-05-31T12:00:00Z"),
        ];
        for (cycle, start) in table {
            let report = TWILIO.report(context(&account, now, cycle));
            let request = report.walk.request().unwrap();
            assert_eq!(request.query[1], ("StartTime".into(), start.into()));
            let scope = ReportScope::Since(start.parse().unwrap());
            assert_eq!(report.scope, scope, "{cycle:?}");
        }
    }

    #[test]
    fn what_is_no_super_sim_is_refused_with_what_it_looks_like() {
        let hex = "0123456789abcdefABCDEF0123456789";
        let table = [
            (format!("DE{hex}"), "Programmable Wireless"),
            ("89883070000123456789".into(), "ICCID"),
            (format!("HS{hex}0"), "is no SID"),
            (format!("hs{hex}"), "is no SID"),
            (format!("HS{}", "g".repeat(32)), "is no SID"),
            ("My SIM".into(), "is no SID"),
            (String::new(), "is no SID"),
        ];
        for (name, looks) in table {
            let error = TWILIO.check_device(&name).unwrap_err().to_string();
            assert!(
                error.contains(looks) && error.contains("the console"),
                "{error}"
            );
        }
        TWILIO.check_device(&format!("HS{hex}")).unwrap();
    }

    proptest! {
        /// The vendor's clock may be an hour ahead of ours.
        #[test]
        fn no_report_is_longer_than_is_served(
            now in 1_600_000_000_i64..2_000_000_000, ago in proptest::option::of(0_i64..80 * 86_400),
        ) {
            let now = DateTime::from_timestamp(now, 0).unwrap();
            let start = ago.map(|ago| now - TimeDelta::seconds(ago));
            let account = account();
            let now = now.to_rfc3339();
            let start = start.map(|start| start.to_rfc3339());
            let context = context(&account, &now, start.as_deref());
            let begin = report_start(&context);
            prop_assert!(context.now - begin < LONGEST_REPORT);
            if start.is_none() {
                prop_assert!(context.now - begin <= LONGEST_REPORT - TimeDelta::hours(1));
                prop_assert!(context.now - begin > LONGEST_REPORT - TimeDelta::hours(3));
            }
        }
    }
}
