//! Keys on their way into the database: sealed where a key for that is configured.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    cli::CliError,
    config::Config,
    device::{IntegrationId, TenantId},
    integration::{IntegrationRow, SecretColumn},
    secrets::{Keyring, Place, is_sealed},
    store::IntegrationChange,
};

/// The configured keys, perhaps none.
#[derive(Debug)]
pub(super) struct Sealing(Keyring);

impl Sealing {
    /// Reads the keys, before anything is asked for or written.
    pub(super) fn read(config: &Config) -> Result<Self, CliError> {
        Ok(Self(config.secrets.keys.read()?))
    }

    /// Whether what is written is sealed.
    pub(super) fn is_on(&self) -> bool {
        self.0.current().is_some()
    }

    /// The change with its secrets sealed for this integration; as it is where no key is configured.
    pub(super) fn seal(
        &self,
        (tenant_id, integration_id): (&TenantId, &IntegrationId),
        mut change: IntegrationChange,
    ) -> Result<IntegrationChange, CliError> {
        let Some(key) = self.0.current() else {
            return Ok(change);
        };
        for (column, secret) in [
            (SecretColumn::ApiKey, &mut change.api_key),
            (SecretColumn::ApiSecret, &mut change.api_secret),
        ] {
            let place = Place {
                tenant_id,
                integration_id,
                column,
            };
            if let Some(clear) = secret {
                let sealed = key.seal(place, clear);
                *secret = Some(sealed.map_err(|error| CliError::new(error.to_string()))?);
            }
        }
        Ok(change)
    }

    /// Refuses to put clear text where a sealed one stands: whoever sealed it meant it to stay so.
    pub(super) fn refuse_unsealing(
        &self,
        row: &IntegrationRow,
        change: &IntegrationChange,
    ) -> Result<(), CliError> {
        let is_changed = |column| match column {
            SecretColumn::ApiKey => change.api_key.is_some(),
            SecretColumn::ApiSecret => change.api_secret.is_some(),
        };
        let is_sealed = |column| {
            let stored = row.secret(column);
            stored.is_some_and(|text| is_sealed(text.expose_secret()))
        };
        let unsealed = SecretColumn::ALL
            .into_iter()
            .find(|&column| is_changed(column) && is_sealed(column));
        match unsealed {
            Some(column) if !self.is_on() => Err(CliError::new(format!(
                "{column} of integration {} is sealed, and no key is configured to seal a new one",
                row.id
            ))
            .hint("set secrets.key_file as the service has it, or CARRIER_SYNC__SECRETS__KEY")),
            _ => Ok(()),
        }
    }

    /// A stored secret; `None` where there is none or it cannot be opened here.
    pub(super) fn open(&self, row: &IntegrationRow, column: SecretColumn) -> Option<SecretString> {
        self.0
            .open(Place::of(row, column), row.secret(column)?)
            .ok()
    }
}

/// A name that no integration has, known before the row is made: secrets are sealed for it. In the form
/// that Postgres gives a uuid, so that a column of that type keeps it to the letter.
pub(super) fn new_id() -> Result<IntegrationId, CliError> {
    // Version 4, variant 1 (RFC 9562).
    let bits = rand::random::<u128>() & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    IntegrationId::parse(&parts.join("-")).map_err(|error| CliError::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_id_is_a_random_uuid() {
        let (one, two) = (new_id().unwrap(), new_id().unwrap());
        assert_ne!(one, two);
        let text = one.as_str().as_bytes();
        assert_eq!(text.len(), 36);
        assert!([8, 13, 18, 23].iter().all(|&at| text[at] == b'-'), "{one}");
        assert_eq!(text[14], b'4', "{one}");
        assert!(b"89ab".contains(&text[19]), "{one}");
    }
}
