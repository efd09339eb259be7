//! Carrier dialects: which requests to make and what the answers mean. One folder per carrier.
//!
//! Everything here is pure: a [`Carrier`] describes requests, a [`Walk`] turns answers into records
//! and names the next request. Nothing here does I/O, waits, logs or knows of databases and actors,
//! so every dialect is tested from files (`testdata/`).
//!
//! | file | holds |
//! |---|---|
//! | `account.rs` | what a request needs to know of an integration |
//! | `answer.rs` | what comes back: body, headers, times; what headers say of limits |
//! | `calendar.rs` | billing cycles that are calendar months |
//! | `capability.rs` | what a carrier can tell, and what it costs |
//! | `iccid.rs` | SIM numbers and their check digit |
//! | `lenient.rs` | reading JSON that breaks its own documentation |
//! | `numbered.rs` | listings in numbered pages whose end a header tells |
//! | `matrix.rs` | all of them as a page of documentation |
//! | `paging.rs` | the walk over pages that most carriers share |
//! | `quantity.rs` | amounts of data, exactly; used and remaining apart |
//! | `record.rs` | what an answer says, in one vocabulary for all carriers |
//! | `registry.rs` | the list of carriers, and their modules |
//! | `request.rs` | a request as data, credentials apart |
//! | `rows.rs` | a body read whole and row by row |
//! | `scalar.rs` | what one text, number or truth value means |
//! | `single.rs` | a call about one device |
//! | `token.rs` | how requests prove who they are |
//! | `verbatim.rs` | reading where a typed read fails: by the raw text of each field |
//! | `walk.rs` | a paged read: the shape of a page, the guard against endless cursors |

pub mod account;
pub mod answer;
pub mod calendar;
pub mod capability;
pub mod iccid;
pub mod lenient;
pub mod matrix;
mod not_yet;
pub mod numbered;
pub mod paging;
pub mod quantity;
pub mod record;
pub mod registry;
pub mod request;
pub mod rows;
pub mod scalar;
pub mod single;
pub mod token;
pub mod verbatim;
pub mod walk;

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

pub use account::{Account, BadAccount, BadDeviceName};
pub use answer::{Answer, HintOf, LimitHint};
pub use capability::Capabilities;
pub use record::{DeviceRecord, LineId, LineRecord, UsagePart, UsageRecord};
pub use registry::{custom, twilio};
pub use request::{Request, Target};
pub use token::{Authorization, Token, TokenRequest};
pub use walk::{Page, ReadError, Walk};

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

/// What all requests of one sync are made from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whose devices.
    pub account: &'a Account,
    /// How many at a time.
    pub pages: PageSizes,
    /// When the sync began.
    pub now: DateTime<Utc>,
    /// The stored billing cycle that most of the linked devices are in at `now`, where the carrier's cycles
    /// are stored to be asked for once ([`Capabilities::keeps_cycles`]).
    pub common_cycle: Option<BillingCycle>,
}

/// A device listing, where the carrier offers one to this account.
pub enum Bulk<T> {
    /// None: ask for each device.
    PerDevice,
    /// A listing to walk.
    Listing(Box<dyn Walk<T>>),
}

/// A usage report of the whole account.
pub struct UsageReport {
    /// The way through it.
    pub walk: Box<dyn Walk<UsageRecord>>,
    /// What it speaks of.
    pub scope: ReportScope,
}

/// What a usage report speaks of, and so what it means that a line is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportScope {
    /// Each row names its line's own cycle; a line that is left out is not known.
    Cycles,
    /// All that was used in this cycle, the same for every line: a line that a complete report leaves out
    /// used nothing in it.
    Cycle(BillingCycle),
    /// All that was used from this instant on, whatever a line's own cycle (which the listing, the store or
    /// a call per device tells): right for a line whose cycle began then; and a line that a complete report
    /// leaves out used nothing in any cycle that began no earlier.
    Since(DateTime<Utc>),
}

/// One carrier's dialect.
///
/// `probe`, `get_bulk_…` and `get_…` make walks; a walk makes no call by itself.
pub trait Carrier: Send + Sync + std::fmt::Debug {
    /// The carrier's name in `carrier_integrations.carrier_name` and in the configuration.
    fn code(&self) -> &'static str;

    /// What it can tell and what that costs.
    fn capabilities(&self) -> &Capabilities;

