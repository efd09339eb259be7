//! Onomondo's keys, and the word that goes before them.
//!
//! Never repeats a value: it may be the right key of something else.

use std::borrow::Cow;

use secrecy::ExposeSecret;

use super::sim_id;
use crate::carriers::{Account, BadAccount, token::SecretHeaders};

/// The setting that holds the word before the key.
const PREFIX: &str = "authorization_prefix";

/// `Authorization: <key>`, or `<word> <key>` where the account says so.
pub(super) fn header(account: &Account) -> Result<SecretHeaders, BadAccount> {
    let key = account.api_key.expose_secret();
    check(key)?;
    let value = match prefix(account)? {
        Some(word) => format!("{word} {key}").into(),
        None => account.api_key.clone(),
    };
    Ok(vec![(Cow::Borrowed("authorization"), value)])
}

/// The reference of old shows the bare key, the one of today `Bearer <key>`.
fn prefix(account: &Account) -> Result<Option<&str>, BadAccount> {
    let Some(value) = account.settings.get(PREFIX) else {
        return Ok(None);
    };
    let word = value.as_str().map(str::trim);
    let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
    match word {
        Some("") => Ok(None),
        Some(word) if is_word(word) => Ok(Some(word)),
        _ => Err(BadAccount(format!(
            "{PREFIX} in config is not one word; Onomondo wants \"Bearer\", or none for the bare key"
        ))),
    }
}

fn check(key: &str) -> Result<(), BadAccount> {
    let wrong = if key.trim().is_empty() {
        "is empty"
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "holds a space, a line break or a character outside ASCII (for a word before the key there is \
         authorization_prefix in config)"
    } else if sim_id::is_id(key) || key.bytes().all(|byte| byte.is_ascii_digit()) {
        "is a number, such as a SIM id or an ICCID"
    } else if key.contains('@') {
        "looks like a mail address"
    } else {
        return Ok(());
    };
    Err(BadAccount(format!(
        "api_key {wrong}; Onomondo wants an API key of the organisation, which is made in app.onomondo.com \
         under API keys"
    )))
}
