//! What a carrier's requests need to know of an integration: credentials and the account's name.
//!
//! Knows no URL and no row: the client owns addresses, the store owns rows.

use secrecy::SecretString;

/// An account at a carrier. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Account {
    /// Key, token, user name or client id, by carrier.
    pub api_key: SecretString,
    /// Second half of the credentials where the carrier has one.
    pub api_secret: Option<SecretString>,
    /// The organisation or customer at the carrier.
    pub account_id: Option<String>,
}

/// An integration that this carrier cannot be asked for: what is wrong and what it wants instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAccount(pub String);
