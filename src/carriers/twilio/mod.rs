//! Twilio: its credentials, around the dialect of Super SIM. See `README.md` beside this file for the API's
//! facts.
//!
//! | file | holds |
//! |---|---|
//! | `capabilities.rs` | what it can tell |
//! | `supersim.rs` | the requests of Super SIM, spoken by KORE too |
//! | `walks.rs` | what a page of each listing becomes |
//! | `next_page.rs` | where a listing goes on |
//! | `window.rs` | the time a usage record is asked for |
//! | `totals.rs` | a SIM's usage, summed over the rows of a report |
//! | `wire.rs` | the rows as documented |
//! | `normalise.rs` | what their values mean |
//!
//! All but `capabilities.rs` and this file knows no vendor: what differs between Twilio and KORE is in
//! [`SuperSim`].

mod capabilities;
mod next_page;
mod normalise;
pub(super) mod supersim;
mod totals;
mod walks;
mod window;
mod wire;

use std::borrow::Cow;

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use self::supersim::SuperSim;
use crate::{
    carriers::{
        Account, Authorization, BadAccount, BadDeviceName, Bulk, Capabilities, Carrier, Context,
        DeviceRecord, LineId, UsagePart, UsageReport, Walk,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// What is Twilio's own of the dialect.
const SUPER_SIM: SuperSim = SuperSim {
    vendor: "Twilio",
    sims_are_shown_in: "the Twilio Console, Super SIM, SIMs",
    most_usage_rows: 1_000,
};

/// The dialect.
#[derive(Debug)]
pub struct Twilio;

impl Carrier for Twilio {
    fn code(&self) -> &'static str {
        "twilio"
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::CAPABILITIES
    }

    fn sample(&self) -> &'static str {
        include_str!("sample.toml")
    }

    fn base_url(&self, _: &Account) -> Result<Cow<'_, str>, BadAccount> {
        Ok(Cow::Borrowed("https://supersim.twilio.com/v1"))
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        let user = account.api_key.expose_secret().trim();
        check_sid(user)?;
        let password = account
            .api_secret
            .as_ref()
            .filter(|secret| !secret.expose_secret().trim().is_empty());
        let Some(password) = password else {
            return Err(BadAccount(
                "api_secret is missing; Twilio wants the auth token beside an account SID (AC…), or the \
                 secret of the API key beside its SID (SK…)"
                    .into(),
            ));
        };
        Ok(Authorization::Basic {
            user: user.to_owned(),
            password: password.clone(),
        })
    }

    fn check_device(&self, name: &str) -> Result<(), BadDeviceName> {
        SUPER_SIM.check_device(name)
    }

    fn probe(&self, _: Context<'_>) -> Box<dyn Walk<DeviceRecord>> {
        SUPER_SIM.probe()
    }

    fn get_bulk_device_info(&self, context: Context<'_>) -> Bulk<DeviceRecord> {
        SUPER_SIM.listing(context)
    }

    fn get_bulk_usage(&self, context: Context<'_>) -> Option<UsageReport> {
        Some(SUPER_SIM.report(context))
    }

    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64 {
        SUPER_SIM.bulk_calls(context, devices)
    }

    fn get_device_info(
        &self,
        _: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        SUPER_SIM.sim(device)
    }

    fn get_detail(
        &self,
        _: Context<'_>,
        _: usize,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        SUPER_SIM.billing_periods(device)
    }

    fn usage_kept_for(&self) -> Option<TimeDelta> {
        Some(SuperSim::USAGE_KEPT)
    }

    fn get_usage(
        &self,
        context: Context<'_>,
        (_, line): (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        Some(SUPER_SIM.usage(context, line, cycle))
    }
}

/// The value is not repeated: it might be the auth token in the wrong column.
fn check_sid(key: &str) -> Result<(), BadAccount> {
    if key.starts_with("AC") || key.starts_with("SK") {
        return Ok(());
    }
    let wrong = if key.is_empty() {
        "is empty"
    } else {
        "begins neither with AC nor with SK"
    };
    Err(BadAccount(format!(
        "api_key {wrong}; Twilio wants the account SID (AC…, Twilio Console, account info) or the SID of an \
         API key (SK…, Twilio Console, API keys & tokens), and the token or secret in api_secret"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn account(key: &str, secret: Option<&str>) -> Account {
        Account {
            api_key: key.to_owned().into(),
            api_secret: secret.map(|secret| secret.to_owned().into()),
            account_id: None,
            settings: serde_json::Map::new(),
        }
    }

    #[test]
    fn account_and_api_key_sids_are_users_and_the_secret_is_the_password() {
        for sid in [
            "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "SKbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ] {
            let Ok(Authorization::Basic { user, password }) =
                Twilio.authorize(&account(sid, Some("secret")))
            else {
                panic!("not Basic");
            };
            assert_eq!((user.as_str(), password.expose_secret()), (sid, "secret"));
        }
    }

    #[test]
    fn another_kind_of_key_is_refused_without_repeating_it() {
        for key in ["", " ", "0123456789abcdef0123456789abcdef", "HSecret", "sk"] {
            let refused = Twilio.authorize(&account(key, Some("secret")));
            let error = refused.unwrap_err().to_string();
            assert!(
                error.contains("api_key") && error.contains("SK…"),
                "{error}"
            );
            assert!(
                key.trim().len() < 3 || !error.contains(key.trim()),
                "{error}"
            );
        }
    }

    #[test]
    fn a_sid_without_its_secret_is_refused() {
        for secret in [None, Some(""), Some("  ")] {
            let account = account("ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", secret);
            let error = Twilio.authorize(&account).unwrap_err().to_string();
            assert!(error.contains("api_secret is missing"), "{error}");
        }
    }
}
