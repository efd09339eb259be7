//! What a carrier's requests need to know of an integration: credentials, the account's name, and the
//! few settings that only one carrier knows.
//!
//! Knows no URL and no row: the client owns addresses, the store owns rows.

use secrecy::SecretString;
use serde_json::{Map, Value};

/// An account at a carrier. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Account {
    /// Key, token, user name or client id, by carrier.
    pub api_key: SecretString,
    /// Second half of the credentials where the carrier has one.
    pub api_secret: Option<SecretString>,
    /// The organisation or customer at the carrier.
    pub account_id: Option<String>,
    /// `carrier_integrations.config`: settings of this integration that its carrier defines. No secrets.
    pub settings: Map<String, Value>,
}

impl Account {
    /// A setting as text, a number in digits; `None` where it is empty or neither.
    #[must_use]
    pub fn setting_text(&self, name: &str) -> Option<String> {
        match self.settings.get(name)? {
            Value::Number(number) => Some(number.to_string()),
            _ => self.setting(name).map(str::to_owned),
        }
    }

    /// A setting that is a text which is not empty.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let text = self.settings.get(name)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// An integration that this carrier cannot be asked for: what is wrong and what it wants instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAccount(pub String);

/// A `carrier_device_id` that cannot be this carrier's: what it looks like and what is wanted instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadDeviceName(pub String);
