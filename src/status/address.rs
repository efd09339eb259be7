//! Where the status server listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// What an address may look like.
pub const ALLOWED: &str = "ADDRESS:PORT such as \"127.0.0.1:8080\" or \"[::1]:8080\" (port 0 takes a free one), \
     \"unix:/PATH\", or \"off\"";

/// Where the status server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Nowhere.
    Off,
    /// At a port.
    Tcp(SocketAddr),
    /// At a socket in the file system.
    Unix(PathBuf),
}

/// Not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no address to listen at; allowed is {ALLOWED}")]
pub struct NotAnAddress;

impl Address {
    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Off | Self::Unix(_) => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        match text.trim() {
            "off" => Ok(Self::Off),
            text => match text.strip_prefix("unix:") {
                Some(path) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
                Some(_) => Err(NotAnAddress),
                None => text.parse().map(Self::Tcp).map_err(|_| NotAnAddress),
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_a_socket_or_nowhere() {
        for (text, is_local) in [
            ("off", true),
            ("127.0.0.1:8080", true),
            (" [::1]:0 ", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("unix:/run/carrier-sync/status.sock", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("192.168.1.4:8080", false),
        ] {
            let address: Result<Address, _> = text.parse();
            assert_eq!(address.map(|a| a.is_local()), Ok(is_local), "{text}");
        }
        for text in [
            "",
            "8080",
            "localhost:8080",
            "127.0.0.1",
            "unix:",
            "unix:here",
            "on",
        ] {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress), "{text}");
        }
    }
}
