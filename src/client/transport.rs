//! One attempt of one call: the request goes out, status and capped body come in. No permits, no
//! retries, and no idea what a body means: of a refusal the carrier's dialect is asked.

use std::borrow::Cow;
use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::egress::{EgressRefused, GuardedResolver};
use super::error::SetUpError;
use super::retry::retry_after;
use super::scrub::{Scrubber, basic_credentials};
use crate::carriers::token::SecretHeaders;
use crate::carriers::{Authorization, Carrier, LimitHint, Request, Target, TokenRequest};

/// What we call ourselves.
const USER_AGENT: &str = concat!("carrier-sync/", env!("CARGO_PKG_VERSION"));

/// A connection that has been idle for longer is not used again. Many servers close theirs after five
/// seconds, and a call that meets the closing is lost and has to be made again.
const LONGEST_IDLE: Duration = Duration::from_secs(4);

/// Settings of all calls.
#[derive(Debug, Clone, Copy)]
pub struct TransportConfig {
    /// For DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Largest answer, after decompression.
    pub max_body_bytes: usize,
    /// Whether http and private addresses may be called.
    pub allow_private_hosts: bool,
    /// Pause after a "too fast" that names no time.
    pub throttle_pause: Duration,
    /// A longer `Retry-After` is cut to this.
    pub max_retry_after: Duration,
}

/// Why one attempt brought no body. Named by what the call does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Pause the account, then try again.
    Throttled {
        /// For how long; `None`: the carrier named no time.
        pause: Option<Duration>,
    },
    /// Try again, after the pause where the carrier named one.
    Transient {
        /// What happened.
        reason: String,
        /// From `Retry-After` of a 503.
        pause: Option<Duration>,
    },
    /// The carrier failed in a way that trying again at once does not mend.
    Down {
        /// What happened.
        reason: String,
    },
    /// 401 or 403, or what the carrier says in their place.
    Unauthorized {
        /// Which.
        status: u16,
        /// In the carrier's words where it has any.
        words: Option<String>,
    },
    /// 404 or 410.
    NotFound,
    /// Any other no.
    Rejected {
        /// In the carrier's words where it has any.
        reason: String,
    },
    /// The cap was met.
    TooLarge,
    /// The answer is elsewhere on the same host: ask there, with a permit of its own.
    Moved {
        /// Where.
        to: Url,
    },
    /// The egress guard said no.
    Forbidden {
        /// Which address and why.
        reason: String,
    },
}

/// The HTTP connection pool of the process.
#[derive(Debug, Clone)]
pub struct Transport {
    http: reqwest::Client,
    config: TransportConfig,
}

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
}

/// What proves who we are.
#[derive(Debug, Clone)]
pub enum Proof {
    /// In every request, made once.
    Headers(HeaderMap),
    /// A token, which has to be bought.
    Token(TokenRequest),
}

impl Proof {
    /// The proof of `authorization`; its headers are marked so that nothing prints them.
    ///
    /// # Errors
    /// When a header cannot carry a value (line breaks): which, never what.
    pub fn new(authorization: &Authorization) -> Result<Self, UnfitHeader> {
        Ok(match authorization {
            Authorization::Basic { user, password } => Self::Headers(basic_header(user, password)),
            Authorization::Headers(headers) => Self::Headers(secret_headers(headers)?),
            Authorization::Token(request) => Self::Token(request.clone()),
        })
    }
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

/// One request on the wire.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// Where, query included.
    pub url: Url,
    /// What proves who we are; empty for a download, whose address is its key.
    pub proof: HeaderMap,
    /// Makes it a POST.
    pub body: Option<OutgoingBody<'a>>,
}

/// What a POST sends.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingBody<'a> {
    /// Its media type.
    pub content_type: &'static str,
    /// As it is.
    pub text: &'a str,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Decompressed, within the cap.
    pub body: Vec<u8>,
    /// As they came.
    pub headers: HeaderMap,
}

