//! Buying a token: where, what is sent, and what a refusal means. When one is bought and for how long it
//! serves is `token.rs`' business.
//!
//! A purchase is a call like any other, with permits, retries and pauses of its account, but counted apart.
//! Nothing of its answer is ever told but the carrier's own words of a refusal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::call::{CarrierClient, Setback};
use super::destination::{basic_header, below};
use super::error::CallError;
use super::failure::Failure;
use super::limits::Endpoint;
use super::meter::CallMeter;
use super::retry::backoff;
use super::token::{Bought, HeldToken, TokenKeeper};
use super::transport::{Answerer, Outgoing, OutgoingBody, Received};
use crate::carriers::token::{TokenAddress, TokenBody};
use crate::carriers::{Answer, Authorization, ReadError, Token, TokenRequest};
use crate::integration::CallResult;

/// Purchases as limits see them.
const ENDPOINT: Endpoint<'_> = Endpoint {
    class: "token",
    path: "token",
};

/// Where and with what an account's token is bought, and who keeps it.
#[derive(Debug)]
pub struct TokenSource {
    /// Where.
    pub url: Url,
    /// With what; its `Debug` shows no secret.
    pub request: TokenRequest,
    /// Shared by every integration that buys the same.
    pub keeper: Arc<TokenKeeper>,
    /// When its job was made.
    pub built_at: Instant,
}

/// Where `address` is for an integration with this base address. `None`: nowhere.
///
/// With a base address `of_its_own` it is always there: credentials never go elsewhere than the operator
/// said.
#[must_use]
pub fn token_url(address: &TokenAddress, base: &Url, of_its_own: bool) -> Option<Url> {
    let at = |origin: &Url, path: &str| {
        let mut url = origin.clone();
        url.set_path(path);
        url
    };
    match address {
        TokenAddress::Below(path) => below(base, &path.split('/').collect::<Vec<_>>(), &[]),
        TokenAddress::OnHost(path) => Some(at(base, path)),
        TokenAddress::Elsewhere { path, .. } if of_its_own => Some(at(base, path)),
        TokenAddress::Elsewhere { origin, path } => Some(at(&Url::parse(origin).ok()?, path)),
    }
}

/// All that proves who we are, to tell one account from another: as it is sent, however it is written in a row.
///
/// Secrets in the clear: to be hashed at once.
#[must_use]
pub fn credentials(authorization: &Authorization) -> Vec<&str> {
    match authorization {
        Authorization::Basic { user, password } => vec![user, password.expose_secret()],
        Authorization::Headers(headers) => headers
            .iter()
            .flat_map(|(name, value)| [&**name, value.expose_secret()])
            .collect(),
        Authorization::Token(request) => identity(request),
    }
}

/// All that a purchase is made of, to tell one from another.
///
/// Secrets in the clear: to be hashed at once.
pub fn identity(request: &TokenRequest) -> Vec<&str> {
    let basic = request.basic.as_ref();
    let basic = basic.map(|(user, password)| [user.as_str(), password.expose_secret()]);
    let mut parts: Vec<&str> = basic.into_iter().flatten().collect();
    match &request.body {
        TokenBody::Json(text) => parts.push(text.expose_secret()),
        TokenBody::Form(fields) => parts.extend(
            fields
                .iter()
                .flat_map(|(name, value)| [&**name, value.expose_secret()]),
        ),
    }
    parts
}

impl CarrierClient {
    /// The account's token. Once it could not be had, a sync asks no more for it: that is one failure.
    pub(super) async fn token(
        &self,
        source: &TokenSource,
        meter: &CallMeter,
    ) -> Result<Arc<HeldToken>, CallError> {
        meter.expects_a_token()?;
        let token = source
            .keeper
            .token(source.built_at, async || self.buy(source, meter).await)
            .await;
        if let Err(error) = &token {
            meter.has_no_token(error);
        }
        token
    }

    async fn buy(&self, source: &TokenSource, meter: &CallMeter) -> Result<Bought, CallError> {
        let mut attempt = 1;
        loop {
            let setback = match self.ask_for_token(source, meter).await? {
                Ok(bought) => return Ok(bought),
                Err(setback) => setback,
            };
            tracing::debug!(endpoint = ENDPOINT.path, attempt, error = %setback.error, "call failed");
            if attempt >= self.max_attempts || !setback.worth_retrying {
                return Err(without_token(setback.error));
            }
            tokio::time::sleep(backoff(attempt, rand::random())).await;
            attempt += 1;
        }
    }

    async fn ask_for_token(
        &self,
        source: &TokenSource,
        meter: &CallMeter,
    ) -> Result<Result<Bought, Setback>, CallError> {
        let unit = meter.unit().await?;
        let permit = self.permit(ENDPOINT, meter).await?;
        meter.counts_token_call();
        unit.spend();
        let (content_type, text) = body(&source.request.body);
        let basic = source.request.basic.as_ref();
        let call = Outgoing {
            url: source.url.clone(),
            of: Answerer::Carrier,
            proof: basic.map_or_else(Default::default, |(user, key)| basic_header(user, key)),
            body: Some(OutgoingBody {
                content_type,
                text: text.expose_secret(),
            }),
        };
        let (asked_at, sent_at) = (Instant::now(), self.clock.now());
        let mut attempt = self.begin();
        let answer = self.on_the_wire(call, ENDPOINT.path, sent_at).await;
        let token = answer.and_then(|received| self.read_token(&received, sent_at));
        attempt.ended(match &token {
            Ok(_) => CallResult::Ok,
            // Not followed, as below.
            Err(Failure::Moved { .. }) => CallResult::ClientError,
            Err(failure) => failure.result(),
        });
        Ok(match token {
            Ok(token) => {
                self.limiter.answered(ENDPOINT.class, permit.sent);
                Ok(Bought { token, asked_at })
            }
            // Credentials are sent where the operator said, and nowhere else.
            Err(Failure::Moved { .. }) => Err(Setback::last(CallError::Unavailable {
                reason: "a redirect, which is not followed".to_owned(),
            })),
            Err(failure) => Err(self.setback(failure, ENDPOINT.class, permit.sent)),
        })
    }

