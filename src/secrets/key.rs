//! One key: 32 random bytes, written as base64, known by an id that is no secret.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Generate, KeyInit};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

/// Length of a key.
const KEY_BYTES: usize = 32;
/// Keeps the hash that names a key apart from every other use of it.
const ID_DOMAIN: &[u8] = b"carrier-sync secrets key id\0";

/// People copy keys without their `=`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which key: eight hex digits of a hash of it. May be shown and stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    fn of(key: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(ID_DOMAIN)
            .chain_update(key)
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }

    /// Reads what `Display` writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 8 || !text.bytes().all(is_lower_hex) {
            return None;
        }
        let number = u32::from_str_radix(text, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A text that is no key. It is not repeated: it may be one with a typing error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a key: expected {KEY_BYTES} bytes in base64, as `carrier-sync secrets generate-key` \
     prints them"
)]
pub struct InvalidKey;

/// The system has no random bytes to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct RandomnessFailed(pub(super) String);

/// A key. Wiped from memory when dropped; its `Debug` shows the id.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl Key {
    /// Reads a key's text; white space around it is no part of it.
    ///
    /// # Errors
    /// [`InvalidKey`], which repeats nothing of it.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let bytes = Zeroizing::new(BASE64.decode(text.trim()).map_err(|_| InvalidKey)?);
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| InvalidKey)?;
        Ok(Self {
            id: KeyId::of(&bytes),
            cipher,
        })
    }

    /// The text of a new key, drawn from the operating system.
    ///
    /// # Errors
    /// [`RandomnessFailed`].
    pub fn generate() -> Result<SecretString, RandomnessFailed> {
        let bytes = <[u8; KEY_BYTES]>::try_generate()
            .map(Zeroizing::new)
            .map_err(|error| RandomnessFailed(error.to_string()))?;
        Ok(BASE64.encode(*bytes).into())
    }

    /// Which key this is.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_generated_key_can_be_read_and_no_two_are_the_same() {
        let (one, two) = (Key::generate().unwrap(), Key::generate().unwrap());
        let (one, two) = (one.expose_secret(), two.expose_secret());
        assert_ne!(one, two);
        assert_ne!(Key::parse(one).unwrap().id(), Key::parse(two).unwrap().id());
        assert_eq!(one.len(), 44, "32 bytes in base64");
    }

    #[test]
    fn a_key_is_known_by_the_same_id_on_every_machine() {
        let key = Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        assert_eq!(key.id().to_string(), "9301561c");
        assert_eq!(KeyId::parse("9301561c"), Some(key.id()));
        let unpadded = Key::parse(" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\r\n").unwrap();
        assert_eq!(unpadded.id(), key.id());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for bad in [
            "",
            "canary",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= x",
        ] {
            let told = Key::parse(bad).unwrap_err().to_string();
            assert!(bad.is_empty() || !told.contains(bad), "{told}");
        }
        for bad in [
            "",
            "0011223",
            "001122334",
            "0011223G",
            "0011223A",
            "+0112233",
        ] {
            assert_eq!(KeyId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let text = Key::generate().unwrap();
        let key = Key::parse(text.expose_secret()).unwrap();
        assert_eq!(format!("{key:?}"), format!("Key({})", key.id()));
    }
}
