//! What is true of a device, by the carrier's documentation: the yardstick of every verification.
//!
//! Computed from the fleet, never from an answer: an error in the API's shapes cannot hide itself here.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{device::Device, link::Link, session::LastSession, time::to_utc};

/// What the service must have stored once it has synced this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The device's id at the carrier, as text.
    pub carrier_device_id: String,
    /// Bytes used in the current cycle: the sum over the device's links.
    pub used_bytes: u64,
    /// Word for the primary link's state.
    pub sim_status: &'static str,
    /// Word for the state on the network.
    pub network_status: &'static str,
    /// First instant of the primary link's cycle.
    pub cycle_start: DateTime<Utc>,
    /// First instant after it.
    pub cycle_end: DateTime<Utc>,
    /// `reported` where the carrier names both bounds, `derived` where the start is a rule's.
    pub cycle_source: &'static str,
    /// Of the primary link.
    pub iccid: String,
}

impl Truth {
    /// `None` for a device without links, which this fleet does not have.
    pub(super) fn of(device: &Device) -> Option<Self> {
        let primary = primary(device)?;
        Some(Self {
            carrier_device_id: device.id.to_string(),
            used_bytes: device.links.iter().map(|link| link.bytes(0)).sum(),
            sim_status: sim_status(primary.state),
            network_status: network_status(primary.state, &device.last_session),
            cycle_start: to_utc(primary.periods.start(0)),
            cycle_end: to_utc(primary.periods.end(0)),
            cycle_source: if primary.periods.count() > 1 {
                "reported"
            } else {
                "derived"
            },
            iccid: primary.iccid(),
        })
    }
}

/// The link that stands for the device: the most alive, then the last session's, then the newest.
fn primary(device: &Device) -> Option<&Link> {
    let in_session = device.last_session.link_id();
    device.links.iter().max_by_key(|link| {
        (
            liveliness(sim_status(link.state)),
            Some(link.id) == in_session,
            link.id,
        )
    })
}

fn liveliness(sim_status: &str) -> u8 {
    match sim_status {
        "active" => 4,
        "ready" => 3,
        "suspended" => 2,
        "unknown" => 1,
        _ => 0,
    }
}

/// The table of states (docs.hologram.io/api/1/devices/get and the Blueprint before it).
fn sim_status(state: &str) -> &'static str {
    match state {
        "LIVE" => "active",
        "LIVE-PENDING" | "INACTIVE" => "ready",
        paused if paused.starts_with("PAUSED") => "suspended",
        "DEAD" => "deactivated",
        _ => "unknown",
    }
}

/// A pause does not cut a running session: a paused SIM can be connected for a while.
fn network_status(state: &str, last_session: &LastSession) -> &'static str {
    match last_session {
        LastSession::Session { end: None, .. } => "connected",
        _ if state.starts_with("PAUSED") => "suspended",
        LastSession::Session { end: Some(_), .. } => "disconnected",
        LastSession::Missing | LastSession::Null | LastSession::EmptyList => "unknown",
    }
}
