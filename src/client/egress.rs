//! Which addresses may be called. A tenant names its own `api_base_url`, so without this guard the
//! service would be a door into the operator's network.
//!
//! Checked twice: the text before anything is done with it, and every address a name resolves to, in
//! the resolver that the connection itself uses, so that a second DNS answer cannot swap it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// An address that may not be called, and what would allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressRefused {
    /// Not an absolute URL.
    #[error("api_base_url is not a URL: {0}; expected something like https://api.example.com/v1")]
    NotAUrl(String),
    /// Anything but https.
    #[error(
        "api_base_url must use https, not {scheme} (http.allow_private_hosts = true allows http)"
    )]
    NotHttps {
        /// The scheme found.
        scheme: String,
    },
    /// User name or password in the URL.
    #[error("api_base_url must not hold a user name or password; use the key of the integration")]
    UserInfo,
    /// A query or fragment, which a path cannot be appended to.
    #[error("api_base_url must not hold a query or fragment")]
    Query,
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
    let url = Url::parse(text.trim()).map_err(|error| EgressRefused::NotAUrl(error.to_string()))?;
    let http_allowed = allow_private && url.scheme() == "http";
    if url.scheme() != "https" && !http_allowed {
        return Err(EgressRefused::NotHttps {
            scheme: url.scheme().to_owned(),
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EgressRefused::UserInfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EgressRefused::Query);
    }
    if !allow_private && !names_public_host(&url) {
        let host = url.host_str().unwrap_or_default().to_owned();
        return Err(EgressRefused::NotPublic { host });
    }
    Ok(url)
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

/// Resolves names for the HTTP client and drops every address that may not be called.
#[derive(Debug, Clone, Copy)]
pub struct GuardedResolver {
    /// Whether private addresses are allowed (`http.allow_private_hosts`).
    pub allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| allow_private || is_public(address.ip()))
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
mod tests {
    use super::*;

    #[test]
    fn only_public_https_addresses_pass() {
        for good in [
            "https://dashboard.hologram.io/api/1",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/v1",
            "https://example.com:8443/x",
        ] {
            assert!(parse_base_url(good, false).is_ok(), "{good}");
        }
        for bad in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://100.127.255.255/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://198.18.0.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::10.0.0.1]/",
            "https://[2002:0a00:0001::]/",
            "https://[fe80::1]/",
            "https://[fc00::1]/",
            "https://[fd12::1]/",
            "https://[ff02::1]/",
            "https://[2001:db8::1]/",
        ] {
            let refused = parse_base_url(bad, false).unwrap_err();
            assert!(
                matches!(refused, EgressRefused::NotPublic { .. }),
                "{bad}: {refused}"
            );
        }
    }

    #[test]
    fn a_setting_opens_private_hosts_and_http_together() {
        assert!(parse_base_url("http://127.0.0.1:8099/api/1", true).is_ok());
        let refused = parse_base_url("http://example.com", false).unwrap_err();
        assert!(refused.to_string().contains("must use https"), "{refused}");
        let refused = parse_base_url("ftp://example.com", true).unwrap_err();
        assert!(matches!(refused, EgressRefused::NotHttps { .. }));
    }

    #[test]
    fn a_url_that_smuggles_credentials_or_parameters_is_refused_without_echo() {
        let refused = parse_base_url("https://user:hunter2@example.com", false).unwrap_err();
        assert_eq!(refused, EgressRefused::UserInfo);
        assert!(!refused.to_string().contains("hunter2"));
        assert_eq!(
            parse_base_url("https://a.com/?x=1", false),
            Err(EgressRefused::Query)
        );
        assert!(matches!(
            parse_base_url("not a url", false),
            Err(EgressRefused::NotAUrl(_))
        ));
        assert!(parse_base_url("", false).is_err());
    }
}
