//! The text that is stored in place of a secret: `enc:v1:KEYID:BASE64(nonce ‖ ciphertext ‖ tag)`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Generate, Payload};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::key::{Key, KeyId, RandomnessFailed};
use super::keyring::Keyring;
use crate::device::{IntegrationId, TenantId};
use crate::integration::{IntegrationRow, SecretColumn};

/// What every version begins with; no carrier's key does.
const MARK: &str = "enc:v";
/// The version that is written.
const VERSION: &str = "1";
/// Length of the nonce before the ciphertext.
const NONCE_BYTES: usize = 24;
/// Keeps what is authenticated here apart from every other use of a key.
const DOMAIN: &[u8] = b"carrier-sync secret v1";

/// Whether a stored text is sealed, by this version or another.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.strip_prefix(MARK)
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Where a secret belongs. Sealed for one place, it opens in no other.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The integration's owner.
    pub tenant_id: &'a TenantId,
    /// The integration.
    pub integration_id: &'a IntegrationId,
    /// Which of its secrets.
    pub column: SecretColumn,
}

impl<'a> Place<'a> {
    /// A column of a row.
    #[must_use]
    pub fn of(row: &'a IntegrationRow, column: SecretColumn) -> Self {
        Self {
            tenant_id: &row.tenant_id,
            integration_id: &row.id,
            column,
        }
    }

    /// What is authenticated with the secret. Each part comes after its length, so that no two places
    /// make the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = DOMAIN.to_vec();
        for part in [
            self.tenant_id.as_str(),
            self.integration_id.as_str(),
            self.column.as_str(),
        ] {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part.as_bytes());
        }
        data
    }
}

/// Why a stored text cannot be opened: what is wanted and what to do. Repeats nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No key is configured.
    #[error(
        "{column} is sealed with key {wanted} and no key is configured; set secrets.key_file to a \
         file that holds it (or CARRIER_SYNC__SECRETS__KEY to the key) and restart"
    )]
    NoKey {
        /// Where it stands.
        column: SecretColumn,
        /// The key that sealed it.
        wanted: KeyId,
    },
    /// Other keys are configured.
    #[error(
        "{column} is sealed with key {wanted}, and the configured keys are {known}; add that key to \
         secrets.key_file (or CARRIER_SYNC__SECRETS__KEY) and restart"
    )]
    UnknownKey {
        /// Where it stands.
        column: SecretColumn,
        /// The key that sealed it.
        wanted: KeyId,
        /// The ids of those configured.
        known: String,
    },
    /// The key is the right one and the text is not.
    #[error(
        "{column} does not open with its key {key_id}: it was changed, or sealed for another \
         integration; set it anew with `carrier-sync integrations set`"
    )]
    Foreign {
        /// Where it stands.
        column: SecretColumn,
        /// The key that it names.
        key_id: KeyId,
    },
    /// It begins like a sealed text and goes on otherwise.
    #[error(
        "{column} is a sealed text that was cut or damaged; set it anew with \
         `carrier-sync integrations set`"
    )]
    Damaged {
        /// Where it stands.
        column: SecretColumn,
    },
    /// Another version of the text.
    #[error("{column} was sealed by a newer carrier-sync; use that one")]
    NewerVersion {
        /// Where it stands.
        column: SecretColumn,
    },
}

/// A sealed text, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// The key that sealed it.
    pub key_id: KeyId,
    base64: &'a str,
}

impl<'a> Sealed<'a> {
    /// Takes a stored text apart; `Ok(None)` for clear text.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] and [`OpenError::NewerVersion`].
    pub fn parse(column: SecretColumn, text: &'a str) -> Result<Option<Self>, OpenError> {
        if !is_sealed(text) {
            return Ok(None);
        }
        let mut parts = text[MARK.len()..].splitn(3, ':');
        let (version, key_id, base64) = (parts.next(), parts.next(), parts.next());
        if version != Some(VERSION) {
            return Err(OpenError::NewerVersion { column });
        }
        let key_id = key_id.and_then(KeyId::parse);
        match (key_id, base64) {
            (Some(key_id), Some(base64)) => Ok(Some(Self { key_id, base64 })),
            _ => Err(OpenError::Damaged { column }),
        }
    }

    fn open(self, key: &Key, place: Place<'_>) -> Result<SecretString, OpenError> {
        let column = place.column;
        let damaged = OpenError::Damaged { column };
        let bytes = BASE64.decode(self.base64).map_err(|_| damaged.clone())?;
        let (nonce, ciphertext) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(|| damaged.clone())?;
        let payload = Payload {
            msg: ciphertext,
            aad: &place.associated_data(),
        };
        let foreign = OpenError::Foreign {
            column,
            key_id: self.key_id,
        };
        let clear = key
            .cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| foreign)?;
        // What was sealed was text; anything else was sealed by someone else.
        let text = std::str::from_utf8(&clear).map_err(|_| damaged)?;
        Ok(text.into())
    }
}

impl Key {
    /// Seals a secret for one place.
    ///
    /// # Errors
    /// [`RandomnessFailed`].
    pub fn seal(
        &self,
        place: Place<'_>,
        secret: &SecretString,
    ) -> Result<SecretString, RandomnessFailed> {
        let failed = |error: &dyn std::fmt::Display| RandomnessFailed(error.to_string());
        let nonce = XNonce::try_generate().map_err(|error| failed(&error))?;
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &place.associated_data(),
        };
        let ciphertext = self
            .cipher()
            .encrypt(&nonce, payload)
            .map_err(|error| failed(&error))?;
        let text = BASE64.encode([&nonce[..], &ciphertext].concat());
        Ok(format!("{MARK}{VERSION}:{}:{text}", self.id()).into())
    }
}

impl Keyring {
    /// The secret of a stored text. Clear text is its own secret.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, place: Place<'_>, stored: &SecretString) -> Result<SecretString, OpenError> {
        let column = place.column;
        let Some(sealed) = Sealed::parse(column, stored.expose_secret())? else {
            return Ok(stored.clone());
        };
        let wanted = sealed.key_id;
        match (self.get(wanted), self.current()) {
            (Some(key), _) => sealed.open(key, place),
            (None, None) => Err(OpenError::NoKey { column, wanted }),
            (None, Some(_)) => {
                let known: Vec<_> = self.ids().map(|id| id.to_string()).collect();
                let known = known.join(", ");
                Err(OpenError::UnknownKey {
                    column,
                    wanted,
                    known,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
