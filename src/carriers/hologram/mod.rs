//! Hologram: the requests of its dialect. See `README.md` beside this file for the API's facts.

use crate::{
    carriers::{
        Account, Authorization, BadAccount, Carrier, DeviceRecord, PageSizes, UsagePart, Walk,
    },
    device::{BillingCycle, CarrierDeviceId},
};

/// The dialect.
#[derive(Debug)]
pub struct Hologram;

impl Carrier for Hologram {
    fn code(&self) -> &'static str {
        "hologram"
    }

    fn base_url(&self) -> &'static str {
        "https://dashboard.hologram.io/api/1"
    }

    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount> {
        Ok(Authorization::Basic { user: "apikey".to_owned(), password: account.api_key.clone() })
    }

    fn probe(&self, _: &Account, _: PageSizes) -> Box<dyn Walk<DeviceRecord>> {
        unimplemented!()
    }

    fn get_device_info(&self, _: &Account, _: &CarrierDeviceId) -> Box<dyn Walk<DeviceRecord>> {
        unimplemented!()
    }

    fn get_usage(
        &self,
        _: &Account,
        _: &CarrierDeviceId,
        _: &BillingCycle,
        _: PageSizes,
    ) -> Box<dyn Walk<UsagePart>> {
        unimplemented!()
    }
}
