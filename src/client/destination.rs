//! Where one account's requests go and what they prove themselves with. Adds to a request what the
//! dialects leave out: base address, account, credentials. Sends nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::allowed_hosts::Egress;
use super::error::CallError;
use super::purchase::TokenSource;
use super::scrub::{Scrubber, basic_credentials};
use crate::carriers::request::TOKEN_ACCOUNT;
use crate::carriers::token::SecretHeaders;
use crate::carriers::{Carrier, Request, Target};

/// Where one account's requests go and how they prove who they are.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Says which refusals mean "too fast".
    pub carrier: &'static dyn Carrier,
    /// Base address; paths are appended to it.
    pub base: Url,
    /// What proves who we are; its `Debug` shows no secret.
    pub proof: Proof,
    /// For one attempt, from connecting to the last byte.
    pub timeout: Duration,
    /// Cleans what the carrier says.
    pub scrubber: Scrubber,
    /// Judges addresses that the carrier names.
    pub egress: Egress,
}

/// What proves who we are.
#[derive(Debug, Clone)]
pub enum Proof {
    /// In every request, made once.
    Headers(HeaderMap),
    /// A token, which has to be bought.
    Token(Arc<TokenSource>),
}

/// A header cannot carry what it should; names the header and not the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the credentials do not fit the header {0}: they hold a line break or another control character"
)]
pub struct UnfitHeader(pub String);

/// The header of HTTP Basic.
#[must_use]
pub fn basic_header(user: &str, password: &SecretString) -> HeaderMap {
    let text = format!(
        "Basic {}",
        basic_credentials(user, password).expose_secret()
    );
    #[expect(clippy::expect_used, reason = "base64 is made of visible ASCII")]
    let mut header = HeaderValue::try_from(text).expect("a header can hold base64");
    header.set_sensitive(true);
    HeaderMap::from_iter([(AUTHORIZATION, header)])
}

/// Headers with secret values, marked so that nothing prints them.
///
/// # Errors
/// [`UnfitHeader`] names the first that cannot carry its value.
pub fn secret_headers(headers: &SecretHeaders) -> Result<HeaderMap, UnfitHeader> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let unfit = || UnfitHeader(name.to_string());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let mut value = HeaderValue::try_from(value.expose_secret()).map_err(|_| unfit())?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}

impl Destination {
    /// Where `request` goes; `account` is the account's own name, where a token told it.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when no address can name what is asked for, [`CallError::Forbidden`] for a
    /// download from where nothing may be fetched.
    pub fn address(&self, request: &Request, account: Option<&str>) -> Result<Url, CallError> {
        let rejected = |reason: &str| CallError::Rejected {
            reason: reason.to_owned(),
        };
        match &request.to {
            Target::Below(path) => {
                let segments = in_account(path, account).ok_or_else(|| {
                    rejected(
                        "account_id is missing: the token endpoint does not name the account, \
                         which the address needs",
                    )
                })?;
                below(&self.base, &segments, &request.query)
                    .ok_or_else(|| rejected("the id cannot be part of an address"))
            }
            Target::Download(url) => {
                let checked = self.egress.check(&url.0, "the address of a download");
                checked.map_err(|refused| CallError::Forbidden {
                    reason: refused.to_string(),
                })?;
                Ok(url.0.clone())
            }
        }
    }
}

/// `path` with `account` in the place that is meant for it; `None` where there is a place and no account.
fn in_account<'a>(path: &'a [String], account: Option<&'a str>) -> Option<Vec<&'a str>> {
    path.iter()
        .map(|segment| match segment.as_str() {
            TOKEN_ACCOUNT => account,
            segment => Some(segment),
        })
        .collect()
}

/// `base` + path segments + query, each percent-encoded.
///
/// `None` for a segment of dots: no encoding keeps it from meaning "here" or "one up", so a device of
/// this name would be asked for at another resource.
pub(super) fn below(
    base: &Url,
    path: &[&str],
    query: &[(Cow<'static, str>, String)],
) -> Option<Url> {
    if path.iter().any(|segment| matches!(*segment, "." | "..")) {
        return None;
    }
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn segments(request: &Request) -> Vec<&str> {
        let Target::Below(path) = &request.to else {
            panic!("below the base");
        };
        in_account(path, Some("OP/1?")).unwrap()
    }

    #[test]
    fn an_id_cannot_change_which_resource_is_asked_for() {
        let base = Url::parse("https://api.example.com/api/1/").unwrap();
        let request =
            Request::of_device("devices/{id}", "../../a?b=c#d/e").with("orgid", "7&limit=1");
        assert_eq!(
            below(&base, &segments(&request), &request.query)
                .unwrap()
                .as_str(),
            "https://api.example.com/api/1/devices/..%2F..%2Fa%3Fb=c%23d%2Fe?orgid=7%26limit%3D1"
        );
    }

    #[test]
    fn a_base_without_a_trailing_slash_keeps_its_path() {
        let base = Url::parse("https://api.example.com/api/1").unwrap();
        assert_eq!(
            below(&base, &["devices"], &[]).unwrap().as_str(),
            "https://api.example.com/api/1/devices"
        );
    }

    #[test]
    fn the_account_stands_in_its_place_as_one_segment() {
        let base = Url::parse("https://api.example.com/v1").unwrap();
        let request = Request::get("operators/{account}/sims");
        assert_eq!(
            below(&base, &segments(&request), &[]).unwrap().as_str(),
            "https://api.example.com/v1/operators/OP%2F1%3F/sims"
        );
        let path = ["{account}".to_owned()];
        assert_eq!(in_account(&path, None), None);
        assert_eq!(
            below(&base, &in_account(&path, Some("..")).unwrap(), &[]),
            None
        );
    }

    #[test]
    fn a_header_that_cannot_carry_its_value_is_named_without_it() {
        let headers: SecretHeaders = vec![("x-key".into(), "canary\n".into())];
        let text = secret_headers(&headers).unwrap_err().to_string();
        assert!(text.contains("x-key") && !text.contains("canary"), "{text}");
    }
}