    /// The `[carriers.<code>]` section of the default configuration: its `sample.toml`.
    fn sample(&self) -> &'static str;

    /// Base address of the API, used unless the integration brings its own.
    ///
    /// # Errors
    /// [`BadAccount`] where the address depends on a setting that the account lacks.
    fn base_url(&self, account: &Account) -> Result<Cow<'_, str>, BadAccount>;

    /// What proves who we are.
    ///
    /// # Errors
    /// [`BadAccount`] when the integration lacks what this carrier needs, or holds another kind of key: it
    /// says which kind is wanted and where to get it, and repeats nothing that may be secret.
    fn authorize(&self, account: &Account) -> Result<Authorization, BadAccount>;

    /// Reads the answer to [`Authorization::Token`].
    ///
    /// # Errors
    /// [`ReadError`] when it holds no token.
    fn read_token(&self, _answer: &Answer<'_>) -> Result<Token, ReadError> {
        Err(ReadError::Malformed("this carrier has no tokens".into()))
    }

    /// Whether a refusal with this status (never 2xx nor 429, which need no words) and this body means
    /// "too fast": some carriers say so with the status of refused credentials.
    ///
    /// The body is as it came and may be cut, empty or HTML.
    fn is_throttling(&self, _status: u16, _body: &[u8]) -> bool {
        false
    }

    /// Whether a refusal with this status and body means that the credentials are refused, where the status
    /// is another than 401 and 403 (1NCE's token endpoint says 400).
    fn refuses_credentials(&self, _status: u16, _body: &[u8]) -> bool {
        false
    }

    /// What the headers of any answer, a refusal included, say about the calls that are left; `now` by the
    /// carrier's own clock, where the answer tells it.
    fn limit_hint(&self, _headers: &http::HeaderMap, _now: DateTime<Utc>) -> Option<LimitHint> {
        None
    }

    /// Whether `name` can be a device of this carrier. Asked before a device is linked and before it is asked
    /// for by itself.
    ///
    /// # Errors
    /// [`BadDeviceName`] says what it looks like (an ICCID where an id is needed, a wrong check digit) and
    /// what is wanted instead.
    fn check_device(&self, _name: &str) -> Result<(), BadDeviceName> {
        Ok(())
    }

    /// A harmless call that shows whether credentials and account work.
    fn probe(&self, context: Context<'_>) -> Box<dyn Walk<DeviceRecord>>;

    /// Status, ICCID and (where the row carries it) usage of every device of the account.
    fn get_bulk_device_info(&self, _: Context<'_>) -> Bulk<DeviceRecord> {
        Bulk::PerDevice
    }

    /// Usage of every line of the account in its current billing cycle; `None`: ask for each device.
    fn get_bulk_usage(&self, _: Context<'_>) -> Option<UsageReport> {
        None
    }

    /// Calls that listing and report take for an account of so many devices, at least.
    fn bulk_calls(&self, context: Context<'_>, devices: u64) -> u64;

    /// Status, ICCID and (where the answer carries it) usage of one device, in one call.
    fn get_device_info(
        &self,
        context: Context<'_>,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>>;

    /// One of [`Capabilities::details`], by its place there, of one device: a record that holds what the
    /// answer says and nothing else.
    fn get_detail(
        &self,
        context: Context<'_>,
        _detail: usize,
        device: &CarrierDeviceId,
    ) -> Box<dyn Walk<DeviceRecord>> {
        self.get_device_info(context, device)
    }

    /// How long the records behind [`Carrier::get_usage`] are kept; `None`: for ever. Of a cycle that
    /// began earlier the answer is empty or a remainder, and neither is what was used.
    fn usage_kept_for(&self) -> Option<TimeDelta> {
        None
    }

    /// The parts whose sum is what one line of a device used in `cycle`; `None`: there is no such call, or
    /// a detail says it.
    fn get_usage(
        &self,
        _context: Context<'_>,
        _of: (&CarrierDeviceId, &LineId),
        _cycle: &BillingCycle,
    ) -> Option<Box<dyn Walk<UsagePart>>> {
        None
    }
}

/// Pages of this size that so many rows fill, at least one: the first is what says that there is none.
#[must_use]
pub fn pages_of(rows: u64, page_size: u32) -> u64 {
    rows.div_ceil(u64::from(page_size.max(1))).max(1)
}
