//! `http.allowed_hosts`: the operator's own list of carriers' hosts. Narrows what the guard against
//! private addresses leaves open; opens nothing by itself.

use std::sync::Arc;

use url::{Host, Url};

use super::egress::{EgressRefused, check_address};

/// Both guards together: for addresses that a carrier names.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Whether http and private addresses may be called.
    pub allow_private_hosts: bool,
    /// The operator's list.
    pub allowed_hosts: AllowedHosts,
}

impl Egress {
    /// Whether `url`, which errors call `what`, may be called.
    ///
    /// # Errors
    /// [`EgressRefused`]; of the address it tells the host at most.
    pub fn check(&self, url: &Url, what: &'static str) -> Result<(), EgressRefused> {
        check_address(what, url, self.allow_private_hosts)?;
        self.allowed_hosts.check(url)
    }
}

/// The hosts that may be called. The default lists none and so allows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Arc<[Entry]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// This host, in the spelling that a parsed URL has.
    Host(String),
    /// Every name below this one: the text begins with its dot.
    Below(String),
}

impl AllowedHosts {
    /// Host names or addresses; a leading `*.` stands for every name below. `None` when one of them is
    /// anything else, such as a URL.
    #[must_use]
    pub fn parse(names: &[String]) -> Option<Self> {
        names
            .iter()
            .map(|name| Entry::parse(name))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether the host of `url` may be called.
    ///
    /// # Errors
    /// [`EgressRefused::NotListed`].
    pub fn check(&self, url: &Url) -> Result<(), EgressRefused> {
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        if self.0.is_empty() || self.0.iter().any(|entry| entry.matches(host)) {
            return Ok(());
        }
        let host = host.to_owned();
        Err(EgressRefused::NotListed { host })
    }
}

impl Entry {
    fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("*.") {
            Some(parent) => match Host::parse(parent).ok()? {
                Host::Domain(parent) => Some(Self::Below(format!(".{}", plain(&parent)?))),
                Host::Ipv4(_) | Host::Ipv6(_) => None,
            },
            None => match Host::parse(name).ok()? {
                Host::Domain(name) => plain(&name).map(|name| Self::Host(name.to_owned())),
                address => Some(Self::Host(address.to_string())),
            },
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Host(listed) => host == listed,
            Self::Below(parent) => host.len() > parent.len() && host.ends_with(parent.as_str()),
        }
    }
}

/// A name without the dot of the root; `None` for what no host is called, such as `*`.
fn plain(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    name.split('.').all(is_label).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hosts(names: &[&str]) -> Option<AllowedHosts> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        AllowedHosts::parse(&names)
    }

    #[test]
    fn only_listed_hosts_pass_however_they_are_spelt() {
        let listed = [
            "dashboard.hologram.io",
            "*.example.com",
            "bücher.test",
            "8.8.8.8",
        ];
        let listed = hosts(&listed).unwrap();
        for (url, passes) in [
            ("https://dashboard.hologram.io/api/1", true),
            ("https://DASHBOARD.Hologram.IO./api/1", true),
            ("https://dashboard.hologram.io:8443/", true),
            ("https://evil-dashboard.hologram.io/", false),
            ("https://dashboard.hologram.io.evil.test/", false),
            ("https://hologram.io/", false),
            ("https://a.example.com/", true),
            ("https://a.b.EXAMPLE.com./", true),
            ("https://example.com/", false),
            ("https://.example.com/", false),
            ("https://evilexample.com/", false),
            ("https://bücher.test/", true),
            ("https://xn--bcher-kva.test/", true),
            ("https://8.8.8.8/", true),
            ("https://134744072/", true),
            ("https://8.8.4.4/", false),
            ("https://[2606:4700::1111]/", false),
        ] {
            let told = listed.check(&Url::parse(url).unwrap());
            assert_eq!(told.is_ok(), passes, "{url}: {told:?}");
        }
    }

    #[test]
    fn an_empty_list_narrows_nothing() {
        let any = Url::parse("https://anything.test/").unwrap();
        assert!(hosts(&[]).unwrap().check(&any).is_ok());
        assert!(AllowedHosts::default().check(&any).is_ok());
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "*.*.com",
            "a.*.com",
            "https://example.com",
            "example.com:443",
            "example.com/api",
            "user@example.com",
            "exa mple.com",
            "a..b",
            "*.10.0.0.1",
        ] {
            assert_eq!(hosts(&["good.test", bad]), None, "{bad:?}");
        }
    }
}
