//! The list of carriers: one line each. Adding a carrier touches its folder and this list.
//!
//! A line declares the carrier's module and names its [`Carrier`]. rustfmt does not look into it: that is why
//! `scripts/test.sh` names the carriers' files to it.

use std::sync::LazyLock;

use super::Carrier;

/// Declares each carrier's module and lists its carrier.
macro_rules! carriers {
    ($($file:literal $module:ident => $carrier:expr,)*) => {
        $(
            #[path = $file]
            pub mod $module;
        )*

        /// Every carrier the service speaks to.
        static CARRIERS: LazyLock<Vec<&'static dyn Carrier>> = LazyLock::new(|| vec![$($carrier),*]);
    };
}

// The order is that of config/default.toml and docs/carriers.md.
carriers! {
    "hologram/mod.rs" hologram => &hologram::Hologram,
    "1nce/mod.rs" onence => &onence::OneNce,
    "emnify/mod.rs" emnify => &emnify::Emnify,
    "telnyx/mod.rs" telnyx => &telnyx::Telnyx,
    "onomondo/mod.rs" onomondo => &onomondo::Onomondo,
    "soracom/mod.rs" soracom => &soracom::Soracom,
    "twilio/mod.rs" twilio => &twilio::Twilio,
    "kore/mod.rs" kore => &kore::Kore,
    "cisco/mod.rs" cisco => &cisco::Cisco,
    "custom/mod.rs" custom => &*custom::CUSTOM,
}

/// Names the platform's tables know, spoken or not. A carrier that is added need not be among them.
const KNOWN: &[&str] = &[
    "hologram", "1nce", "emnify", "telnyx", "onomondo", "soracom", "twilio", "kore", "cisco",
    "custom",
];

/// Names of the ancestor platform that are read as today's.
const ALIASES: &[(&str, &str)] = &[("twilio_iot", "twilio"), ("jasper", "cisco")];

/// Why a `carrier_name` leads to no carrier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCarrier {
    /// A carrier of the platform that this version does not speak yet.
    #[error("carrier_name {name:?} is not supported by this version; supported: {supported}")]
    NotYet {
        /// The name as stored.
        name: String,
        /// What can be used instead.
        supported: String,
    },
    /// Not a carrier's name at all.
    #[error("unknown carrier_name {name:?}; supported: {supported}")]
    Unknown {
        /// The name as stored.
        name: String,
        /// What can be used instead.
        supported: String,
    },
}

/// Every carrier, in the order of the registry.
#[must_use]
pub fn carriers() -> &'static [&'static dyn Carrier] {
    &CARRIERS
}

/// The carrier of a stored name.
///
/// # Errors
/// [`NoCarrier`] with the names that would work.
pub fn find(name: &str) -> Result<&'static dyn Carrier, NoCarrier> {
    let name = name.trim().to_ascii_lowercase();
    let code = ALIASES
        .iter()
        .find(|(old, _)| *old == name)
        .map_or(name.as_str(), |(_, new)| new);
    if let Some(carrier) = CARRIERS.iter().find(|carrier| carrier.code() == code) {
        return Ok(*carrier);
    }
    let supported = CARRIERS
        .iter()
        .map(|carrier| carrier.code())
        .collect::<Vec<_>>()
        .join(", ");
    if KNOWN.contains(&code) {
        return Err(NoCarrier::NotYet { name, supported });
    }
    Err(NoCarrier::Unknown { name, supported })
}
