//! Carrier dialects: which requests to make and what the answers mean. One folder per carrier.
//!
//! Everything here is pure: a [`Carrier`] describes requests, a [`Walk`] turns answers into records
//! and names the next request. Nothing here does I/O, waits, logs or knows of databases and actors,
//! so every dialect is tested from files (`testdata/`).
//!
//! | file | holds |
//! |---|---|
//! | `account.rs` | what a request needs to know of an integration |
//! | `request.rs` | a request as data, credentials apart |
//! | `walk.rs` | paging: the shape of a page, the guard against endless cursors |
//! | `record.rs` | what an answer says, in one vocabulary for all carriers |
//! | `lenient.rs` | reading JSON that breaks its own documentation |
//! | `scalar.rs` | what one text, number or truth value means |
//! | `verbatim.rs` | the same, where a typed read fails: by the raw text of each field |
//! | `registry.rs` | the list of carriers |

pub mod account;
pub mod hologram;
pub mod lenient;
pub mod record;
pub mod registry;
pub mod request;
pub mod scalar;
pub mod verbatim;
pub mod walk;

pub use account::{Account, BadAccount};
pub use record::{DeviceRecord, LineId, LineRecord, UsagePart, UsageRecord};
pub use request::{Authorization, Request};
pub use walk::{Page, ReadError, Walk};

use chrono::TimeDelta;

use crate::device::{BillingCycle, CarrierDeviceId};

/// Page sizes to ask for, from `[carriers.<code>]` in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSizes {
    /// Rows per page of a device listing.
    pub devices: u32,
    /// Rows per page of a usage report.
    pub usage: u32,
    /// Pages after which a walk ends in an error instead of going on.
    pub max_pages: u32,
}

/// A bulk read, where the carrier offers one to this account.
pub enum Bulk<T> {
    /// None: ask for each device.
    PerDevice,
    /// A listing to walk.
    Listing(Box<dyn Walk<T>>),
}

/// One carrier's dialect.
pub trait Carrier: Send + Sync + std::fmt::Debug {
    /// The carrier's name in `carrier_integrations.carrier_name` and in the configuration.
    fn code(&self) -> &'static str;

    /// Base address of the API, used unless the integration brings its own.
    fn base_url(&self) -> &'static str;

    /// The header that proves who we are.
    ///
    /// # Errors
    /// [`BadAccount`] when the integration lacks what this carrier needs.
    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount>;

    /// Whether a refusal with this status (never 2xx nor 429, which need no words) and this body means
    /// "too fast": some carriers say so with the status of refused credentials.
    ///
    /// The body is as it came and may be cut, empty or HTML.
    fn is_throttling(&self, _status: u16, _body: &[u8]) -> bool {
        false
    }

    /// A harmless call that shows whether credentials and account work.
    fn probe(&self, account: &Account, pages: PageSizes) -> Box<dyn Walk<DeviceRecord>>;

    /// Status, ICCID and (where the row carries it) usage of every device of the account.
    fn get_bulk_device_info(&self, _: &Account, _: PageSizes) -> Bulk<DeviceRecord> {
        Bulk::PerDevice
    }

    /// Usage of every line of the account in its current billing cycle.
    fn get_bulk_usage(&self, _: &Account, _: PageSizes) -> Bulk<UsageRecord> {
        Bulk::PerDevice
    }

    /// Status, ICCID and (where the answer carries it) usage of one device.
    fn get_device_info(
        &self,
        account: &Account,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>>;

    /// How long the records behind [`Carrier::get_usage`] are kept; `None`: for ever. Of a cycle that
    /// began earlier the answer is empty or a remainder, and neither is what was used.
    fn usage_kept_for(&self) -> Option<TimeDelta> {
        None
    }

    /// The parts whose sum is what one line of a device used in `cycle`.
    fn get_usage(
        &self,
        account: &Account,
        of: (&CarrierDeviceId, &LineId),
        cycle: &BillingCycle,
        pages: PageSizes,
    ) -> Box<dyn Walk<UsagePart>>;
}
