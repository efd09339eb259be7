//! Which addresses may be called. A tenant names its own `api_base_url`, so without this guard the
//! service would be a door into the operator's network.
//!
//! Checked twice: the text before anything is done with it, and every address a name resolves to, in
//! the resolver that the connection itself uses, so that a second DNS answer cannot swap it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// An address that may not be called, and what would allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressRefused {
    /// Not an absolute URL.
    #[error("{what} is not a URL: {why}; expected something like https://api.example.com/v1")]
    NotAUrl {
        /// Which address.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Anything but https.
    #[error("{what} must use https, not {scheme} (http.allow_private_hosts = true allows http)")]
    NotHttps {
        /// Which address.
        what: &'static str,
        /// The scheme found.
        scheme: String,
    },
    /// User name or password in the URL.
    #[error("{what} must not hold a user name or password; use the key of the integration")]
    UserInfo {
        /// Which address.
        what: &'static str,
    },
    /// A query or fragment, which a path cannot be appended to.
    #[error("{what} must not hold a query or fragment")]
    Query {
        /// Which address.
        what: &'static str,
    },
    /// A host that the operator's list does not name.
    #[error("{host} is not among http.allowed_hosts and must not be called")]
    NotListed {
        /// The host as named.
        host: String,
    },
    /// An address inside somebody's network.
    #[error(
        "{host} is not a public address and must not be called \
         (http.allow_private_hosts = true allows it)"
    )]
    NotPublic {
        /// The host as named.
        host: String,
    },
}

/// The base address to call.
///
/// # Errors
/// [`EgressRefused`] before any DNS answer is used.
pub fn parse_base_url(text: &str, allow_private: bool) -> Result<Url, EgressRefused> {
    parse_address("api_base_url", text, allow_private)
}

/// An address to call, which errors call `what`.
///
/// # Errors
/// As [`parse_base_url`].
pub fn parse_address(
    what: &'static str,
    text: &str,
    allow_private: bool,
) -> Result<Url, EgressRefused> {
    let url = Url::parse(text.trim()).map_err(|error| EgressRefused::NotAUrl {
        what,
        why: error.to_string(),
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EgressRefused::Query { what });
    }
    check_address(what, &url, allow_private)?;
    Ok(url)
}

/// Whether `url`, which errors call `what`, may be called, by its text.
///
/// # Errors
/// [`EgressRefused`]; of the address it tells the host at most.
pub fn check_address(
    what: &'static str,
    url: &Url,
    allow_private: bool,
) -> Result<(), EgressRefused> {
    let http_allowed = allow_private && url.scheme() == "http";
    if url.scheme() != "https" && !http_allowed {
        let scheme = url.scheme().to_owned();
        return Err(EgressRefused::NotHttps { what, scheme });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EgressRefused::UserInfo { what });
    }
    if !allow_private && !names_public_host(url) {
        let host = url.host_str().unwrap_or_default().to_owned();
        return Err(EgressRefused::NotPublic { host });
    }
    Ok(())
}

fn names_public_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_public(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            !name.is_empty() && name != "localhost" && !name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Whether an address belongs to the public internet.
///
/// IANA's special-purpose registries for IPv4 and IPv6; IPv6 forms that embed an IPv4 address are
/// judged by that address.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => embedded_v4(ip).map_or_else(|| is_public_v6(ip), is_public_v4),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let relay_anycast = a == 192 && b == 88 && c == 99;
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let reserved = a >= 240;
    !(a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || shared
        || protocol_assignments
        || relay_anycast
        || benchmarking
        || reserved)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let global_unicast = first & 0xe000 == 0x2000;
    let documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff && second < 0x1000;
    let protocol_assignments = first == 0x2001 && second < 0x0200;
    global_unicast && !documentation && !protocol_assignments
}

/// The IPv4 address inside v4-mapped, v4-compatible, NAT64 (`64:ff9b::/96`) and 6to4 forms.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if high != 0 => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Where names become addresses. The system's resolver, or a test's.
#[async_trait]
pub trait Lookup: Send + Sync + std::fmt::Debug {
    /// Every address of a name, public or not.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Resolves names for the HTTP client and drops every address that may not be called.
///
/// The connection is made to one of the addresses that passed, in this very answer: there is no second
/// look-up whose answer could be another (DNS rebinding).
#[derive(Debug, Clone)]
pub struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    may_call: fn(IpAddr) -> bool,
}

impl GuardedResolver {
    /// The system's names; only public addresses unless `allow_private`
    /// (`http.allow_private_hosts`).
    #[must_use]
    pub fn system(allow_private: bool) -> Self {
        let may_call = if allow_private { |_| true } else { is_public };
        Self::new(Arc::new(SystemLookup), may_call)
    }

    /// These names, and these addresses only.
    #[must_use]
    pub fn new(lookup: Arc<dyn Lookup>, may_call: fn(IpAddr) -> bool) -> Self {
        Self { lookup, may_call }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { lookup, may_call } = self.clone();
        Box::pin(async move {
            let found = lookup.addresses(name.as_str()).await?;
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|ip| may_call(*ip))
                // The client puts the URL's port in place of 0.
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            if allowed.is_empty() {
                return Err(EgressRefused::NotPublic {
                    host: name.as_str().to_owned(),
                }
                .into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