impl Destination {
    /// Where `request` goes; `None` when no address can name what it asks for.
    #[must_use]
    pub fn address(&self, request: &Request) -> Option<Url> {
        match &request.to {
            Target::Below(path) => below(&self.base, path, &request.query),
            Target::Download(url) => Some(url.0.clone()),
        }
    }
}

impl Transport {
    /// A pool with these settings.
    ///
    /// No system proxy is used: it would resolve names itself, out of the egress guard's sight.
    ///
    /// # Errors
    /// When the TLS backend cannot be set up (no root certificates).
    pub fn new(config: TransportConfig) -> Result<Self, SetUpError> {
        Self::with_resolver(config, GuardedResolver::system(config.allow_private_hosts))
    }

    /// As [`new`](Self::new), with names of our own.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_resolver(
        config: TransportConfig,
        resolver: GuardedResolver,
    ) -> Result<Self, SetUpError> {
        // The only provider there is; a second call finds it installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(LONGEST_IDLE)
            // Followed by the call, and retried by it: each costs a permit.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .dns_resolver(resolver)
            .no_proxy()
            .referer(false)
            .build()?;
        Ok(Self { http, config })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &TransportConfig {
        &self.config
    }

    /// Sends `call`, which goes to `to`'s host or downloads what it named, and reads the answer; with it
    /// what the headers, of a refusal too, say of the calls that are left.
    ///
    /// # Errors
    /// [`Failure`]; no text in it holds a URL or a credential.
    pub async fn send(
        &self,
        to: &Destination,
        call: Outgoing<'_>,
        now: DateTime<Utc>,
    ) -> (Result<Received, Failure>, Option<LimitHint>) {
        let response = match self.request(to, call).send().await {
            Ok(response) => response,
            Err(error) => return (Err(self.broken(to, error)), None),
        };
        let hint = to.carrier.limit_hint(response.headers(), now);
        (self.answer(to, response, now).await, hint)
    }

    fn request(&self, to: &Destination, call: Outgoing<'_>) -> reqwest::RequestBuilder {
        let request = match call.body {
            None => self.http.get(call.url),
            Some(body) => self
                .http
                .post(call.url)
                .header(CONTENT_TYPE, HeaderValue::from_static(body.content_type))
                .body(body.text.to_owned()),
        };
        request
            .timeout(to.timeout)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .headers(call.proof)
    }

    async fn answer(
        &self,
        to: &Destination,
        response: Response,
        now: DateTime<Utc>,
    ) -> Result<Received, Failure> {
        let status = response.status();
        if let Some(to) = moved(&response) {
            return Err(Failure::Moved { to });
        }
        let pause = self.pause(&response, now);
        let headers = response.headers().clone();
        let body = self.body(to, response).await;
        if status.is_success() {
            return body.map(|body| Received { body, headers });
        }
        // A refusal whose body is cut or huge is still that refusal.
        let body = body.unwrap_or_default();
        let words = || to.scrubber.error_text(&body);
        if to.carrier.is_throttling(status.as_u16(), &body) {
            return Err(Failure::Throttled { pause });
        }
        if to.carrier.refuses_credentials(status.as_u16(), &body) {
            return Err(Failure::Unauthorized {
                status: status.as_u16(),
                words: words(),
            });
        }
        Err(refusal(status, pause, words))
    }

    fn pause(&self, response: &Response, now: DateTime<Utc>) -> Option<Duration> {
        let header = response.headers().get(RETRY_AFTER)?.to_str().ok();
        retry_after(header, now, self.config.max_retry_after)
    }

    /// The body, given up as soon as it passes the cap: its length is the sender's claim.
    async fn body(&self, to: &Destination, mut response: Response) -> Result<Vec<u8>, Failure> {
        let cap = self.config.max_body_bytes;
        let announced = response
            .content_length()
            .and_then(|bytes| usize::try_from(bytes).ok());
        if announced.is_some_and(|bytes| bytes > cap) {
            return Err(Failure::TooLarge);
        }
        let mut body = Vec::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.broken(to, error))?
        {
            if body.len() + chunk.len() > cap {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn broken(&self, to: &Destination, error: reqwest::Error) -> Failure {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<EgressRefused>() {
                return Failure::Forbidden {
                    reason: refused.to_string(),
                };
            }
            source = cause.source();
        }
        let reason = if error.is_connect() {
            format!("cannot connect: {}", root_cause(&error))
        } else if error.is_timeout() {
            format!(
                "no complete answer within {}",
                humantime::format_duration(to.timeout)
            )
        } else {
            format!("the connection broke: {}", root_cause(&error))
        };
        Failure::Transient {
            reason: to.scrubber.scrub(&reason),
            pause: None,
        }
    }
}

/// The innermost cause: reqwest's own texts carry the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest::Error>() {
        "unknown cause".to_owned()
    } else {
        cause.to_string()
    }
}

