//! Browsers that have shown the token: each has a key of its own for a while, in a cookie that no script reads and
//! no other site sends. Knows nothing of what they may do.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HOST, HeaderMap, HeaderName, ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::status::Address;

/// How the cookie's name begins.
const NAME: &str = "carrier_sync_session";
/// So long a browser need not show the token again.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// So many browsers at once; with more, the oldest must show it again.
const MOST: usize = 100;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The keys that are out.
#[derive(Debug)]
pub(super) struct Sessions {
    /// The cookie's name.
    name: String,
    /// When each was given out.
    open: Mutex<HashMap<String, Instant>>,
}

impl Sessions {
    /// None is out yet. A browser sends the cookies of all ports of a host to each, and keeps one of a name: the port
    /// in it keeps the services of one machine from signing each other's browsers out.
    pub(super) fn at(address: &Address) -> Self {
        let name = match address {
            Address::Tcp(address) => format!("{NAME}_{}", address.port()),
            Address::Unix(_) | Address::Off => NAME.to_owned(),
        };
        Self {
            name,
            open: Mutex::default(),
        }
    }

    /// A new key, as a cookie to be set.
    pub(super) fn open(&self) -> String {
        let key = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let now = Instant::now();
        let mut open = self.lock();
        open.retain(|_, since| now.duration_since(*since) < LASTS);
        if open.len() >= MOST {
            let oldest = open.iter().min_by_key(|(_, since)| **since);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| open.remove(&key));
        }
        let cookie = self.cookie(&key, LASTS);
        open.insert(key, now);
        cookie
    }

    /// Takes the key of a request back; answers the cookie that removes it.
    pub(super) fn close(&self, request: &HttpRequest) -> String {
        if let Some(key) = self.key(request.headers()) {
            self.lock().remove(key);
        }
        self.cookie("", Duration::ZERO)
    }

    /// Whether a request comes with a key that is out.
    pub(super) fn has(&self, headers: &HeaderMap) -> bool {
        let Some(key) = self.key(headers) else {
            return false;
        };
        let since = self.lock().get(key).copied();
        since.is_some_and(|since| since.elapsed() < LASTS)
    }

    /// `Strict`: not even a link from elsewhere brings it along. Not `Secure`: the service itself speaks no TLS.
    fn cookie(&self, key: &str, lasts: Duration) -> String {
        let (name, seconds) = (&self.name, lasts.as_secs());
        format!("{name}={key}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict")
    }

    fn key<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(COOKIE).filter_map(|it| it.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == self.name)
            .map(|(_, key)| key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request that changes something comes from a page of ours. Sites are told apart without their ports,
/// so that another service on this machine counts as the same site; its origin is another. A browser says itself
/// whether it is the same; one that does not sends the origin, which a proxy that changes the host makes another.
pub(super) fn is_from_our_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    origin
        .zip(text(HOST))
        .is_some_and(|((_, authority), host)| authority == host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;

    fn with(cookie: &str) -> HttpRequest {
        TestRequest::default()
            .insert_header((COOKIE, cookie))
            .to_http_request()
    }

    #[test]
    fn a_key_opens_until_it_is_given_back() {
        let sessions = Sessions::at(&Address::Off);
        let cookie = sessions.open();
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        let request = with(&format!("a=b; {pair}"));
        assert!(sessions.has(request.headers()));
        for other in ["", "carrier_sync_session=", "carrier_sync_session=x", "a=b"] {
            assert!(!sessions.has(with(other).headers()), "{other}");
        }
        assert!(sessions.close(&request).contains("Max-Age=0"));
        assert!(!sessions.has(request.headers()));
    }

    #[test]
    fn each_port_has_a_cookie_of_its_own_and_a_socket_the_plain_one() {
        for (address, name) in [
            ("127.0.0.1:8080", "carrier_sync_session_8080="),
            ("[::1]:8081", "carrier_sync_session_8081="),
            ("unix:/run/status.sock", "carrier_sync_session="),
        ] {
            let sessions = Sessions::at(&address.parse().unwrap());
            assert!(sessions.open().starts_with(name), "{address}");
            assert!(sessions.close(&with("")).starts_with(name), "{address}");
        }
    }

    #[test]
    fn there_are_never_more_keys_than_a_hundred_and_the_latest_is_among_them() {
        let sessions = Sessions::at(&Address::Off);
        let mut last = String::new();
        for _ in 0..3 * MOST {
            last = sessions.open();
        }
        assert_eq!(sessions.lock().len(), MOST);
        assert!(sessions.has(with(&last).headers()));
    }

    #[test]
    fn only_a_page_from_here_may_change_something() {
        let here = "127.0.0.1:8080";
        for (origin, host, site, is_ours) in [
            ("http://127.0.0.1:8080", here, "", true),
            ("https://status.example", "status.example", "", true),
            ("https://status.example", here, "same-origin", true),
            ("http://127.0.0.1:8080", here, "same-site", false),
            ("http://127.0.0.1:3000", here, "", false),
            ("null", here, "", false),
            ("", here, "", false),
        ] {
            let mut request = TestRequest::default().insert_header((HOST, host));
            for (name, value) in [(ORIGIN, origin), (SEC_FETCH_SITE, site)] {
                if !value.is_empty() {
                    request = request.insert_header((name, value));
                }
            }
            let request = request.to_http_request();
            assert_eq!(
                is_from_our_page(request.headers()),
                is_ours,
                "{origin:?} {site}"
            );
        }
    }
}
