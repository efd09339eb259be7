//! The vocabulary of a device: ids, usage, billing cycle, statuses, and the update to be written.
//!
//! Every other folder speaks these types, so this file imports none of them. It knows no carrier,
//! no SQL and no HTTP. A value that exists is valid: constructors refuse what may not be stored.

mod cycles;
pub mod freshness;
mod linked;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::tenure::Epoch;

pub use cycles::StoredCycles;
pub use freshness::{Freshness, FreshnessCounts};
pub use linked::{LinkedDevice, LinkedDevices, Reader};

/// Bytes in the megabyte that operators see (`data_used_mb`): 1,024 × 1,024.
pub const BYTES_PER_MB: u64 = 1_048_576;

/// Longest id that is accepted, in bytes; a longer one is a broken import, not an id.
const MAX_ID_BYTES: usize = 255;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing but white space.
    #[error("{kind} is empty")]
    Empty {
        /// Which id it was meant to be.
        kind: &'static str,
    },
    /// Control characters never belong into an id and would forge log lines and URLs.
    #[error("{kind} contains a control character")]
    ControlCharacter {
        /// Which id it was meant to be.
        kind: &'static str,
    },
    /// Longer than any carrier's or platform's ids.
    #[error("{kind} is longer than {MAX_ID_BYTES} bytes")]
    TooLong {
        /// Which id it was meant to be.
        kind: &'static str,
    },
}

fn check_id(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    if text.trim().is_empty() {
        return Err(InvalidId::Empty { kind });
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong { kind });
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter { kind });
    }
    Ok(())
}

// Tenants and integrations are named again and again, so copies share their text; of devices there are many, each
// named once, and a count of copies would cost each of them 16 bytes.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident($text:ty), $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name($text);

        impl $name {
            /// Reads an id as stored; the text is kept to the letter.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long or holds a control character.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                Self::check(text).map(|()| Self(text.into()))
            }

            /// Whether `text` is one, without copying it.
            ///
            /// # Errors
            /// As [`parse`](Self::parse).
            pub fn check(text: &str) -> Result<(), InvalidId> {
                check_id($kind, text)
            }

            /// The id as stored.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
    };
}

id!(
    /// A customer of the platform: `tenants.tenant_id`.
    TenantId(Arc<str>),
    "tenant_id"
);
id!(
    /// One account of a tenant at a carrier: `carrier_integrations.id`.
    IntegrationId(Arc<str>),
    "integration id"
);
id!(
    /// A device's name in the fleet's own database: `device_connections.device_id`.
    DeviceId(Box<str>),
    "device_id"
);
id!(
    /// A device's name at its carrier: `device_connections.carrier_device_id`.
    CarrierDeviceId(Box<str>),
    "carrier_device_id"
);

/// A count of bytes that a signed 64-bit database column can hold.
///
/// Carriers have sent negative counters and garbage beyond `i64`; neither can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteCount(u64);

impl ByteCount {
    /// No traffic. Only a complete listing may say so.
    pub const ZERO: Self = Self(0);

    /// `None` above `i64::MAX`.
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes > i64::MAX as u64 {
            None
        } else {
            Some(Self(bytes))
        }
    }

    /// The count itself.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The count as a database integer.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0.cast_signed() // never negative: `new` refuses what would be
    }

    /// `None` where the sum would leave the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// Hundredths of a megabyte, rounded half up: what `data_used_mb` shows with two decimals.
    ///
    /// Integer arithmetic, so that both databases and every reader agree to the last digit.
    #[must_use]
    pub const fn megabyte_hundredths(self) -> i64 {
        let scaled = self.0 as u128 * 100 + BYTES_PER_MB as u128 / 2;
        // At most i64::MAX × 100 ÷ 2^20: it always fits.
        (scaled / BYTES_PER_MB as u128) as i64
    }
}

impl TryFrom<i64> for ByteCount {
    type Error = OutOfRange;
    fn try_from(bytes: i64) -> Result<Self, OutOfRange> {
        u64::try_from(bytes)
            .ok()
            .and_then(Self::new)
            .ok_or(OutOfRange)
    }
}

/// A counter below zero or above `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte count out of range")]
pub struct OutOfRange;

