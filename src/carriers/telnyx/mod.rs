//! Telnyx Wireless: the requests of its dialect. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `credentials.rs` | keys |
//! | `sim_id.rs` | the names of SIM cards |
//! | `envelope.rs` | what surrounds the rows: refusals, the next page |
//! | `walks.rs` | the listing and single calls |
//! | `wire.rs` | the rows as documented |
//! | `normalise.rs` | what their values mean |
//! | `status.rs` | words of status |

mod capabilities;
mod credentials;
mod envelope;
mod normalise;
mod sim_id;
mod status;
mod walks;
mod wire;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use self::walks::{OneSim, Sims};
use crate::{
    carriers::{
        Account, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier, Context,
        DeviceRecord, HintOf, LimitHint, Request, Walk, pages_of, paging::Paged,
    },
    device::CarrierDeviceId,
};

/// SIM cards per page, at most (`developers.telnyx.com/openapi/wireless/tag/SIM-Cards/`).
const MOST_PER_PAGE: u32 = 250;

/// The query parameter that takes the number of a page, from 1.
const PAGE: &str = "page[number]";

/// The dialect.
#[derive(Debug)]
pub struct Telnyx;

impl Carrier for Telnyx {
    fn code(&self) -> &'static str {
        "telnyx"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://api.telnyx.com/v2"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        credentials::check(&account.api_key)?;
        Ok(Authorization::bearer(&account.api_key))
    }

    /// `x-ratelimit-reset` is seconds left here; other carriers send a point in time by that name.
    fn limit_hint(&self, headers: &http::HeaderMap, _: DateTime<Utc>) -> Option<LimitHint> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let remaining = number("x-ratelimit-remaining");
        let resets_in = number("x-ratelimit-reset");
        (remaining.is_some() || resets_in.is_some()).then(|| LimitHint {
            remaining,
            resets_in: resets_in.map(Duration::from_secs),
            of: HintOf::Endpoint,
        })
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        sim_id::check(name)
    }

    fn probe(&self, _: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        Box::new(Paged::once(Sims::new(1), listing(1)))
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let size = page_size(context);
        let walk = Paged::new(Sims::new(size), listing(size), context.pages.max_pages);
        Bulk::Listing(Box::new(walk))
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        pages_of(devices, page_size(context))
    }

    /// Also the only detail: the listing lacks the live session, and nothing else has it alone.
    fn get_device_info(
        &self,
        _: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let request = Request::of_device("sim_cards/{id}", &sim_id::canonical(device.as_str()));
        Box::new(Paged::once(OneSim::of(device), request))
    }
}

/// A larger page than the largest is refused whole.
fn page_size(context: Context<'_>) -> u32 {
    context.pages.devices.min(MOST_PER_PAGE)
}

fn listing(size: u32) -> Request {
    Request::get("sim_cards")
        .with("page[size]", size)
        .with(PAGE, 1)
}

#[cfg(test)]
mod tests;
