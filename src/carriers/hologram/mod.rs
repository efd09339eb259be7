//! Hologram: the requests of its dialect. See `README.md` beside this file for the API's facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `walks.rs` | paging |
//! | `envelope.rs` | what surrounds the rows: refusals, the next page |
//! | `wire.rs` | the rows as documented and as really sent |
//! | `normalise.rs` | what their values mean |
//! | `links.rs` | the links of a device |
//! | `status.rs` | words of status |

mod capabilities;
mod envelope;
mod links;
mod normalise;
mod status;
mod walks;
mod wire;

use std::borrow::Cow;

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use self::walks::{Billing, Devices, Listing, OneDevice, Reach, Sessions};
use crate::{
    carriers::{
        Account, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier, Context,
        DeviceRecord, LineId, ReportScope, UsagePart, UsageReport, Walk, iccid::looks_like_iccid,
        pages_of,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// User name of every key: the literal word.
const USER: &str = "apikey";

/// "Three months" (docs.hologram.io/api/1/usage/data), as short as three months can be.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(89);

/// The dialect.
#[derive(Debug)]
pub struct Hologram;

impl Carrier for Hologram {
    fn code(&self) -> &'static str {
        "hologram"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://dashboard.hologram.io/api/1"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        check_key(account.api_key.expose_secret())?;
        check_account_id(account)?;
        Ok(Authorization::Basic {
            user: USER.to_owned(),
            password: account.api_key.clone(),
        })
    }

    fn is_throttling(&self, _: u16, body: &[u8]) -> bool {
        envelope::is_throttling(body)
    }

    /// A number is not insisted on: an adopted table may hold what only the carrier can judge.
    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        if looks_like_iccid(name) {
            return Err(BadDeviceName(
                "looks like an ICCID; Hologram wants the device id, a number that the dashboard shows \
                 beside the device"
                    .into(),
            ));
        }
        Ok(())
    }

    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        let query = query(context.account, 1, []);
        let max_pages = context.pages.max_pages;
        Box::new(Listing::<Devices>::new(query, max_pages, Reach::FirstPage))
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        let Context { account, pages, .. } = context;
        if orgid(account).is_none() {
            return Bulk::PerDevice;
        }
        let query = query(account, pages.devices, []);
        Bulk::Listing(Box::new(Listing::<Devices>::new(
            query,
            pages.max_pages,
            Reach::All,
        )))
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        let Context { account, pages, .. } = context;
        orgid(account)?;
        // The parameter saves rows; nothing relies on it: older periods are passed over.
        let query = query(account, pages.usage, [("maxperiodsback", "1".to_owned())]);
        let walk = Listing::<Billing>::new(query, pages.max_pages, Reach::All);
        Some(UsageReport {
            walk: Box::new(walk),
            scope: ReportScope::Cycles,
        })
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        if orgid(context.account).is_none() {
            return 0;
        }
        // Two rows a line: this period and the one before.
        pages_of(devices, context.pages.devices) + pages_of(2 * devices, context.pages.usage)
    }

    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        let org = orgid(context.account).and_then(|id| id.parse().ok());
        Box::new(OneDevice::new(device, org))
    }

    fn usage_kept_for(&self) -> Option<TimeDelta> {
        Some(SESSIONS_KEPT)
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        (_, line): (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        let Context { account, pages, .. } = context;
        // Documented filters of this report are links, not devices.
        let window = [
            ("linkid", line.to_string()),
            ("timestart", cycle.start().timestamp().to_string()),
            ("timeend", cycle.end().timestamp().to_string()),
        ];
        let query = query(account, pages.usage, window);
        let walk = Listing::<Sessions>::new(query, pages.max_pages, Reach::All);
        Some(Box::new(walk))
    }
}

