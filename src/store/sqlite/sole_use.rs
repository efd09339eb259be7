//! One process syncs with a SQLite file: a lock beside it says which.
//!
//! The lock is the system's, so that it ends with its process, however that ends. Administrative commands
//! do not ask for it: they write a row and are gone, which SQLite's own locks are for.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::file::make_if_missing;
use crate::store::StoreError;

/// The right to be the only process that syncs with a file; ends when dropped.
#[derive(Debug)]
pub struct SoleUse {
    _locked: File,
}

impl SoleUse {
    /// Takes it for the database at `database`.
    pub(super) fn of(database: &Path) -> Result<Self, StoreError> {
        let path = lock_path(database);
        make_if_missing(&path)?;
        let failed = |error: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!("cannot lock {}: {error}", path.display()))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| failed(&e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(database, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // Who it is, for the message of whoever comes second; the lock holds without it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _locked: file })
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(".lock");
    name.into()
}

fn in_use(database: &Path, file: &mut File) -> StoreError {
    let mut text = String::new();
    let holder = match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    };
    StoreError::Invalid(format!(
        "{holder} syncs with {} already, and a SQLite file is for one; stop that one first. For several \
         processes use Postgres",
        database.display()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_until_that_one_ends() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("fleet.db");
        let first = SoleUse::of(&database).unwrap();
        let told = SoleUse::of(&database).unwrap_err().to_string();
        assert!(
            told.contains(&std::process::id().to_string()) && told.contains("Postgres"),
            "{told}"
        );
        drop(first);
        SoleUse::of(&database).unwrap();
    }
}
