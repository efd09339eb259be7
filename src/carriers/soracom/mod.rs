//! Soracom: the requests of its dialect. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `credentials.rs` | keys, tokens, coverages |
//! | `envelope.rs` | lists, objects, and refusals in their place |
//! | `export.rs` | the usage export, a CSV |
//! | `walks.rs` | the listing and single calls |
//! | `wire.rs` | the rows as documented |
//! | `normalise.rs` | what their values mean |

mod capabilities;
mod credentials;
mod envelope;
mod export;
mod normalise;
mod walks;
mod wire;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use self::{
    export::Export,
    walks::{OneSim, Sims, Stats},
};
use crate::{
    carriers::{
        Account, Answer, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier,
        Context, DeviceRecord, HintOf, LimitHint, LineId, ReadError, ReportScope, Request, Token,
        UsagePart, UsageReport, Walk, calendar::month, pages_of, paging::Paged,
        request::TOKEN_ACCOUNT,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// Largest page of `/query/sims` (its reference, `limit`).
const MOST_PER_PAGE: u32 = 100;

/// Asking for the export, and fetching it.
const EXPORT_CALLS: u64 = 2;

/// "18 months", as short as they can be.
const STATISTICS_KEPT: TimeDelta = TimeDelta::days(540);

/// The dialect.
#[derive(Debug)]
pub struct Soracom;

impl Carrier for Soracom {
    fn code(&self) -> &'static str {
        "soracom"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, account: &Account) -> Result<Cow<'_, str>, BadAccount> {
        credentials::base_url(account).map(Cow::Borrowed)
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        credentials::token_request(account).map(Authorization::Token)
    }

    fn read_token(&self, answer: &Answer<'_>) -> Result<Token, ReadError> {
        credentials::read_token(answer)
    }

    fn limit_hint(&self, headers: &http::HeaderMap, _: DateTime<Utc>) -> Option<LimitHint> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let remaining = number("x-soracom-ratelimit-remaining");
        let resets_in = number("x-soracom-ratelimit-seconds-before-refresh");
        (remaining.is_some() || resets_in.is_some()).then(|| LimitHint {
            remaining,
            resets_in: resets_in.map(Duration::from_secs),
            of: HintOf::Endpoint,
        })
    }

    /// A SIM id looks like an ICCID, and its check digit is not documented.
    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        let name = name.trim();
        let looks_like = if is_imsi(name) {
            "an IMSI or IMEI"
        } else if name.starts_with("OP") {
            "an operator id"
        } else if name.starts_with("keyId-") || name.starts_with("secret-") {
            "a key"
        } else {
            return Ok(());
        };
        Err(BadDeviceName(format!(
            "looks like {looks_like}; Soracom wants the SIM id (simId), which the user console shows in \
             the list of SIMs"
        )))
    }

    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        Box::new(Paged::once(sims(context), listing(1)))
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let first = listing(context.pages.devices);
        Bulk::Listing(Box::new(Paged::new(
            sims(context),
            first,
            context.pages.max_pages,
        )))
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        let month = month(context.now)?;
        let operator = account_id(context.account).unwrap_or(TOKEN_ACCOUNT);
        let request = Request::of_device("stats/air/operators/{id}/export", operator)
            .class("usage")
            .with("export_mode", "sync")
            .post(&json!({
                "from": month.start().timestamp(),
                "to": context.now.timestamp(),
                "period": "month",
            }));
        let walk = Paged::new(Export::of(month), request, context.pages.max_pages.max(3));
        Some(UsageReport {
            walk: Box::new(walk),
            // Not `Cycle`: that a SIM without usage has no row is not documented.
            scope: ReportScope::Cycles,
        })
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        pages_of(devices, context.pages.devices.min(MOST_PER_PAGE)) + EXPORT_CALLS
    }

    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let sim = OneSim {
            device: device.clone(),
            month: month(context.now),
        };
        let request = Request::of_device("sims/{id}", device.as_str().trim());
        Box::new(Paged::once(sim, request))
    }

    fn usage_kept_for(&self) -> Option<TimeDelta> {
        Some(STATISTICS_KEPT)
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        (device, _): (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        // Whole months are answered, those of both ends included: the end itself is in the next one.
        let last = cycle.end() - TimeDelta::seconds(1);
        let to = context.now.clamp(cycle.start(), last.max(cycle.start()));
        let request = Request::of_device("stats/air/sims/{id}", device.as_str().trim())
            .class("usage")
            .with("from", cycle.start().timestamp())
            .with("to", to.timestamp())
            .with("period", "month");
        Some(Box::new(Paged::once(Stats { month: *cycle }, request)))
    }
}

fn sims(context: Context<'_>) -> Sims {
    Sims {
        month: month(context.now),
    }
}

fn listing(page_size: u32) -> Request {
    Request::get("query/sims").with("limit", page_size.min(MOST_PER_PAGE))
}

fn account_id(account: &Account) -> Option<&str> {
    let id = account.account_id.as_deref()?.trim();
    (!id.is_empty()).then_some(id)
}

/// Fifteen digits; SIM ids have more.
fn is_imsi(name: &str) -> bool {
    matches!(name.len(), 14..=16) && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
