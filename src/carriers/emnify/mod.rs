//! emnify: the requests of its dialect. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `credentials.rs` | application tokens, and the tokens that they buy |
//! | `wire.rs` | the JSON as documented and as really sent |
//! | `normalise.rs` | what its values mean |
//! | `stats.rs` | what an endpoint used in the current month |

mod capabilities;
mod credentials;
mod normalise;
mod stats;
mod wire;

use std::borrow::Cow;

use crate::carriers::iccid::looks_like_iccid;
use crate::carriers::numbered::Numbered;
use crate::carriers::single::one;
use crate::carriers::{
    Account, Answer, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier,
    Context, DeviceRecord, ReadError, Request, Token, Walk, pages_of,
};
use crate::device::CarrierDeviceId;

/// Rows of the largest page (`docs.emnify.com/developers/api/endpoint/get-endpoints`).
const MOST_PER_PAGE: u32 = 1_000;

/// The dialect.
#[derive(Debug)]
pub struct Emnify;

impl Carrier for Emnify {
    fn code(&self) -> &'static str {
        "emnify"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://cdn.emnify.net"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        credentials::token_request(account).map(Authorization::Token)
    }

    fn read_token(&self, answer: &Answer<'_>) -> Result<Token, ReadError> {
        credentials::read_token(answer)
    }

    fn is_throttling(&self, _: u16, body: &[u8]) -> bool {
        credentials::is_locked_out(body)
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        let name = name.trim();
        let what = if looks_like_iccid(name) {
            "looks like an ICCID"
        } else if name.parse::<u64>().is_err() || name.starts_with('+') {
            "is not a number"
        } else {
            return Ok(());
        };
        Err(BadDeviceName(format!(
            "{what}; emnify wants the endpoint id, a number that the portal shows in the details of a device"
        )))
    }

    fn probe(&self, _: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        Numbered::first(listing(1), normalise::endpoint_row)
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let size = page_size(context);
        Bulk::Listing(Numbered::all(
            listing(size),
            size,
            context.pages.max_pages,
            normalise::endpoint_row,
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
        let device = device.clone();
        let request = Request::of_device("api/v1/endpoint/{id}", device.as_str());
        one(request, move |answer, unmapped| {
            normalise::endpoint(answer, &device, unmapped)
        })
    }

    fn get_detail(
        &self,
        context: Context<'_>,
        detail: usize,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let name = device.clone();
        match detail {
            0 => {
                let request = Request::of_device("api/v1/endpoint/{id}/stats", name.as_str());
                one(request.class("usage"), move |answer, unmapped| {
                    stats::usage(answer, &name, unmapped)
                })
            }
            1 => {
                let request =
                    Request::of_device("api/v1/endpoint/{id}/connectivity", name.as_str());
                one(request, move |answer, unmapped| {
                    normalise::connectivity(answer, &name, unmapped)
                })
            }
            _ => self.get_device_info(context, device),
        }
    }
}

fn listing(size: u32) -> Request {
    Request::get("api/v1/endpoint").with("per_page", size)
}

/// A larger page is cut without a word, and a page that is not full would be taken for the last one.
fn page_size(context: Context<'_>) -> u32 {
    context.pages.devices.min(MOST_PER_PAGE)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::carriers::PageSizes;

    #[test]
    fn a_thousand_endpoints_are_listed_in_one_call() {
        let account = Account {
            api_key: "a-token".to_owned().into(),
            api_secret: None,
            account_id: None,
            settings: serde_json::Map::new(),
        };
        let context = Context {
            account: &account,
            pages: PageSizes {
                devices: 1_000,
                usage: 1_000,
                max_pages: 10,
            },
            now: DateTime::UNIX_EPOCH,
            common_cycle: None,
        };
        let calls = |devices| Emnify.bulk_calls(context, devices);
        assert_eq!([0, 1, 1_000, 1_001].map(calls), [1, 1, 1, 2]);
    }

    #[test]
    fn a_name_that_cannot_be_an_endpoint_id_is_refused() {
        for good in ["1", "55214676", " 7 ", "007"] {
            assert_eq!(Emnify.check_device(good), Ok(()), "{good}");
        }
        let table = [
            ("8988303000123456789", "ICCID"),
            ("89883030001234567894", "ICCID"),
            ("endpoint-7", "not a number"),
            ("-1", "not a number"),
            ("+1", "not a number"),
            ("", "not a number"),
        ];
        for (wrong, said) in table {
            let error = Emnify
                .check_device(wrong)
                .map_err(|error| error.to_string());
            let error = error.err().unwrap_or_default();
            assert!(
                error.contains(said) && error.contains("endpoint id"),
                "{wrong}: {error}"
            );
        }
    }
}
