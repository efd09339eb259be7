//! How requests prove who they are: credentials in every request, or a token that they buy.
//!
//! Says what is sent and what the answer means; when a token is asked for, kept and renewed is the
//! client's business. Everything secret is a `SecretString`.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::SecretString;

/// Headers with secret values, by lower-case name.
pub type SecretHeaders = Vec<(Cow<'static, str>, SecretString)>;

/// How a request proves who we are.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// HTTP Basic.
    Basic {
        /// The user name; not secret by itself.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// These headers, as they are.
    Headers(SecretHeaders),
    /// A token, which these credentials buy. Read with [`Carrier::read_token`](super::Carrier::read_token).
    Token(TokenRequest),
}

impl Authorization {
    /// `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(key: &SecretString) -> Self {
        Self::Headers(bearer(key))
    }
}

/// The header of a bearer token.
#[must_use]
pub fn bearer(token: &SecretString) -> SecretHeaders {
    use secrecy::ExposeSecret;
    let value = format!("Bearer {}", token.expose_secret());
    vec![(Cow::Borrowed("authorization"), value.into())]
}

/// The POST that buys a token. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Where.
    pub address: TokenAddress,
    /// HTTP Basic credentials, where they travel so.
    pub basic: Option<(String, SecretString)>,
    /// What is sent.
    pub body: TokenBody,
}

/// Where a token is bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenAddress {
    /// Below the base address, segments parted by `/`.
    Below(Cow<'static, str>),
    /// At this path of the base address's host, whatever the base address's own path.
    OnHost(Cow<'static, str>),
    /// At a host of its own (KORE); the base address's origin where the integration brings its own base
    /// address, so that credentials never go elsewhere than the operator said.
    Elsewhere {
        /// The origin, such as `https://api.korewireless.com`.
        origin: Cow<'static, str>,
        /// The path, with its leading `/`.
        path: Cow<'static, str>,
    },
}

/// What a token request sends.
#[derive(Debug, Clone)]
pub enum TokenBody {
    /// JSON text.
    Json(SecretString),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(Cow<'static, str>, SecretString)>),
}

/// What a token endpoint sold.
#[derive(Debug, Clone)]
pub struct Token {
    /// What every request carries from now on.
    pub headers: SecretHeaders,
    /// How long it is valid from when it was asked for; `None`: not said, so until it is refused.
    pub lifetime: Option<Duration>,
    /// The account's own name, for [`TOKEN_ACCOUNT`](super::request::TOKEN_ACCOUNT).
    pub account: Option<String>,
}
