//! The port or socket that the status server listens at.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::status::Address;

/// Who may talk to the socket: its owner and its group.
const SOCKET_MODE: u32 = 0o660;

/// Listening.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// `None` where there is nothing to listen at.
    pub(super) fn bind(address: &Address) -> io::Result<Option<Self>> {
        Ok(Some(match address {
            Address::Off => return Ok(None),
            Address::Tcp(address) => Self::Tcp(TcpListener::bind(address)?),
            Address::Unix(path) => {
                remove_if_left_over(path)?;
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, PermissionsExt::from_mode(SOCKET_MODE))?;
                Self::Unix(listener, path.clone())
            }
        }))
    }

    /// As it is bound: with the port that was taken.
    pub(super) fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            Self::Unix(_, path) => Address::Unix(path.clone()),
        })
    }
}

/// A socket that a process which was killed has left, and nobody listens at.
fn remove_if_left_over(path: &Path) -> io::Result<()> {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Leaves nothing behind.
pub(super) fn remove(address: &Address) {
    if let Address::Unix(path) = address {
        let _ = std::fs::remove_file(path);
    }
}
