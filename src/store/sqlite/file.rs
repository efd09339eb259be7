//! The database file: made for its owner alone, because it holds the carriers' keys.
//!
//! SQLite gives its `-wal` and `-shm` companions the permissions of the file itself.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

use crate::store::StoreError;

pub(super) fn make_if_missing(path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    match make(path) {
        // Another process may have made it meanwhile; anything else in the way is an error.
        Err(error) if !path.exists() => Err(StoreError::Unavailable(format!(
            "cannot make database file {}: {error}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut directory = DirBuilder::new();
    let mut file = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        directory.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        directory.recursive(true).create(parent)?;
    }
    file.write(true).create_new(true).open(path).map(drop)
}