/// Where the bounds of a billing cycle come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleSource {
    /// At least one bound was computed by the carrier's documented rule.
    Derived,
    /// The carrier named both bounds.
    Reported,
}

impl CycleSource {
    /// The word stored in `billing_cycle_source`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Derived => "derived",
            Self::Reported => "reported",
        }
    }
}

/// The period that usage is counted in: `[start, end)`, start before end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillingCycle {
    end: DateTime<Utc>,
    start: DateTime<Utc>,
    source: CycleSource,
}

impl BillingCycle {
    /// `None` unless `start < end`.
    #[must_use]
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>, source: CycleSource) -> Option<Self> {
        (start < end).then_some(Self { end, start, source })
    }

    /// First instant of the cycle.
    #[must_use]
    pub const fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// First instant after the cycle.
    #[must_use]
    pub const fn end(&self) -> DateTime<Utc> {
        self.end
    }

    /// Whether the instant lies in it.
    #[must_use]
    pub fn holds(&self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether the carrier named the bounds or we computed them.
    #[must_use]
    pub const fn source(&self) -> CycleSource {
        self.source
    }
}

/// Bytes *used* in a billing cycle. What remains of a quota is never a `Usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes used so far in the cycle.
    pub used: ByteCount,
    /// Bytes the plan allows, where the carrier says.
    pub limit: Option<ByteCount>,
    /// The cycle it was used in, where it is known.
    pub cycle: Option<BillingCycle>,
}

/// State of the SIM; the words of the `sim_status` CHECK constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SimStatus {
    /// May use the network.
    Active,
    /// Barred for now: by the user, the carrier or a limit.
    Suspended,
    /// Ended for good.
    Deactivated,
    /// Not yet activated.
    Ready,
    /// The carrier used a word that we do not know.
    Unknown,
}

impl SimStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Suspended,
        Self::Deactivated,
        Self::Ready,
        Self::Unknown,
    ];

    /// The word stored in `sim_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Ready => "ready",
            Self::Unknown => "unknown",
        }
    }
}

/// State of the device on the network; the words of the `network_status` CHECK constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkStatus {
    /// A data session is open.
    Connected,
    /// No data session is open.
    Disconnected,
    /// Traffic is barred.
    Suspended,
    /// The carrier did not say, or used a word that we do not know.
    Unknown,
}

impl NetworkStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Connected,
        Self::Disconnected,
        Self::Suspended,
        Self::Unknown,
    ];

    /// The word stored in `network_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Suspended => "suspended",
            Self::Unknown => "unknown",
        }
    }
}

/// What a carrier says about a device besides its usage. `None`: not said, the stored value stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// State of the SIM.
    pub sim_status: Option<SimStatus>,
    /// State on the network.
    pub network_status: Option<NetworkStatus>,
    /// The SIM's number as the carrier prints it.
    pub iccid: Option<Box<str>>,
}

/// What one sync learned about one device. `None` keeps the stored value of that field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceUpdate {
    /// The row to update, within the batch's tenant and integration.
    pub device_id: DeviceId,
    /// The carrier's name of what was read, as it was linked then. A row that is linked to another by now is
    /// left alone: one SIM's figures would be written as another's.
    pub carrier_device_id: Box<str>,
    /// When the carrier's answer was read.
    pub observed_at: DateTime<Utc>,
    /// Usage, when it is known completely.
    pub usage: Option<Usage>,
    /// Statuses and ICCID.
    pub info: DeviceInfo,
}

/// Updates of one integration's devices; they are written in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateBatch {
    /// The tenant the transaction is confined to.
    pub tenant_id: TenantId,
    /// A device that has been linked elsewhere meanwhile is left alone.
    pub integration_id: IntegrationId,
    /// The lease it was read under; with another one stored nothing of the batch is written.
    pub epoch: Option<Epoch>,
    /// At most one update per device.
    pub updates: Vec<DeviceUpdate>,
}

/// A row that was not written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    /// The device whose row it was.
    pub device_id: DeviceId,
    /// In words for an operator; holds no secret.
    pub reason: String,
}

/// What became of a batch, told only after its transaction was committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteReceipt {
    /// Rows written and committed.
    pub written: usize,
    /// Rows left as they were.
    pub failures: Vec<RowFailure>,
}

#[cfg(test)]
mod tests;
