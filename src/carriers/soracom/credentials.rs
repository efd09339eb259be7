//! Soracom's keys, the token that they buy, and which of the two coverages it is for.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;

use super::{account_id, envelope, normalise::text, wire::AuthAnswer};
use crate::carriers::{
    Account, Answer, BadAccount, ReadError, Token, TokenRequest,
    token::{TokenAddress, TokenBody},
    walk::body_text,
};

/// How long a token is asked for: the documented default. The maximum is twice that.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// Two coverages, each with devices of its own. Global, unless the integration says otherwise.
pub(super) fn base_url(account: &Account) -> Result<&'static str, BadAccount> {
    let coverage = account.settings.get("coverage");
    let Some(coverage) = coverage.filter(|coverage| !coverage.is_null()) else {
        return Ok("https://g.api.soracom.io/v1");
    };
    let coverage = coverage.as_str().unwrap_or_default().trim();
    match coverage.to_ascii_lowercase().as_str() {
        "global" => Ok("https://g.api.soracom.io/v1"),
        "japan" => Ok("https://api.soracom.io/v1"),
        _ => Err(BadAccount(
            "config.coverage is not a coverage of Soracom; allowed: \"global\" (also when it is not \
             set), \"japan\""
                .into(),
        )),
    }
}

/// The POST that buys a token.
pub(super) fn token_request(account: &Account) -> Result<TokenRequest, BadAccount> {
    base_url(account)?;
    let (id, secret) = keys(account)?;
    check_account_id(account)?;
    let body = json!({
        "authKeyId": id,
        "authKey": secret,
        "tokenTimeoutSeconds": LIFETIME.as_secs(),
    });
    Ok(TokenRequest {
        address: TokenAddress::Below(Cow::Borrowed("auth")),
        basic: None,
        body: TokenBody::Json(body.to_string().into()),
    })
}

/// Neither value is repeated, whatever is wrong with it.
fn keys(account: &Account) -> Result<(&str, &str), BadAccount> {
    let id = account.api_key.expose_secret().trim();
    let secret = account.api_secret.as_ref().map(|key| key.expose_secret());
    let secret = secret.unwrap_or_default().trim();
    let wrong = if id.starts_with("secret-") && secret.starts_with("keyId-") {
        "api_key and api_secret are the wrong way round"
    } else if id.is_empty() {
        "api_key is empty"
    } else if !is_key(id, "keyId-") {
        "api_key is no AuthKey ID"
    } else if secret.is_empty() {
        "api_secret is missing"
    } else if !is_key(secret, "secret-") {
        "api_secret is no AuthKey secret"
    } else {
        return Ok((id, secret));
    };
    Err(BadAccount(format!(
        "{wrong}; Soracom wants an AuthKey of a user (user console, Security): its ID, which begins with \
         keyId-, as api_key, and its secret, which begins with secret-, as api_secret"
    )))
}

fn is_key(text: &str, prefix: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain
        && text
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty())
}

fn check_account_id(account: &Account) -> Result<(), BadAccount> {
    let is_operator = |id: &str| {
        let rest = id.strip_prefix("OP");
        rest.is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    if account_id(account).is_none_or(is_operator) {
        return Ok(());
    }
    Err(BadAccount(
        "account_id is no operator id; Soracom's begins with OP (user console, top right), and may be \
         left empty"
            .into(),
    ))
}

pub(super) fn read_token(answer: &Answer<'_>) -> Result<Token, ReadError> {
    let body = body_text(answer.body);
    let answer = envelope::object::<AuthAnswer<'_>>(&body)?;
    let part = |value, name: &str| {
        text(value)
            .ok_or_else(|| ReadError::Malformed(format!("no `{name}` in the answer of /auth")))
    };
    let key = part(&answer.api_key, "apiKey")?;
    let token = part(&answer.token, "token")?;
    Ok(Token {
        headers: vec![
            (Cow::Borrowed("x-soracom-api-key"), key.to_owned().into()),
            (Cow::Borrowed("x-soracom-token"), token.to_owned().into()),
        ],
        lifetime: Some(LIFETIME),
        account: text(&answer.operator_id).map(str::to_owned),
    })
}
