//! Telnyx's words for the state of a SIM card and of its session, in ours.
//!
//! A word that is not in the tables becomes `unknown` and is noted; it never costs the row.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::StatusObject;
use crate::{
    carriers::{
        lenient::Field,
        rows::{quote, row},
        verbatim,
        walk::note_unmapped as note,
    },
    device::{NetworkStatus, SimStatus},
};

/// What a SIM card's row says of its state.
pub(super) struct Statuses {
    pub(super) sim: Option<SimStatus>,
    pub(super) network: Option<NetworkStatus>,
}

/// Both statuses. `None` where the carrier does not say: the stored one stays.
pub(super) fn statuses(
    status: Option<&RawValue>,
    session: Field<&str>,
    unmapped: &mut Vec<String>,
) -> Statuses {
    let sim = sim_status(word(status), unmapped);
    let network = match sim {
        Some(SimStatus::Suspended) => Some(NetworkStatus::Suspended),
        Some(SimStatus::Unknown) => Some(NetworkStatus::Unknown),
        _ => live_session(session, unmapped),
    };
    Statuses { sim, network }
}

/// `{"value": "enabled", "reason": "…"}`, or the word alone.
fn word(status: Option<&RawValue>) -> Field<Cow<'_, str>> {
    let Some(raw) = status else {
        return Field::Missing;
    };
    match row::<StatusObject<'_>>(raw) {
        Field::Value(status) => status.value,
        Field::Missing => Field::Missing,
        Field::Bad => verbatim::from_str(raw.get()).unwrap_or(Field::Bad),
    }
}

fn sim_status(word: Field<Cow<'_, str>>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let word = match word {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, "sim status that is not text".into());
            return Some(SimStatus::Unknown);
        }
        Field::Value(word) => word,
    };
    Some(match &*word.trim().to_ascii_lowercase() {
        "enabled" => SimStatus::Active,
        "registering" | "enabling" => SimStatus::Ready,
        // Each can be enabled again.
        "standby"
        | "setting_standby"
        | "data_limit_exceeded"
        | "unauthorized_imei"
        | "disabling"
        | "disabled"
        | "blocked"
        | "abolished" => SimStatus::Suspended,
        _ => {
            note(unmapped, format!("sim status {:?}", quote(&word)));
            SimStatus::Unknown
        }
    })
}

fn live_session(session: Field<&str>, unmapped: &mut Vec<String>) -> Option<NetworkStatus> {
    let word = match session {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, "`live_data_session` that is not text".into());
            return Some(NetworkStatus::Unknown);
        }
        Field::Value(word) => word,
    };
    Some(match &*word.trim().to_ascii_lowercase() {
        "connected" => NetworkStatus::Connected,
        "disconnected" => NetworkStatus::Disconnected,
        "unknown" => NetworkStatus::Unknown,
        _ => {
            note(unmapped, format!("live data session {:?}", quote(word)));
            NetworkStatus::Unknown
        }
    })
}