/// One `match` on the status: what the caller does next.
fn refusal(
    status: StatusCode,
    pause: Option<Duration>,
    words: impl FnOnce() -> Option<String>,
) -> Failure {
    let code = status.as_u16();
    match code {
        429 => Failure::Throttled { pause },
        401 | 403 => Failure::Unauthorized {
            status: code,
            words: words(),
        },
        404 | 410 => Failure::NotFound,
        408 | 502 | 503 | 504 => Failure::Transient {
            reason: format!("status {code}"),
            pause,
        },
        500..=599 => Failure::Down {
            reason: format!("status {code}"),
        },
        301 | 302 | 303 | 307 | 308 => Failure::Down {
            reason: format!("status {code}: a redirect to another host is not followed"),
        },
        _ => Failure::Rejected {
            reason: words().map_or_else(
                || format!("status {code}"),
                |words| format!("status {code}: {words}"),
            ),
        },
    }
}

/// `base` + path segments + query, each percent-encoded.
///
/// `None` for a segment of dots: no encoding keeps it from meaning "here" or "one up", so a device of
/// this name would be asked for at another resource.
fn below(base: &Url, path: &[String], query: &[(Cow<'static, str>, String)]) -> Option<Url> {
    let is_dots = |segment: &String| matches!(segment.as_str(), "." | "..");
    if path.iter().any(is_dots) {
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

/// Where a redirect leads. `None`: it is none, or leads to another scheme, host or port, where our
/// credentials must not go.
fn moved(response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let from = response.url();
    let to = from.join(location).ok()?;
    let origin = |url: &Url| {
        let host = url.host_str().map(str::to_owned);
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    (origin(from) == origin(&to)).then_some(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_cannot_change_which_resource_is_asked_for() {
        let base = Url::parse("https://api.example.com/api/1/").unwrap();
        let request =
            Request::of_device("devices/{id}", "../../a?b=c#d/e").with("orgid", "7&limit=1");
        let Target::Below(path) = &request.to else {
            panic!("below the base");
        };
        assert_eq!(
            below(&base, path, &request.query).unwrap().as_str(),
            "https://api.example.com/api/1/devices/..%2F..%2Fa%3Fb=c%23d%2Fe?orgid=7%26limit%3D1"
        );
    }

    #[test]
    fn a_base_without_a_trailing_slash_keeps_its_path() {
        let base = Url::parse("https://api.example.com/api/1").unwrap();
        assert_eq!(
            below(&base, &["devices".to_owned()], &[]).unwrap().as_str(),
            "https://api.example.com/api/1/devices"
        );
    }

    #[test]
    fn every_status_leads_to_one_decision() {
        let decide = |code| refusal(StatusCode::from_u16(code).unwrap(), None, || None);
        assert!(matches!(decide(429), Failure::Throttled { .. }));
        for code in [401, 403] {
            assert!(matches!(decide(code), Failure::Unauthorized { status, .. } if status == code));
        }
        assert!(matches!(decide(404), Failure::NotFound));
        for code in [408, 502, 503, 504] {
            assert!(matches!(decide(code), Failure::Transient { .. }), "{code}");
        }
        for code in [302, 308, 500, 501, 520, 599] {
            assert!(matches!(decide(code), Failure::Down { .. }), "{code}");
        }
        for code in [304, 400, 405, 422, 418] {
            assert!(matches!(decide(code), Failure::Rejected { .. }), "{code}");
        }
    }
}
