//! Every way to spell an address that must not be called, and some that must not be refused.

#![allow(clippy::unwrap_used)]

use super::*;

/// What a URL names, by the text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Called,
    NotPublic,
    NotAUrl,
}
use Verdict::{Called, NotAUrl, NotPublic};

#[rustfmt::skip]
const SPELLINGS: &[(&str, Verdict)] = &[
    // Public.
    ("dashboard.hologram.io", Called),
    ("example.com:8443", Called),
    ("xn--bcher-kva.example", Called),
    // A name like any other: its addresses are judged when it is resolved.
    ("0x7f.0.0.0x1g", Called),
    ("8.8.8.8", Called),
    ("134744072", Called),
    ("[2606:4700::1111]", Called),
    ("[::ffff:8.8.8.8]", Called),
    ("[64:ff9b::8.8.8.8]", Called),
    // The edges of private ranges, from outside.
    ("9.255.255.255", Called),
    ("11.0.0.0", Called),
    ("100.63.255.255", Called),
    ("100.128.0.0", Called),
    ("172.15.255.255", Called),
    ("172.32.0.0", Called),
    ("198.17.255.255", Called),
    ("198.20.0.0", Called),
    ("223.255.255.255", Called),
    ("[2001:200::1]", Called),
    // Loopback, in every spelling.
    ("127.0.0.1", NotPublic),
    ("127.255.255.254", NotPublic),
    ("127.1", NotPublic),
    ("2130706433", NotPublic),
    ("0x7f000001", NotPublic),
    ("0x7f.0.0.0x1", NotPublic),
    ("0177.0.0.1", NotPublic),
    ("017700000001", NotPublic),
    ("127.0.0.1.", NotPublic),
    ("%31%32%37.0.0.1", NotPublic),
    ("１２７.0.0.1", NotPublic),
    ("①②⑦.0.0.1", NotPublic),
    ("127。0。0。1", NotPublic),
    ("localhost", NotPublic),
    ("LOCALHOST.", NotPublic),
    ("ｌｏｃａｌｈｏｓｔ", NotPublic),
    ("deep.in.localhost", NotPublic),
    ("[::1]", NotPublic),
    ("[0:0:0:0:0:0:0:1]", NotPublic),
    ("[::127.0.0.1]", NotPublic),
    ("[::ffff:127.0.0.1]", NotPublic),
    ("[::ffff:7f00:1]", NotPublic),
    ("[0:0:0:0:0:FFFF:7F00:0001]", NotPublic),
    // Unspecified and "this network".
    ("0", NotPublic),
    ("0.0.0.0", NotPublic),
    ("0.1.2.3", NotPublic),
    ("[::]", NotPublic),
    ("[::ffff:0.0.0.0]", NotPublic),
    // Private, shared, link-local and metadata.
    ("10.0.0.1", NotPublic),
    ("167772161", NotPublic),
    ("172.16.0.0", NotPublic),
    ("172.31.255.255", NotPublic),
    ("192.168.0.1", NotPublic),
    ("100.64.0.0", NotPublic),
    ("100.127.255.255", NotPublic),
    ("100.100.100.200", NotPublic), // Alibaba Cloud's metadata
    ("169.254.169.254", NotPublic), // most clouds' metadata
    ("169.254.170.2", NotPublic),   // a container's credentials
    ("[::ffff:169.254.169.254]", NotPublic),
    ("[fd00:ec2::254]", NotPublic), // EC2's metadata
    ("[fe80::1]", NotPublic),
    ("[fe80::a9fe:a9fe]", NotPublic),
    ("[fec0::1]", NotPublic),
    ("[fc00::1]", NotPublic),
    ("[fdff:ffff::1]", NotPublic),
    // Translated and tunnelled.
    ("[64:ff9b::10.0.0.1]", NotPublic),
    ("[64:ff9b::7f00:1]", NotPublic),
    ("[64:ff9b:1::8.8.8.8]", NotPublic), // NAT64 of a network's own
    ("[::ffff:0:127.0.0.1]", NotPublic), // SIIT
    ("[2002:7f00:1::]", NotPublic),      // 6to4
    ("[2002:a00:1::1]", NotPublic),
    ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", NotPublic), // Teredo
    ("[2001:10::1]", NotPublic),                           // ORCHID
    ("192.88.99.1", NotPublic),                            // 6to4 relays
    // Not for hosts at all.
    ("224.0.0.1", NotPublic),
    ("239.255.255.250", NotPublic),
    ("[ff02::1]", NotPublic),
    ("255.255.255.255", NotPublic),
    ("240.0.0.1", NotPublic),
    ("192.0.0.170", NotPublic),
    ("192.0.2.1", NotPublic),
    ("198.51.100.1", NotPublic),
    ("203.0.113.1", NotPublic),
    ("198.18.0.1", NotPublic),
    ("198.19.255.255", NotPublic),
    ("[2001:db8::1]", NotPublic),
    ("[3fff::1]", NotPublic),
    ("[2001:2::1]", NotPublic), // benchmarking
    ("[100::1]", NotPublic),    // discard
    ("[5f00::1]", NotPublic),   // segment routing
    // No host in any spelling.
    ("256.256.256.256", NotAUrl),
    ("1.2.3.4.5", NotAUrl),
    ("[fe80::1%25eth0]", NotAUrl),
    ("[fe80::1%eth0]", NotAUrl),
    ("[::1", NotAUrl),
    ("127.0.0.1%00.example.com", NotAUrl),
    ("exa mple.com", NotAUrl),
];

