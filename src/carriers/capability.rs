//! What a carrier can tell, and what it costs: the table behind the plan of a sync and behind
//! `docs/carriers.md`.
//!
//! Facts only; what follows from them for one sync is decided in `sync/plan.rs`.

use std::borrow::Cow;

/// Text of a table: borrowed for carriers in code, owned for those in a manifest.
pub type Text = Cow<'static, str>;

/// What a carrier can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name as people write it.
    pub name: Text,
    /// What its columns of credentials hold and where to get it.
    pub credentials: Credentials,
    /// Settings of an integration that only this carrier knows (`carrier_integrations.config`).
    pub settings: Cow<'static, [Setting]>,
    /// What `carrier_device_id` is, such as `ICCID, 19 digits`.
    pub device_id: Text,
    /// Where each value comes from.
    pub usage: Source,
    /// Where the bounds of the billing cycle come from.
    pub cycle: Source,
    /// The rule of the cycle in words, such as `calendar month, UTC`.
    pub cycle_rule: Text,
    /// Where the SIM's status comes from.
    pub sim_status: Source,
    /// Where the network status comes from.
    pub network_status: Source,
    /// How old an answer can be, in words.
    pub freshness: Text,
    /// The published limits, in words.
    pub limits: Text,
    /// What exists per device only, the most important first: what a device's turn is for.
    pub details: Cow<'static, [Detail]>,
    /// What it says of a SIM that its cycle has ended: a prepaid quota that has expired.
    pub ended: Ended,
    /// What a device that the complete listing leaves out and that is not found by its name is taken for.
    pub gone: Gone,
    /// What is known to be missing or assumed, a sentence each.
    pub gaps: Cow<'static, [Text]>,
}

impl Capabilities {
    /// Whether a device's usage exists per device only.
    #[must_use]
    pub fn has_usage_per_device(&self) -> bool {
        self.usage == Source::PerDevice
    }

    /// Whether the stored billing cycles are worth reading before a sync.
    #[must_use]
    pub fn needs_stored_cycles(&self) -> bool {
        self.keeps_cycles() || self.ended == Ended::Deactivates
    }

    /// Whether a device's billing cycle is asked for once per cycle.
    #[must_use]
    pub fn keeps_cycles(&self) -> bool {
        self.details
            .iter()
            .any(|detail| detail.due == Due::OncePerCycle)
    }
}

/// What the columns of credentials hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `api_key`: what it is and where to get it.
    pub api_key: Text,
    /// `api_secret`, where there is one.
    pub api_secret: Option<Text>,
    /// `account_id`, where there is one.
    pub account_id: Option<AccountId>,
}

/// A setting of an integration that only its carrier knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key in `carrier_integrations.config`.
    pub name: Text,
    /// What it is, and what is allowed.
    pub what: Text,
}

/// What `account_id` is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId {
    /// What it is and where to find it.
    pub what: Text,
    /// Without it nothing works.
    pub is_required: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The device listing.
    Listing,
    /// A usage report of the whole account.
    Report,
    /// A call per device.
    PerDevice,
    /// Our own rule, as documented.
    Derived,
    /// Nowhere: the stored value stays as it is.
    Nowhere,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Listing => "device listing",
            Self::Report => "usage report",
            Self::PerDevice => "a call per device",
            Self::Derived => "derived",
            Self::Nowhere => "not told",
        })
    }
}

/// One call that says something about one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Its endpoint, such as `sims/{id}/status`.
    pub name: Text,
    /// What it is for.
    pub gives: Gives,
    /// When it is made.
    pub due: Due,
}

/// What a detail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Bytes used, mostly with the cycle.
    Usage,
    /// The bounds of the billing cycle alone.
    Cycle,
    /// Statuses.
    Status,
}

/// When a detail of a device is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Whenever the device has its turn.
    EveryTurn,
    /// When the stored cycle is not known or has ended.
    OncePerCycle,
}

/// What is known of a SIM whose stored cycle has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A new one has begun.
    Renews,
    /// The SIM was deactivated with it, though the listing does not say so.
    Deactivates,
}

/// What a device is taken for that the carrier does not know any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Nothing is concluded.
    Unsaid,
    /// The SIM was deactivated for good.
    Deactivated,
}
