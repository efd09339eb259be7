//! `[custom]`: where the manifests of custom carriers are.

use std::path::PathBuf;

use super::reader::{Reader, text};

/// `[custom]`.
#[derive(Debug, Clone)]
pub struct CustomConfig {
    /// The folder of the manifests; `None`: there are none.
    pub manifests: Option<PathBuf>,
}

impl CustomConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let allowed = "a folder, or empty for none";
        let manifests = reader.value("custom.manifests", allowed, None, |setting| {
            let path = text(setting)?.trim();
            Some((!path.is_empty()).then(|| PathBuf::from(path)))
        });
        Self { manifests }
    }
}
