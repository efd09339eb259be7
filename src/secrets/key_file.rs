//! Reading keys from a file that nobody else may read. The only input of this folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::keyring::{InvalidKeyring, Keyring};

/// Beyond this a file is not a list of keys.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why a key file gives no keys. Nothing that stands in it is repeated.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system does not let us read it.
    #[error("cannot read the key file {}", path.display())]
    Unreadable {
        /// `secrets.key_file`.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A directory, a device, or far too much.
    #[error("the key file {} is not a file of keys, one per line", path.display())]
    NotAFile {
        /// `secrets.key_file`.
        path: PathBuf,
    },
    /// Whoever can read it can read every carrier's key.
    #[error(
        "the key file {} may be read or written by others (mode {mode:03o}); run: chmod 600 {}",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// `secrets.key_file`.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Something in it is no key.
    #[error("the key file {}: {reason}", path.display())]
    Invalid {
        /// `secrets.key_file`.
        path: PathBuf,
        /// Which line and why.
        reason: InvalidKeyring,
    },
}

/// The keys of a file, one per line, the current one first.
pub(super) fn read(path: &Path) -> Result<Keyring, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // The opened file is what is judged: by its name it could be another one a moment later.
    let file = File::open(path).map_err(unreadable)?;
    refuse_open_to_others(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(KeyFileError::NotAFile {
            path: path.to_owned(),
        }),
        Err(error) => Err(unreadable(error)),
        Ok(bytes) if bytes as u64 > MAX_FILE_BYTES => Err(KeyFileError::NotAFile {
            path: path.to_owned(),
        }),
        Ok(_) => Keyring::from_lines(&text).map_err(|reason| KeyFileError::Invalid {
            path: path.to_owned(),
            reason,
        }),
    }
}

fn refuse_open_to_others(path: &Path, file: &File) -> Result<(), KeyFileError> {
    let path = path.to_owned();
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(source) => return Err(KeyFileError::Unreadable { path, source }),
    };
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile { path });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::OpenToOthers { path, mode });
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn file(content: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_file_for_its_owner_alone_is_read() {
        for mode in [0o600, 0o400] {
            let file = file(KEY.as_bytes(), mode);
            assert_eq!(read(file.path()).unwrap().ids().count(), 1, "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_or_write_is_refused_with_what_to_run() {
        for mode in [0o640, 0o604, 0o644, 0o620, 0o602, 0o666] {
            let file = file(KEY.as_bytes(), mode);
            let told = read(file.path()).unwrap_err().to_string();
            assert!(told.contains("chmod 600"), "{told}");
            assert!(told.contains(&format!("{mode:03o}")), "{told}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_and_not_repeated() {
        let long = format!("# canary{}", "x".repeat(70_000));
        for content in [&b"canary\n"[..], b"", b"\xff\xfecanary", long.as_bytes()] {
            let file = file(content, 0o600);
            let told = format!("{:?}", read(file.path()).unwrap_err());
            assert!(!told.contains("canary"), "{told}");
        }
        let folder = tempfile::tempdir().unwrap();
        let told = read(folder.path()).unwrap_err();
        assert!(matches!(told, KeyFileError::NotAFile { .. }), "{told:?}");
        let told = read(&folder.path().join("missing")).unwrap_err();
        assert!(matches!(told, KeyFileError::Unreadable { .. }), "{told:?}");
    }
}
