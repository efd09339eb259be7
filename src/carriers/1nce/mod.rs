//! 1NCE, API version 2: the requests of its dialect. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `credentials.rs` | API users, tokens, how a refusal is told |
//! | `names.rs` | ICCIDs with and without their check digit |
//! | `wire.rs` | the JSON as documented and as really sent |
//! | `normalise.rs` | what its values mean |
//! | `quota.rs` | what a lifetime quota says of usage |

mod capabilities;
mod credentials;
mod names;
mod normalise;
mod quota;
mod wire;

use std::borrow::Cow;

use self::names::SimName;
use crate::carriers::numbered::Numbered;
use crate::carriers::single::one;
use crate::carriers::{
    Account, Answer, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier,
    Context, DeviceRecord, ReadError, Request, Token, Walk, pages_of,
};
use crate::device::CarrierDeviceId;

/// Rows of the largest page (OpenAPI document, `pageSize`).
const MOST_PER_PAGE: u32 = 100;

/// The dialect.
#[derive(Debug)]
pub struct OneNce;

impl Carrier for OneNce {
    fn code(&self) -> &'static str {
        "1nce"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://api.1nce.com/management-api"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        credentials::token_request(account).map(Authorization::Token)
    }

    fn read_token(&self, answer: &Answer<'_>) -> Result<Token, ReadError> {
        credentials::read_token(answer)
    }

    fn refuses_credentials(&self, status: u16, body: &[u8]) -> bool {
        credentials::are_refused(status, body)
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        names::check(name)
    }

    fn probe(&self, _: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        Numbered::first(listing(1), normalise::sim_row)
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let size = page_size(context);
        Bulk::Listing(Numbered::all(
            listing(size),
            size,
            context.pages.max_pages,
            normalise::sim_row,
        ))
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        pages_of(devices, page_size(context))
    }

    fn get_device_info(
        &self,
        _: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let name = SimName::of(device);
        let request = Request::of_device("v2/sims/{id}", name.path());
        one(request, move |answer, unmapped| {
            normalise::sim(answer, &name, unmapped)
        })
    }

    fn get_detail(
        &self,
        context: Context<'_>,
        detail: usize,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let name = SimName::of(device);
        match detail {
            0 => {
                let request = Request::of_device("v2/sims/{id}/quota/data", name.path());
                one(request.class("usage"), move |answer, unmapped| {
                    quota::usage(answer, &name, unmapped)
                })
            }
            1 => {
                let request = Request::of_device("v2/sims/{id}/status", name.path());
                one(request, move |answer, unmapped| {
                    normalise::connectivity(answer, &name, unmapped)
                })
            }
            _ => self.get_device_info(context, device),
        }
    }
}

fn listing(size: u32) -> Request {
    Request::get("v2/sims").with("pageSize", size)
}

/// A larger page is cut or refused, and a page that is not full would be taken for the last one.
fn page_size(context: Context<'_>) -> u32 {
    context.pages.devices.min(MOST_PER_PAGE)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::carriers::PageSizes;

    #[test]
    fn a_thousand_sims_are_listed_in_ten_calls() {
        let account = Account {
            api_key: "an-id".to_owned().into(),
            api_secret: Some("a-secret".to_owned().into()),
            account_id: None,
            settings: serde_json::Map::new(),
        };
        let context = |devices| Context {
            account: &account,
            pages: PageSizes {
                devices,
                usage: 100,
                max_pages: 100,
            },
            now: DateTime::UNIX_EPOCH,
            common_cycle: None,
        };
        let calls = |devices| OneNce.bulk_calls(context(100), devices);
        assert_eq!([0, 1, 1_000, 1_001].map(calls), [1, 1, 10, 11]);
        assert_eq!(OneNce.bulk_calls(context(5_000), 1_000), 10, "as asked for");
    }
}
