//! Manifests of custom carriers: a folder of TOML files that the operator keeps, by name.
//!
//! An integration names its manifest; what stands between the name and the file is decided here. Knows no
//! integration, and nothing of what a manifest says.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::carriers::Carrier;
use crate::carriers::custom::{Custom, ManifestError, check_name};

/// A larger file is no manifest.
const LARGEST_BYTES: u64 = 256 * 1024;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoManifest {
    /// `custom.manifests` is not set.
    #[error("custom.manifests is not set: it names the folder of the manifests of custom carriers")]
    NoFolder,
    /// The name cannot be one.
    #[error("config.manifest {name:?}: {reason}")]
    BadName {
        /// As stored.
        name: String,
        /// What names are made of.
        reason: String,
    },
    /// The file cannot be read.
    #[error("manifest {}: {reason}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It is read and holds mistakes.
    #[error("manifest {0}")]
    Mistaken(String),
}

/// The folder of manifests.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    folder: Option<PathBuf>,
}

impl Manifests {
    /// Manifests of this folder; `None`: there are none.
    #[must_use]
    pub fn of(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The carrier of this name. The file is read each time, so that a changed one is used by the next start
    /// of its integrations.
    ///
    /// # Errors
    /// [`NoManifest`] says which file, where in it, and what is allowed.
    pub fn carrier(&self, name: &str) -> Result<&'static dyn Carrier, NoManifest> {
        let folder = self.folder.as_ref().ok_or(NoManifest::NoFolder)?;
        check_name(name).map_err(|reason| NoManifest::BadName {
            name: name.to_owned(),
            reason,
        })?;
        let file = folder.join(format!("{name}.toml"));
        let text = read(&file).map_err(|reason| NoManifest::Unreadable {
            file: file.clone(),
            reason,
        })?;
        match Custom::of(&file.display().to_string(), &text) {
            Ok(carrier) => Ok(carrier),
            Err(mistakes) => Err(NoManifest::Mistaken(first_of(&mistakes))),
        }
    }
}

/// The text of a manifest's file.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn read(file: &Path) -> Result<String, String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = opened.take(LARGEST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > LARGEST_BYTES {
        return Err(format!("larger than {LARGEST_BYTES} bytes, so no manifest"));
    }
    Ok(text)
}

fn first_of(mistakes: &[ManifestError]) -> String {
    let first = mistakes
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    match mistakes.len() {
        0 | 1 => first,
        count => format!(
            "{first} (the first of {count} mistakes; all: carrier-sync check --manifest FILE)"
        ),
    }
}
