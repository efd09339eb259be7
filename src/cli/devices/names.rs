//! Whether a name can be a device of the integration's carrier, before it is linked: an ICCID where an id is
//! needed is found here and not at every sync.

use crate::{
    carriers::{
        Carrier,
        custom::{CODE as CUSTOM, MANIFEST},
        registry,
    },
    config::Config,
    integration::IntegrationRow,
    manifests::Manifests,
};

/// The dialect of an integration; `None` where it has none that works: that is told elsewhere, and no reason
/// to refuse a link.
pub(super) fn dialect(row: &IntegrationRow, config: &Config) -> Option<&'static dyn Carrier> {
    let carrier = registry::find(&row.carrier_name).ok()?;
    if carrier.code() != CUSTOM {
        return Some(carrier);
    }
    let name = row.config.get(MANIFEST)?.as_str()?;
    Manifests::of(config.custom.manifests.clone())
        .carrier(name)
        .ok()
}

/// Whether `name` can be a device of this carrier.
///
/// # Errors
/// What it looks like, and what is wanted instead.
pub(super) fn check(carrier: Option<&dyn Carrier>, name: &str) -> Result<(), String> {
    let Some(carrier) = carrier else {
        return Ok(());
    };
    carrier
        .check_device(name)
        .map_err(|error| format!("carrier_device_id {name:?} {error}"))
}
