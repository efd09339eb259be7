//! `[secrets]`: the keys that credentials are sealed with in the database. Never shown.

use std::path::PathBuf;

use super::{
    layer::Layer,
    problem::Problem,
    reader::{Reader, text},
};
use crate::secrets::{KeySource, Keyring};

const KEY_FILE: &str = "secrets.key_file";
const KEY: &str = "secrets.key";

/// `[secrets]`.
#[derive(Debug, Clone)]
pub struct SecretsConfig {
    /// Where the keys come from. A file is not looked at here: it may be made by a command that needs
    /// a configuration first.
    pub keys: KeySource,
}

impl SecretsConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let file = reader.value(KEY_FILE, "a path, or empty for none", None, |setting| {
            let path = text(setting)?.trim();
            Some((!path.is_empty()).then(|| PathBuf::from(path)))
        });
        let allowed = "keys of 32 bytes in base64 (carrier-sync secrets generate-key prints one), \
                       each once, separated by commas, the current one first; or empty for none";
        let given = reader.value(KEY, allowed, None, |setting| match text(setting)?.trim() {
            "" => Some(None),
            list => Keyring::from_list(list).ok().map(Some),
        });
        let keys = match (given, file) {
            (Some(ring), _) => KeySource::Given(ring),
            (None, Some(path)) => KeySource::File(path),
            (None, None) => KeySource::None,
        };
        Self { keys }
    }

    /// Two sources would leave open which of them holds the current key.
    pub(super) fn contradiction(settings: &Layer) -> Option<Problem> {
        let is_set = |key| {
            let setting = settings.get(key).and_then(text);
            setting.is_some_and(|text| !text.trim().is_empty())
        };
        (is_set(KEY_FILE) && is_set(KEY)).then(|| {
            Problem::contradiction(
                settings,
                KEY_FILE,
                "excludes",
                KEY,
                "it would be unclear which of them holds the current key; set one of them",
            )
        })
    }
}
