//! Cisco IoT Control Center (Jasper): the requests of its dialect. See `README.md` beside this file for
//! the API's facts. Many operators resell it, each with its own pod: host and account are settings.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `settings.rs` | pod, cycle day, account |
//! | `account.rs` | the walk over devices and rate plans |
//! | `single.rs` | single calls |
//! | `envelope.rs` | refusals |
//! | `wire.rs` | the rows |
//! | `time.rs` | dates, instants, cycles |
//! | `normalise.rs` | what values mean |

mod account;
mod capabilities;
mod envelope;
mod normalise;
mod settings;
mod single;
mod time;
mod wire;

use std::borrow::Cow;

use secrecy::ExposeSecret;

use self::{
    account::{WholeAccount, listing},
    capabilities::{CYCLE_TO_DATE, SESSION},
    single::{OneDevice, Question},
};
use crate::{
    carriers::{
        Account, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier, Context,
        DeviceRecord, Request, Walk, pages_of, paging::Paged,
    },
    device::CarrierDeviceId,
};

/// Letters of an ICCID. Some operators fill it up with an `F`; the check digit is not looked at, for the
/// vendor's own example does not have a valid one.
const ICCID_LENGTHS: std::ops::RangeInclusive<usize> = 18..=22;

/// The dialect.
#[derive(Debug)]
pub struct Cisco;

impl Carrier for Cisco {
    fn code(&self) -> &'static str {
        "cisco"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, account: &Account) -> Result<Cow<'_, str>, BadAccount> {
        settings::base_url(account).map(Cow::Owned)
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        settings::account_id(account)?;
        settings::cycle_day(account)?;
        basic(account)
    }

    fn is_throttling(&self, _: u16, body: &[u8]) -> bool {
        envelope::is_throttling(body)
    }

    fn refuses_credentials(&self, _: u16, body: &[u8]) -> bool {
        envelope::refuses_credentials(body)
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        let name = name.trim();
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let looks_like = if matches!(name.len(), 10..=16) && is_digits(name) {
            "an IMSI, IMEI or MSISDN"
        } else if !ICCID_LENGTHS.contains(&name.len())
            || !name.starts_with("89")
            || !is_digits(name.trim_end_matches(['F', 'f']))
        {
            "no ICCID"
        } else {
            return Ok(());
        };
        Err(BadDeviceName(format!(
            "looks like {looks_like}; Control Center wants the ICCID as it lists it: 18 to 22 digits that \
             begin with 89"
        )))
    }

    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        let id = settings::account_id(context.account).ok().flatten();
        let walk = Paged::once(whole_account(context, (1, 1)), listing(id, 1));
        Box::new(walk)
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let pages = context.pages;
        let id = settings::account_id(context.account).ok().flatten();
        let walk = whole_account(context, (pages.devices, pages.usage));
        let walk = Paged::new(walk, listing(id, pages.devices), pages.max_pages);
        Bulk::Listing(Box::new(walk))
    }

    /// On one rate plan; each further one costs at most one page more.
    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        pages_of(devices, context.pages.devices) + pages_of(devices, context.pages.usage)
    }

    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        one(context, device, Question::Details)
    }

    fn get_detail(
        &self,
        context: Context<'_>,
        detail: usize,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let question = match detail {
            CYCLE_TO_DATE => Question::CycleToDate,
            SESSION => Question::Session,
            _ => Question::Details,
        };
        one(context, device, question)
    }
}

fn whole_account(context: Context<'_>, page_sizes: (u32, u32)) -> WholeAccount {
    let cycle_day = settings::cycle_day(context.account).ok().flatten();
    WholeAccount::new(context.now, cycle_day, page_sizes)
}

fn one(
    context: Context<'_>,
    device: &CarrierDeviceId,
    question: Question,
) -> Box<dyn Walk<DeviceRecord>> {
    let (template, class) = match question {
        Question::Details => ("devices/{id}", "device"),
        Question::CycleToDate => ("devices/{id}/ctdUsages", "usage"),
        Question::Session => ("devices/{id}/sessionInfo", "device"),
    };
    let request = Request::of_device(template, device.as_str().trim()).class(class);
    let endpoint = OneDevice {
        device: device.clone(),
        cycle_day: settings::cycle_day(context.account).ok().flatten(),
        question,
    };
    Box::new(Paged::once(endpoint, request))
}

/// Neither value is repeated, whatever is wrong with it.
fn basic(account: &Account) -> Result<Authorization, BadAccount> {
    let user = account.api_key.expose_secret().trim();
    let key = account.api_secret.as_ref();
    let key = key.filter(|key| !key.expose_secret().trim().is_empty());
    let is_plain = |text: &str| !text.bytes().any(|byte| byte.is_ascii_control());
    let wrong = match key {
        _ if user.is_empty() => "api_key is empty",
        _ if user.contains(':') => "api_key holds a colon, which no user name does",
        _ if !is_plain(user) => "api_key holds a line break or another control character",
        None => "api_secret is missing",
        Some(key) if !is_plain(key.expose_secret()) => {
            "api_secret holds a line break or another control character"
        }
        Some(key) => {
            return Ok(Authorization::Basic {
                user: user.to_owned(),
                password: key.clone(),
            });
        }
    };
    Err(BadAccount(format!(
        "{wrong}; Control Center wants the user name as api_key and the API key of that user (shown in the \
         user's profile), not the password, as api_secret"
    )))
}

#[cfg(test)]
mod tests;
