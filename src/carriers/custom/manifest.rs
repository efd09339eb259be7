//! The manifest: a carrier with an ordinary REST API, described in TOML instead of code.
//!
//! Only its shape; what its parts ask of each other is `mistakes`', and where in the text they stand is
//! `document.rs`'s. `docs/custom-carriers.md` explains each key.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::wire::Path;
use crate::device::{NetworkStatus, SimStatus};

/// A carrier's description.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// As people write it.
    pub(super) name: String,
    pub(super) base_url: String,
    pub(super) auth: Auth,
    pub(super) device: Device,
    pub(super) listing: Option<Listing>,
    pub(super) single: Single,
    pub(super) usage: Option<Report>,
    pub(super) device_usage: Option<DeviceUsage>,
    pub(super) cycle: Cycle,
    /// Bytes in one of each unit that answers name.
    #[serde(default)]
    pub(super) units: BTreeMap<String, u64>,
    /// The carrier's words for the state of a SIM.
    #[serde(default)]
    pub(super) sim_status: BTreeMap<String, SimWord>,
    /// The carrier's words for the state on the network.
    #[serde(default)]
    pub(super) network_status: BTreeMap<String, NetworkWord>,
    /// Words of `sim_status` that decide the network status too.
    #[serde(default)]
    pub(super) network_status_when: BTreeMap<String, NetworkWord>,
    #[serde(default)]
    pub(super) limits: Limits,
}

/// How requests prove who they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    pub(super) kind: AuthKind,
    /// `header`: its name.
    pub(super) header: Option<String>,
    /// `header`: what comes before the key.
    pub(super) prefix: Option<String>,
    /// `client_credentials`: where, below the base address.
    pub(super) token_path: Option<String>,
    /// Where an operator finds the key.
    pub(super) hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuthKind {
    Bearer,
    Basic,
    Header,
    ClientCredentials,
}

/// What `carrier_device_id` is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) what: String,
    #[serde(default)]
    pub(super) kind: DeviceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeviceKind {
    #[default]
    Text,
    Digits,
    Iccid,
    Uuid,
}

impl DeviceKind {
    /// The one spelling by which listing, report and addresses name a device.
    pub(super) fn spelt(self, name: &str) -> String {
        match self {
            Self::Uuid => name.trim().to_lowercase(),
            Self::Text | Self::Digits | Self::Iccid => name.trim().to_owned(),
        }
    }
}

/// The device listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) rows: Path,
    #[serde(default)]
    pub(super) paging: Paging,
    pub(super) fields: Fields,
    /// A device that the complete listing leaves out and that is not found by its name was deactivated.
    #[serde(default)]
    pub(super) absent_is_deactivated: bool,
}

/// One device by its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Single {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) row: Path,
    /// As the listing's, where it has none of its own.
    pub(super) fields: Option<Fields>,
}

/// Usage of the whole account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) rows: Path,
    #[serde(default)]
    pub(super) paging: Paging,
    pub(super) device: Path,
    pub(super) used: Amount,
    /// What tells rows of one device apart, where it has several that add up.
    pub(super) part: Option<Path>,
    /// What it means that the complete report leaves a device out.
    #[serde(default)]
    pub(super) absent: Absent,
}

/// Usage of one device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceUsage {
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    pub(super) rows: Path,
    #[serde(default)]
    pub(super) paging: Paging,
    pub(super) used: Amount,
    pub(super) part: Option<Path>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Absent {
    #[default]
    Unknown,
    Zero,
}

/// Where a device's row has its values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) device: Path,
    pub(super) iccid: Option<Path>,
    pub(super) sim_status: Option<Path>,
    pub(super) network_status: Option<Path>,
    pub(super) used: Option<Amount>,
    pub(super) limit: Option<Amount>,
    pub(super) cycle_start: Option<Path>,
    pub(super) cycle_end: Option<Path>,
}

/// An amount of data: a number, and a unit that is fixed or stands beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    pub(super) path: Path,
    pub(super) unit: Option<String>,
    pub(super) unit_path: Option<Path>,
}

/// How pages follow each other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    #[serde(default)]
    pub(super) kind: PagingKind,
    /// The query parameter that names the page.
    pub(super) parameter: Option<String>,
    /// `page`: the number of the first; 1 unless said.
    pub(super) first: Option<u64>,
    /// `page`: how many there are.
    pub(super) total_pages: Option<Path>,
    /// `page`: the header that says so.
    pub(super) total_pages_header: Option<String>,
    /// `offset`: how many rows there are.
    pub(super) total: Option<Path>,
    /// `cursor` and `next_url`: where the next one is named.
    pub(super) next: Option<Path>,
    /// `cursor`: the header that names it.
    pub(super) next_header: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PagingKind {
    #[default]
    None,
    Page,
    Offset,
    Cursor,
    NextUrl,
}

/// The rule of the billing cycle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cycle {
    pub(super) rule: CycleRule,
    /// `fields`: what times are that are numbers.
    #[serde(default)]
    pub(super) numbers: TimeNumbers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CycleRule {
    CalendarMonth,
    Fields,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TimeNumbers {
    #[default]
    Seconds,
    Milliseconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SimWord {
    Active,
    Suspended,
    Deactivated,
    Ready,
    Unknown,
}

impl From<SimWord> for SimStatus {
    fn from(word: SimWord) -> Self {
        match word {
            SimWord::Active => Self::Active,
            SimWord::Suspended => Self::Suspended,
            SimWord::Deactivated => Self::Deactivated,
            SimWord::Ready => Self::Ready,
            SimWord::Unknown => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NetworkWord {
    Connected,
    Disconnected,
    Suspended,
    Unknown,
}

impl From<NetworkWord> for NetworkStatus {
    fn from(word: NetworkWord) -> Self {
        match word {
            NetworkWord::Connected => Self::Connected,
            NetworkWord::Disconnected => Self::Disconnected,
            NetworkWord::Suspended => Self::Suspended,
            NetworkWord::Unknown => Self::Unknown,
        }
    }
}

/// The carrier's page sizes, and in words its limits; rates are set in `[carriers.custom]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    /// Largest page that it serves.
    pub(super) page_size: Option<u32>,
    /// What it publishes, and where.
    pub(super) published: Option<String>,
}