#[test]
fn no_spelling_of_a_private_address_passes() {
    for &(host, expected) in SPELLINGS {
        let verdict = match parse_base_url(&format!("https://{host}/api/1"), false) {
            Ok(_) => Called,
            Err(EgressRefused::NotPublic { .. }) => NotPublic,
            Err(EgressRefused::NotAUrl { .. }) => NotAUrl,
            Err(other) => panic!("{host}: {other}"),
        };
        assert_eq!(verdict, expected, "{host}");
    }
}

#[test]
fn a_setting_opens_private_hosts_and_http_together() {
    assert!(parse_base_url("http://127.0.0.1:8099/api/1", true).is_ok());
    let refused = parse_base_url("http://example.com", false).unwrap_err();
    assert!(refused.to_string().contains("must use https"), "{refused}");
    for scheme in ["ftp", "file", "gopher", "ws", "data"] {
        let refused = parse_base_url(&format!("{scheme}://example.com"), true).unwrap_err();
        assert!(
            matches!(refused, EgressRefused::NotHttps { .. }),
            "{refused}"
        );
    }
}

#[test]
fn a_url_that_smuggles_credentials_or_parameters_is_refused_without_echo() {
    for userinfo in ["user:hunter2", "hunter2", ":hunter2", "a%40b:hunter2"] {
        let url = format!("https://{userinfo}@example.com/");
        let refused = parse_base_url(&url, true).unwrap_err();
        assert!(matches!(refused, EgressRefused::UserInfo { .. }), "{url}");
        assert!(!refused.to_string().contains("hunter2"));
    }
    for url in ["https://a.com/?x=1", "https://a.com/#x", "https://a.com?"] {
        let refused = parse_base_url(url, false).unwrap_err();
        assert!(matches!(refused, EgressRefused::Query { .. }), "{url}");
    }
    for url in ["not a url", "", "//a.com", "https:", "/api/1"] {
        let refused = parse_base_url(url, false).unwrap_err();
        assert!(matches!(refused, EgressRefused::NotAUrl { .. }), "{url}");
    }
}

/// A backslash ends the host as a slash does, so what follows an `@` is no host.
#[test]
fn the_host_that_is_checked_is_the_host_that_is_called() {
    let url = parse_base_url("https://example.com\\@127.0.0.1/", false).unwrap();
    assert_eq!(url.host_str(), Some("example.com"));
    let refused = parse_base_url("https://127.0.0.1\\@example.com/", false).unwrap_err();
    assert!(matches!(refused, EgressRefused::NotPublic { .. }));
    let tabs = parse_base_url("https://127.0.\t0.1/", false).unwrap_err();
    assert!(matches!(tabs, EgressRefused::NotPublic { .. }));
}
