//! `[http]`: what holds for calls to every carrier.

use std::time::Duration;

use super::reader::Reader;

/// `[http]`.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Wait for a connection.
    pub connect_timeout: Duration,
    /// Largest body that is read, in bytes after decompression; at least 1.
    pub max_body_bytes: usize,
    /// Whether plain http, loopback and private addresses may be called.
    pub allow_private_hosts: bool,
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
            throttle_pause: reader.duration("http.throttle_pause"),
            max_retry_after: reader.duration("http.max_retry_after"),
        }
    }
}
