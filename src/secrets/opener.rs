//! What a running service opens secrets with.
//!
//! Keys are added to the file while the service runs: `secrets rotate` may seal a row with a key that
//! is younger than the process. A text that names an unknown key therefore has the file read again,
//! once, before it is refused; so a rotation needs no restart.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use secrecy::SecretString;

use super::key_file::{self, KeyFileError};
use super::keyring::Keyring;
use super::sealed::{OpenError, Place};

/// Where the keys come from.
#[derive(Debug, Clone, Default)]
pub enum KeySource {
    /// Nowhere: secrets are stored in clear text.
    #[default]
    None,
    /// The configuration itself.
    Given(Keyring),
    /// A file, one key per line.
    File(PathBuf),
}

impl KeySource {
    /// The keys as they are now; none where there is no source.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(&self) -> Result<Keyring, KeyFileError> {
        match self {
            Self::None => Ok(Keyring::default()),
            Self::Given(ring) => Ok(ring.clone()),
            Self::File(path) => key_file::read(path),
        }
    }
}

/// Opens stored secrets. The default knows no key and reads clear text.
#[derive(Debug, Default)]
pub struct Opener {
    source: KeySource,
    ring: RwLock<Keyring>,
}

impl Opener {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`KeyFileError`]: with a file that cannot be used, nothing should start.
    pub fn new(source: KeySource) -> Result<Self, KeyFileError> {
        let ring = RwLock::new(source.read()?);
        Ok(Self { source, ring })
    }

    /// The secret of a stored text.
    ///
    /// # Errors
    /// [`OpenError`], after a second look into the key file where a key is unknown.
    pub fn open(&self, place: Place<'_>, stored: &SecretString) -> Result<SecretString, OpenError> {
        let opened = self.with_ring(|ring| ring.open(place, stored));
        match opened {
            Err(OpenError::UnknownKey { .. }) if self.take_in_new_keys() => {
                self.with_ring(|ring| ring.open(place, stored))
            }
            other => other,
        }
    }

    fn with_ring<T>(&self, look: impl FnOnce(&Keyring) -> T) -> T {
        look(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the file was read again. One that has become unusable leaves the keys that are known.
    fn take_in_new_keys(&self) -> bool {
        let KeySource::File(path) = &self.source else {
            return false;
        };
        match key_file::read(path) {
            Ok(ring) => {
                *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the key file cannot be read again");
                false
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::device::{IntegrationId, TenantId};
    use crate::integration::SecretColumn;

    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "HxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAAECAwQ=";

    #[test]
    fn a_key_that_was_added_to_the_file_is_taken_in_without_a_restart() {
        // Made for its owner alone.
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{OLD}").unwrap();
        let opener = Opener::new(KeySource::File(file.path().to_owned())).unwrap();

        let (tenant, id) = (
            TenantId::parse("t").unwrap(),
            IntegrationId::parse("i").unwrap(),
        );
        let place = Place {
            tenant_id: &tenant,
            integration_id: &id,
            column: SecretColumn::ApiKey,
        };
        let both = Keyring::from_lines(&format!("{NEW}\n{OLD}")).unwrap();
        let stored = both
            .current()
            .unwrap()
            .seal(place, &"canary".into())
            .unwrap();
        let told = opener.open(place, &stored).unwrap_err();
        assert!(matches!(told, OpenError::UnknownKey { .. }), "{told:?}");

        std::fs::write(file.path(), format!("{NEW}\n{OLD}\n")).unwrap();
        let opened = opener.open(place, &stored).unwrap();
        assert_eq!(opened.expose_secret(), "canary");

        std::fs::write(file.path(), "no key at all").unwrap();
        assert!(
            opener.open(place, &stored).is_ok(),
            "what is known stays known"
        );
    }
}
