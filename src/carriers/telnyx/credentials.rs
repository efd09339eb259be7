//! Telnyx's keys: what can be one, and what is told of what cannot.
//!
//! Never repeats a value: it may be the right key of something else.

use secrecy::{ExposeSecret, SecretString};

use super::sim_id;
use crate::carriers::BadAccount;

/// Keys of API v2 begin so, keys of API v1 do not (`developers.telnyx.com/docs/development/cli/getting-started/authentication`).
const START: &str = "KEY";

/// Refuses what cannot be a key of API v2.
pub(super) fn check(key: &SecretString) -> Result<(), BadAccount> {
    let key = key.expose_secret();
    let wrong = if key.trim().is_empty() {
        "is empty"
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "holds a space, a line break or a character outside ASCII (the word Bearer is not part of it)"
    } else if sim_id::is_uuid(key) {
        "looks like an id"
    } else if !key.starts_with(START) {
        "does not begin with KEY"
    } else {
        return Ok(());
    };
    Err(BadAccount(format!(
        "api_key {wrong}; Telnyx wants an API v2 key, which begins with KEY and is made in the Mission \
         Control portal under API Keys"
    )))
}
