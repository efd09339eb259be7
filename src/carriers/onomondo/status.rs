//! Onomondo's conditions for the state of a SIM and of its session, in our words.
//!
//! There are no words of theirs to map: a truth value that is none becomes `unknown` and is noted.

use super::wire::{DataLimit, SimRow};
use crate::{
    carriers::{
        lenient::{Field, Object},
        walk::note_unmapped as note,
    },
    device::{ByteCount, NetworkStatus, SimStatus},
};

/// What a SIM's row says of its state.
pub(super) struct Statuses {
    pub(super) sim: Option<SimStatus>,
    pub(super) network: Option<NetworkStatus>,
}

/// Both statuses. `None` where the carrier does not say: the stored one stays.
pub(super) fn statuses(row: &SimRow<'_>, unmapped: &mut Vec<String>) -> Statuses {
    let both = |sim, network| Statuses {
        sim: Some(sim),
        network: Some(network),
    };
    match row.activated {
        Field::Value(true) if is_blocked(&row.data_limit) => {
            both(SimStatus::Suspended, NetworkStatus::Suspended)
        }
        Field::Value(false) if was_online(row) => {
            both(SimStatus::Suspended, NetworkStatus::Suspended)
        }
        Field::Value(false) => both(SimStatus::Ready, NetworkStatus::Disconnected),
        Field::Value(true) => Statuses {
            sim: Some(SimStatus::Active),
            network: online(row.online, unmapped),
        },
        Field::Missing => Statuses {
            sim: None,
            network: online(row.online, unmapped),
        },
        Field::Bad => {
            note(unmapped, "`activated` that is not a truth value".into());
            Statuses {
                sim: Some(SimStatus::Unknown),
                network: online(row.online, unmapped),
            }
        }
    }
}

fn online(online: Field<bool>, unmapped: &mut Vec<String>) -> Option<NetworkStatus> {
    match online {
        Field::Value(true) => Some(NetworkStatus::Connected),
        Field::Value(false) => Some(NetworkStatus::Disconnected),
        Field::Missing => None,
        Field::Bad => {
            note(unmapped, "`online` that is not a truth value".into());
            Some(NetworkStatus::Unknown)
        }
    }
}

/// Whether the SIM has ever been online.
fn was_online(row: &SimRow<'_>) -> bool {
    let has_come = match &row.last_came_online_at {
        Field::Value(time) => !time.trim().is_empty(),
        Field::Bad => true, // something stands there
        Field::Missing => false,
    };
    has_come || matches!(row.online, Field::Value(true))
}

/// A SIM that has reached its limit is blocked until the limit's period ends or someone raises it.
fn is_blocked(limit: &Object<DataLimit<'_>>) -> bool {
    let Field::Value(limit) = &limit.0 else {
        return false;
    };
    match (limit.used, limit.total) {
        (Field::Value(used), Field::Value(total)) => total > ByteCount::ZERO && used >= total,
        _ => false,
    }
}