    /// What the dialect says of an answer that it cannot read may quote it, and so the token: dropped,
    /// and so is what a panic would say.
    fn read_token(&self, received: &Received, sent_at: DateTime<Utc>) -> Result<Token, Failure> {
        let answer = Answer {
            body: &received.body,
            headers: &received.headers,
            sent_at,
            read_at: self.clock.now(),
        };
        let carrier = self.destination.carrier;
        let read = catch_unwind(AssertUnwindSafe(|| carrier.read_token(&answer)));
        let read = read.map_err(|_| Failure::Down {
            reason: "reading the answer panicked".to_owned(),
            result: CallResult::Unreadable,
        })?;
        read.map_err(|error| match error {
            ReadError::Throttled(_) => Failure::Throttled { pause: None },
            ReadError::Rejected(_) => Failure::Rejected {
                reason: "a refusal in place of a token".to_owned(),
            },
            ReadError::Malformed(_) => Failure::Transient {
                reason: "an answer without a token".to_owned(),
                pause: None,
                result: CallResult::Unreadable,
            },
        })
    }
}

/// What a purchase's failure means for the call that needs the token: nothing of a device, whatever the
/// status. Refused credentials, a pause and a host that must not be called are what they are for any call.
fn without_token(error: CallError) -> CallError {
    let reason = match error {
        CallError::NotFound => "not found; is api_base_url right?".to_owned(),
        CallError::Rejected { reason }
        | CallError::Unavailable { reason }
        | CallError::Malformed { reason } => reason,
        CallError::TooLarge { .. } => error.to_string(),
        CallError::Throttled { .. }
        | CallError::LimitUsedUp { .. }
        | CallError::Unauthorized { .. }
        | CallError::NoToken { .. }
        | CallError::Forbidden { .. }
        | CallError::LeaseLost
        | CallError::AllowanceSpent { .. }
        | CallError::NotCounted { .. }
        | CallError::BudgetSpent { .. } => return error,
    };
    CallError::NoToken { reason }
}

fn body(body: &TokenBody) -> (&'static str, SecretString) {
    match body {
        TokenBody::Json(text) => ("application/json", text.clone()),
        TokenBody::Form(fields) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in fields {
                form.append_pair(name, value.expose_secret());
            }
            ("application/x-www-form-urlencoded", form.finish().into())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_bought_where_the_carrier_says_and_never_past_a_base_address_of_ones_own() {
        let base = Url::parse("https://api.example.com/v1/").unwrap();
        let elsewhere = TokenAddress::Elsewhere {
            origin: "https://login.example.org".into(),
            path: "/auth/token".into(),
        };
        let below = TokenAddress::Below("oauth/token".into());
        let on_host = TokenAddress::OnHost("/auth/token".into());
        for (address, of_its_own, expected) in [
            (&below, false, "https://api.example.com/v1/oauth/token"),
            (&on_host, true, "https://api.example.com/auth/token"),
            (&elsewhere, false, "https://login.example.org/auth/token"),
            (&elsewhere, true, "https://api.example.com/auth/token"),
        ] {
            let url = token_url(address, &base, of_its_own).unwrap();
            assert_eq!(url.as_str(), expected, "{address:?}");
        }
    }

    #[test]
    fn purchases_with_another_secret_or_another_field_are_told_apart() {
        let form = |name: &'static str, value: &str| TokenRequest {
            address: TokenAddress::Below("t".into()),
            basic: None,
            body: TokenBody::Form(vec![(name.into(), value.to_owned().into())]),
        };
        assert_eq!(identity(&form("a", "b")), identity(&form("a", "b")));
        assert_ne!(identity(&form("a", "b")), identity(&form("a", "c")));
        assert_ne!(identity(&form("a", "b")), identity(&form("ab", "")));
    }

    /// A device that is not found may be taken for gone; a token endpoint that is not found is no device.
    #[test]
    fn no_failure_of_a_purchase_is_taken_for_an_answer_about_a_device() {
        let reason = || "why".to_owned();
        for error in [
            CallError::NotFound,
            CallError::Rejected { reason: reason() },
            CallError::Unavailable { reason: reason() },
            CallError::Malformed { reason: reason() },
            CallError::TooLarge { limit_bytes: 1 },
        ] {
            let error = without_token(error);
            assert!(matches!(error, CallError::NoToken { .. }), "{error}");
        }
        let refused = CallError::Unauthorized {
            status: 400,
            words: None,
        };
        assert_eq!(without_token(refused.clone()), refused);
    }
}
