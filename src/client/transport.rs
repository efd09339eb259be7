//! One attempt of one call: the request goes out, status and capped body come in. No permits, no
//! retries, and no idea what a body means: of a refusal the carrier's dialect is asked.

use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Response, redirect};
use url::Url;

use super::destination::Destination;
use super::egress::{EgressRefused, GuardedResolver};
use super::error::SetUpError;
use super::failure::{Failure, refusal};
use super::retry::retry_after;
use crate::carriers::LimitHint;
use crate::integration::CallResult;

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

/// The HTTP connection pool of the process.
#[derive(Debug, Clone)]
pub struct Transport {
    http: reqwest::Client,
    config: TransportConfig,
}

/// One request on the wire.
///
/// No `Debug`: a download's address is a key, and so is what buys a token.
pub struct Outgoing<'a> {
    /// Where, query included.
    pub url: Url,
    /// Who answers.
    pub of: Answerer,
    /// What proves who we are; empty for a download, whose address is its key.
    pub proof: HeaderMap,
    /// Makes it a POST.
    pub body: Option<OutgoingBody<'a>>,
}

/// Who answers a request, and so who can be believed about the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The carrier.
    Carrier,
    /// A host of files that the carrier has named. It knows nothing of the account, and its words may
    /// repeat the address.
    FileHost,
}

/// What a POST sends.
#[derive(Clone, Copy)]
pub struct OutgoingBody<'a> {
    /// Its media type.
    pub content_type: &'static str,
    /// As it is.
    pub text: &'a str,
}

/// A successful answer. No `Debug`: it may hold a token, and personal data.
pub struct Received {
    /// Decompressed, within the cap.
    pub body: Vec<u8>,
    /// As they came.
    pub headers: HeaderMap,
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
        let of = call.of;
        let response = match self.request(to, call).send().await {
            Ok(response) => response,
            Err(error) => return (Err(self.broken(to, error)), None),
        };
        match of {
            Answerer::Carrier => {
                let now = answered_at(response.headers()).unwrap_or(now);
                let hint = to.carrier.limit_hint(response.headers(), now);
                (self.answer(to, response, now).await, hint)
            }
            Answerer::FileHost => (self.file(to, response).await, None),
        }
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
        let accepted = match call.of {
            Answerer::Carrier => "application/json",
            Answerer::FileHost => "*/*",
        };
        request
            .timeout(to.timeout)
            .header(ACCEPT, HeaderValue::from_static(accepted))
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

    /// A file. Its host sees no credentials, so it cannot refuse them; it cannot say that a device does not
    /// exist, and what is too fast for it says nothing of the account.
    async fn file(&self, to: &Destination, response: Response) -> Result<Received, Failure> {
        let status = response.status();
        if let Some(to) = moved(&response) {
            return Err(Failure::Moved { to });
        }
        if !status.is_success() {
            return Err(match refusal(status, None, || None) {
                Failure::Throttled { .. } => Failure::Transient {
                    reason: "the host of the file says \"too fast\"".to_owned(),
                    pause: None,
                    result: CallResult::Throttled,
                },
                Failure::Unauthorized { .. } | Failure::NotFound => Failure::Rejected {
                    reason: format!("status {}: the file is not there any more", status.as_u16()),
                },
                other => other,
            });
        }
        let headers = response.headers().clone();
        let body = self.body(to, response).await?;
        Ok(Received { body, headers })
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
        let (result, reason) = if error.is_connect() {
            let reason = format!("cannot connect: {}", root_cause(&error));
            (CallResult::Network, reason)
        } else if error.is_timeout() {
            let time = humantime::format_duration(to.timeout);
            let reason = format!("no complete answer within {time}");
            (CallResult::Timeout, reason)
        } else {
            let reason = format!("the connection broke: {}", root_cause(&error));
            (CallResult::Network, reason)
        };
        Failure::Transient {
            reason: to.scrubber.scrub(&reason),
            pause: None,
            result,
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

/// When an answer was made, by the sender's clock: times that it names are measured by the same.
fn answered_at(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(httpdate::parse_http_date(date.trim()).ok()?.into())
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
