//! The list of carriers: one line each. Adding a carrier touches its folder and this list.

use std::sync::LazyLock;

use super::Carrier;
use super::cisco::Cisco;
use super::custom::CUSTOM;
use super::emnify::Emnify;
use super::hologram::Hologram;
use super::kore::Kore;
use super::onence::OneNce;
use super::onomondo::Onomondo;
use super::soracom::Soracom;
use super::telnyx::Telnyx;
use super::twilio::Twilio;

/// Every carrier the service speaks to.
static CARRIERS: LazyLock<Vec<&'static dyn Carrier>> = LazyLock::new(|| {
    vec![
        &Hologram, //
        &OneNce,   //
        &Emnify,   //
        &Telnyx,   //
        &Onomondo, //
        &Soracom,  //
        &Twilio,   //
        &Kore,     //
        &Cisco,    //
        &*CUSTOM,
    ]
});

/// Names the platform's tables know, including carriers that are not spoken yet.
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
