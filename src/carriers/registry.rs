//! The list of carriers: one line each. Adding a carrier touches its folder and this list.
//!
//! A line declares the carrier's module and names its [`Carrier`]. rustfmt does not look into it: that is why
//! `scripts/test.sh` names the carriers' files to it.

use std::sync::LazyLock;

use super::Carrier;
use super::not_yet::NOT_YET;

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

/// Names of the ancestor platform that are read as today's.
const ALIASES: &[(&str, &str)] = &[
    ("twilio_iot", "twilio"),
    ("jasper", "cisco"),
    ("thingspace", "verizon"),
];

/// Why a `carrier_name` leads to no carrier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCarrier {
    /// A carrier that this version does not speak yet.
    #[error("{name} is not supported yet: {why}; supported: {supported}")]
    NotYet {
        /// The carrier.
        name: &'static str,
        /// What it would take.
        why: &'static str,
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
    let not_yet = NOT_YET.iter().find(|carrier| carrier.code == code);
    Err(match not_yet {
        Some(carrier) => NoCarrier::NotYet {
            name: carrier.name,
            why: carrier.why,
            supported,
        },
        None => NoCarrier::Unknown { name, supported },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_leads_to_its_carrier_or_to_what_would_work() {
        assert_eq!(find(" Hologram ").unwrap().code(), "hologram");
        assert_eq!(find("jasper").unwrap().code(), "cisco");
        let told = |name| find(name).unwrap_err().to_string();
        let later = told("thingspace");
        assert!(later.starts_with("Verizon ThingSpace is not supported yet: usage of many"));
        assert!(later.contains("supported: hologram, 1nce"), "{later}");
        let unknown = told("vodafone");
        assert!(unknown.starts_with("unknown carrier_name \"vodafone\"; supported: hologram"));
    }

    #[test]
    fn a_carrier_that_is_spoken_is_none_that_is_not() {
        for carrier in NOT_YET {
            assert!(matches!(find(carrier.code), Err(NoCarrier::NotYet { .. })));
        }
    }
}
