//! The names of SIM cards at Telnyx: UUIDs, in which the case of letters means nothing.

use crate::carriers::{BadDeviceName, iccid::looks_like_iccid};

/// Places of the hyphens in a UUID.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Its length.
const LENGTH: usize = 36;

/// Whether `text` is a UUID with its hyphens, in either case.
pub(super) fn is_uuid(text: &str) -> bool {
    let is_right = |(place, byte): (usize, u8)| {
        if HYPHENS.contains(&place) {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    };
    text.len() == LENGTH && text.bytes().enumerate().all(is_right)
}

/// As Telnyx writes it.
pub(super) fn canonical(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// The other spelling in use: spreadsheets and some databases write UUIDs in capitals.
pub(super) fn in_capitals(id: &str) -> Option<String> {
    let capitals = id.to_ascii_uppercase();
    (capitals != id).then_some(capitals)
}

/// Refuses what cannot be a SIM card's id.
pub(super) fn check(name: &str) -> Result<(), BadDeviceName> {
    let name = name.trim();
    if is_uuid(name) {
        return Ok(());
    }
    let looks_like = if looks_like_iccid(name) {
        "looks like an ICCID"
    } else {
        "is no UUID"
    };
    Err(BadDeviceName(format!(
        "{looks_like}; Telnyx wants the SIM card's id, a UUID such as \
         6a09cdc3-8948-47f0-aa62-74ac943d6c58, which the portal shows on the SIM card's page"
    )))
}
