//! `[http]`: what holds for calls to every carrier.

use std::time::Duration;

use super::reader::{Reader, texts};
use crate::client::AllowedHosts;

/// `[http]`.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Wait for a connection.
    pub connect_timeout: Duration,
    /// Largest body that is read, in bytes after decompression; at least 1.
    pub max_body_bytes: usize,
    /// Whether plain http, loopback and private addresses may be called.
    pub allow_private_hosts: bool,
    /// The only hosts that may be called; by default any public one.
    pub allowed_hosts: AllowedHosts,
    /// Pause after a 429 that does not say how long.
    pub throttle_pause: Duration,
    /// Longest pause that a carrier can ask for.
    pub max_retry_after: Duration,
}

impl HttpConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            connect_timeout: reader.duration("http.connect_timeout"),
            max_body_bytes: reader.size("http.max_body_bytes"),
            allow_private_hosts: reader.flag("http.allow_private_hosts"),
            allowed_hosts: allowed_hosts(reader),
            throttle_pause: reader.duration("http.throttle_pause"),
            max_retry_after: reader.duration("http.max_retry_after"),
        }
    }
}

fn allowed_hosts(reader: &mut Reader<'_>) -> AllowedHosts {
    let allowed = "a list of host names without scheme, port or path, such as \
                   [\"dashboard.hologram.io\", \"*.example.com\"] (in the environment: separated by \
                   commas); or an empty list for any public host";
    let any = AllowedHosts::default();
    reader.value("http.allowed_hosts", allowed, any, |setting| {
        AllowedHosts::parse(&texts(setting)?)
    })
}
