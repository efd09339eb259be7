//! What carriers' answers say, in one vocabulary.
//!
//! A *line* is what a carrier counts usage on: a SIM, a profile, Hologram's link. Most carriers
//! have one line per device; an eUICC has several, and the device used what its lines used together.
//! Joining records into a device's usage is the sync's business (`sync/merge.rs`), not this file's.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::device::{ByteCount, CarrierDeviceId, CycleSource, DeviceInfo};

/// A line's name at its carrier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineId {
    /// Carriers that count, as Hologram's `linkid`.
    Number(u64),
    /// Carriers that name.
    Text(Box<str>),
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Start of a billing cycle and who said so. Ordered so that the greater is the better known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CycleStart {
    /// Reported beats derived.
    pub source: CycleSource,
    /// The instant; of two derived starts the later is the tighter bound.
    pub at: DateTime<Utc>,
}

/// What is known of one line's current billing cycle. Every field may be missing; missing is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineUsage {
    /// Bytes used in the cycle that ends at `cycle_end`.
    pub used: Option<ByteCount>,
    /// Bytes the plan allows.
    pub limit: Option<ByteCount>,
    /// First instant after the cycle.
    pub cycle_end: Option<DateTime<Utc>>,
    /// First instant of the cycle.
    pub cycle_start: Option<CycleStart>,
}

/// One row of a bulk usage report: a part of what is known about a line.
///
/// A carrier may spread a line over several rows and pages (Hologram names a cycle's start only in
/// the row of the cycle before), so rows are joined, in any order, before they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The line.
    pub line: LineId,
    /// What this row says.
    pub usage: LineUsage,
}

/// One line of a device, as the device listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRecord {
    /// The line.
    pub line: LineId,
    /// What the listing says of its usage.
    pub usage: LineUsage,
}

/// One device, as a listing or a single call shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The device's name at the carrier.
    pub device: CarrierDeviceId,
    /// Another name under which it may be linked, such as its ICCID with the check digit.
    pub also: Option<CarrierDeviceId>,
    /// Statuses and ICCID.
    pub info: DeviceInfo,
    /// Every line, the one that stands for the device (cycle, statuses) first. Empty: no line.
    pub lines: Vec<LineRecord>,
}

impl DeviceRecord {
    /// A record that says nothing yet.
    #[must_use]
    pub fn of(device: CarrierDeviceId) -> Self {
        Self {
            device,
            also: None,
            info: DeviceInfo::default(),
            lines: Vec::new(),
        }
    }

    /// Whether the device may be linked by this name.
    #[must_use]
    pub fn is_called(&self, name: &CarrierDeviceId) -> bool {
        self.device == *name || self.also.as_ref() == Some(name)
    }
}

/// One part of what a line used: a session, a day. The line used their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePart {
    /// Names the part, so that a row listed twice is counted once; `None`: cannot be told apart.
    pub id: Option<Box<str>>,
    /// The line it says it is about; another than was asked for makes the sum unknown, for then the
    /// carrier has answered another question.
    pub line: Option<LineId>,
    /// Bytes of this part. `None`: unreadable, and with it the sum.
    pub used: Option<ByteCount>,
}