/// `orgid` where there is one, then what the endpoint wants, then the page size: without `limit`
/// the usage endpoints answer 100 rows and say nothing.
fn query<const N: usize>(
    account: &Account,
    limit: u32,
    wanted: [(&'static str, String); N],
) -> Vec<(Cow<'static, str>, String)> {
    let orgid = orgid(account).map(|id| ("orgid", id.to_owned()));
    orgid
        .into_iter()
        .chain(wanted)
        .chain([("limit", limit.to_string())])
        .map(|(name, value)| (Cow::Borrowed(name), value))
        .collect()
}

/// The organisation to ask about. A key reaches every organisation of its user, so without this
/// there is no listing of *the account*.
fn orgid(account: &Account) -> Option<&str> {
    account
        .account_id
        .as_deref()
        .map(str::trim)
        .filter(|id| is_number(id))
}

fn is_number(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value is not repeated: it might be a key in the wrong column.
fn check_account_id(account: &Account) -> Result<(), BadAccount> {
    let is_set = account
        .account_id
        .as_deref()
        .is_some_and(|id| !id.trim().is_empty());
    if is_set && orgid(account).is_none() {
        return Err(BadAccount(
            "account_id is not a number; Hologram wants the organisation id (orgid) in digits, \
             or none to ask for each device by itself"
                .into(),
        ));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), BadAccount> {
    let wrong = if key.trim().is_empty() {
        "is empty"
    } else if !key.is_ascii() {
        "holds characters outside ASCII"
    } else if key.bytes().any(|byte| byte.is_ascii_control()) {
        "holds a line break or another control character"
    } else {
        return Ok(());
    };
    Err(BadAccount(format!(
        "api_key {wrong}; Hologram wants the API key of a dashboard user"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;

    use super::*;
    use crate::carriers::PageSizes;

    fn account(key: &str, account_id: Option<&str>) -> Account {
        Account {
            api_key: key.to_owned().into(),
            api_secret: None,
            account_id: account_id.map(str::to_owned),
            settings: serde_json::Map::new(),
        }
    }

    fn context(account: &Account) -> Context<'_> {
        Context {
            account,
            pages: PageSizes {
                devices: 1000,
                usage: 5000,
                max_pages: 10,
            },
            now: DateTime::UNIX_EPOCH,
            common_cycle: None,
        }
    }

    fn is_listed(account: &Account) -> (bool, bool) {
        let listing = Hologram.get_bulk_device_info(context(account));
        let report = Hologram.get_bulk_usage(context(account));
        (matches!(listing, Bulk::Listing(_)), report.is_some())
    }

    #[test]
    fn the_key_travels_as_the_password_of_the_user_apikey() {
        let Ok(Authorization::Basic { user, password }) =
            Hologram.authorize(&account("k-1", Some("42")))
        else {
            panic!("not Basic");
        };
        assert_eq!((user.as_str(), password.expose_secret()), ("apikey", "k-1"));
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_without_repeating_it() {
        for key in [
            "",
            "  ",
            "secret\n",
            "sec\r\nret",
            "sec\u{0}ret",
            "sécret",
            "secret\u{7f}",
        ] {
            let error = Hologram
                .authorize(&account(key, None))
                .unwrap_err()
                .to_string();
            assert!(error.contains("api_key"), "{error}");
            assert!(!error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn an_account_id_that_is_no_number_is_refused_without_repeating_it() {
        let long = "9".repeat(20);
        for id in ["abc", "12&limit=1", "-1", "1.0", "٤٢", long.as_str()] {
            let account = account("k", Some(id));
            let error = Hologram.authorize(&account).unwrap_err().to_string();
            assert!(error.contains("digits") && !error.contains(id), "{error}");
            assert_eq!(is_listed(&account), (false, false));
        }
    }

    #[test]
    fn without_an_account_id_each_device_is_asked_for_by_itself() {
        for id in [None, Some(""), Some("  ")] {
            let account = account("k", id);
            assert!(Hologram.authorize(&account).is_ok());
            assert_eq!(is_listed(&account), (false, false));
        }
    }
}
