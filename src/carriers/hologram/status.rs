//! Hologram's words for the state of a SIM and of its session, in ours.
//!
//! A word that is not in the tables becomes `unknown` and is noted; it never costs the row.

use super::wire::LastSession;
use crate::{
    carriers::{
        lenient::{Field, Object},
        rows::quote,
        walk::note_unmapped as note,
    },
    device::{NetworkStatus, SimStatus},
};

/// A pause by the user, by the carrier, or one that is still being carried out.
pub(super) fn is_paused(state: &str) -> bool {
    state
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("PAUSED"))
}

/// `None` when the carrier did not say: the stored status stays.
pub(super) fn sim_status(state: Field<&str>, unmapped: &mut Vec<String>) -> Option<SimStatus> {
    let state = match state {
        Field::Missing => return None,
        Field::Bad => {
            note(unmapped, "sim state that is not text".into());
            return Some(SimStatus::Unknown);
        }
        Field::Value(state) => state,
    };
    let is = |word: &str| state.eq_ignore_ascii_case(word);
    Some(if is("LIVE") {
        SimStatus::Active
    } else if is("LIVE-PENDING") || is("INACTIVE") {
        SimStatus::Ready
    } else if is_paused(state) {
        SimStatus::Suspended
    } else if is("DEAD") {
        SimStatus::Deactivated
    } else {
        note(unmapped, format!("sim state {:?}", quote(state)));
        SimStatus::Unknown
    })
}

/// The last session, unless it is empty: the forms of "never had one" are many.
pub(super) fn last_session(object: &Object<LastSession>) -> Option<&LastSession> {
    let session = object.0.as_ref().value()?;
    let is_empty = matches!(session.linkid, Field::Missing)
        && matches!(session.session_begin, Field::Missing)
        && matches!(session.session_end, Field::Missing)
        && matches!(session.active, Field::Missing);
    (!is_empty).then_some(session)
}

/// In the order of the fact sheet. A pause does not cut a running session, so a paused SIM can
/// honestly be connected.
pub(super) fn network_status(
    is_paused: bool,
    session: Option<&LastSession>,
    unmapped: &mut Vec<String>,
) -> NetworkStatus {
    let active = session.map(|session| session.active);
    match active {
        Some(Field::Value(true)) => NetworkStatus::Connected,
        _ if is_paused => NetworkStatus::Suspended,
        Some(Field::Value(false) | Field::Missing) => NetworkStatus::Disconnected,
        Some(Field::Bad) => {
            note(
                unmapped,
                "`lastsession.active` that is not a truth value".into(),
            );
            NetworkStatus::Unknown
        }
        None => NetworkStatus::Unknown,
    }
}
