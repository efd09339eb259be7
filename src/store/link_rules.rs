//! Which links an operator may make: one device per name at the carrier, one account per device.
//! Pure; both engines ask it before they write.

use std::collections::{HashMap, HashSet};

use super::{DeviceLink, StoreError};
use crate::device::IntegrationId;

/// How many offenders an error names; the rest is counted.
const NAMED_OFFENDERS: usize = 5;

/// A stored row that a link may collide with.
#[derive(Debug)]
pub(super) struct StoredLink {
    device_id: String,
    integration_id: Option<String>,
    carrier_device_id: Option<String>,
}

impl From<(String, Option<String>, Option<String>)> for StoredLink {
    fn from(
        (device_id, integration_id, carrier_device_id): (String, Option<String>, Option<String>),
    ) -> Self {
        Self {
            device_id,
            integration_id,
            carrier_device_id,
        }
    }
}

/// Whether all of `links` may be made, given every stored row they could collide with.
pub(super) fn check(
    integration: &IntegrationId,
    links: &[DeviceLink],
    stored: &[StoredLink],
) -> Result<(), StoreError> {
    let mut offenders = repeated(links);
    let linked: HashSet<&str> = links.iter().map(|link| link.device_id.as_str()).collect();
    let wanted: HashSet<&str> = links
        .iter()
        .map(|link| link.carrier_device_id.as_str())
        .collect();
    for row in stored {
        let here = row.integration_id.as_deref() == Some(integration.as_str());
        let name = row
            .carrier_device_id
            .as_deref()
            .filter(|name| wanted.contains(name));
        if linked.contains(row.device_id.as_str()) {
            if let (false, Some(other)) = (here, &row.integration_id) {
                let device = &row.device_id;
                offenders.push(format!("device {device} is linked to integration {other}"));
            }
        } else if let (true, Some(name)) = (here, name) {
            offenders.push(format!(
                "carrier device {name} belongs to device {}",
                row.device_id
            ));
        }
    }
    if offenders.is_empty() {
        Ok(())
    } else {
        Err(refusal(&offenders))
    }
}

/// What a list says twice within itself.
fn repeated(links: &[DeviceLink]) -> Vec<String> {
    let mut offenders = Vec::new();
    let mut devices = HashSet::new();
    let mut names = HashMap::new();
    for link in links {
        let (device, name) = (&link.device_id, &link.carrier_device_id);
        if !devices.insert(device) {
            offenders.push(format!("device {device} is listed twice"));
        } else if let Some(first) = names.insert(name, device) {
            offenders.push(format!(
                "carrier device {name} is listed for {first} and {device}"
            ));
        }
    }
    offenders
}

fn refusal(offenders: &[String]) -> StoreError {
    let named = &offenders[..offenders.len().min(NAMED_OFFENDERS)];
    let rest = match offenders.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    StoreError::Invalid(format!("nothing was linked: {}{rest}", named.join("; ")))
}
