//! emnify's credentials: an application token buys a JWT, which says itself how long it is valid.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};

use super::wire::{Claims, Refusal, TokenAnswer};
use crate::carriers::lenient::{Field, Object};
use crate::carriers::token::{TokenAddress, TokenBody, bearer};
use crate::carriers::walk::body_text;
use crate::carriers::{Account, Answer, BadAccount, ReadError, Token, TokenRequest, rows};

const WANTED: &str = "emnify wants an application token as api_key (made in the emnify portal, in the workspace \
    whose devices are synced)";

/// JWTs leave the padding out; one that does not is read as well.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn token_request(account: &Account) -> Result<TokenRequest, BadAccount> {
    let key = account.api_key.expose_secret().trim();
    let wrong = if key.is_empty() {
        "api_key is empty"
    } else if key.contains('@') {
        "api_key looks like a user name"
    } else if key.contains(char::is_whitespace) || key.contains(char::is_control) {
        "api_key holds white space or a control character"
    } else {
        let body = serde_json::json!({ "application_token": key });
        return Ok(TokenRequest {
            address: TokenAddress::Below(Cow::Borrowed("api/v1/authenticate")),
            basic: None,
            body: TokenBody::Json(SecretString::from(body.to_string())),
        });
    };
    Err(BadAccount(format!("{wrong}; {WANTED}")))
}

pub(super) fn read_token(answer: &Answer<'_>) -> Result<Token, ReadError> {
    let text = body_text(answer.body);
    let object = rows::read::<Object<TokenAnswer<'_>>>(&text)?;
    let object = rows::present(object.0, "auth_token", "in an object")?;
    let token = rows::present(object.auth_token, "auth_token", "a text")?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ReadError::Malformed("`auth_token` is no token".into()));
    }
    Ok(Token {
        lifetime: lifetime(&token, answer),
        headers: bearer(&SecretString::from(token.into_owned())),
        account: None,
    })
}

/// From now until the token's `exp`. Where our clock says that it has ended already, the clocks disagree, and
/// the time from its issue to its end is what both agree on.
fn lifetime(token: &str, answer: &Answer<'_>) -> Option<Duration> {
    let payload = BASE64.decode(token.split('.').nth(1)?).ok()?;
    let text = body_text(&payload);
    let claims = rows::read::<Object<Claims>>(&text).ok()?.0.value()?;
    let expires = claims.exp.value()?;
    let until = |from: i64| {
        let seconds = expires.checked_sub(from).filter(|seconds| *seconds > 0)?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    };
    until(answer.read_at.timestamp()).or_else(|| until(claims.iat.value()?))
}

/// Three failed attempts lock an address out for five minutes, and that is said with the status of refused
/// credentials.
pub(super) fn is_locked_out(body: &[u8]) -> bool {
    let text = body_text(body);
    let read = rows::read::<Object<Refusal<'_>>>(&text);
    let refusal = read.ok().and_then(|object| object.0.value());
    refusal.is_some_and(|refusal| match refusal.error_token {
        Field::Value(token) => token.trim().eq_ignore_ascii_case("TooManyRequests"),
        Field::Missing | Field::Bad => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    fn account(key: &str) -> Account {
        Account {
            api_key: key.to_owned().into(),
            api_secret: None,
            account_id: None,
            settings: serde_json::Map::new(),
        }
    }

    /// Seconds that a token of this payload is valid, read at noon of 2026-11-25 (1_795_608_000).
    fn seconds(payload: &str) -> Option<u64> {
        let at = "2026-11-25T12:00:00Z".parse().unwrap();
        let answer = Answer::of(b"", at);
        let plain = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let padded = format!("e30.{}.c2ln", URL_SAFE.encode(payload));
        let lifetime = lifetime(&plain, &answer);
        assert_eq!(lifetime, super::lifetime(&padded, &answer));
        lifetime.map(|lifetime| lifetime.as_secs())
    }

    #[test]
    fn a_token_is_valid_until_its_exp() {
        assert_eq!(
            seconds(r#"{"exp":1795622400,"iat":1795608000}"#),
            Some(14_400)
        );
        assert_eq!(seconds(r#"{"exp":"1795622400"}"#), Some(14_400));
        assert_eq!(
            seconds(r#"{"exp":1795604400,"iat":1795590000}"#),
            Some(14_400),
            "our clock is ahead"
        );
        let unsaid = [
            "{}",
            "",
            "[]",
            r#"{"exp":1795608000}"#,
            r#"{"exp":-9223372036854775808}"#,
            r#"{"exp":1e999}"#,
            r#"{"exp":"soon"}"#,
            r#"{"exp":5,"iat":9}"#,
        ];
        for payload in unsaid {
            assert_eq!(seconds(payload), None, "{payload}");
        }
    }

    #[test]
    fn a_token_that_is_no_jwt_is_a_token_of_unknown_lifetime() {
        let read = |token: &str| {
            let body = serde_json::json!({ "auth_token": token }).to_string();
            read_token(&Answer::of(body.as_bytes(), chrono::DateTime::UNIX_EPOCH))
        };
        for token in ["opaque", "a.%%%.b", "a..b"] {
            let token = read(token).unwrap();
            assert_eq!(token.lifetime, None);
        }
        for wrong in ["", "two words", "two\nlines"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(
                error.contains("no token") && !error.contains("two"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_application_token_travels_in_the_body() {
        let request = token_request(&account(" a.p\"p.token\n")).unwrap();
        assert_eq!(
            request.address,
            TokenAddress::Below("api/v1/authenticate".into())
        );
        assert!(request.basic.is_none());
        let TokenBody::Json(body) = request.body else {
            panic!("not JSON");
        };
        let body: serde_json::Value = serde_json::from_str(body.expose_secret()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({ "application_token": "a.p\"p.token" })
        );
    }

    #[test]
    fn another_kind_of_key_is_refused_with_the_kind_that_is_wanted_and_is_not_repeated() {
        for key in [
            "",
            " \n",
            "canary@example.org",
            "canary canary",
            "can\u{0}ary",
        ] {
            let error = token_request(&account(key)).unwrap_err().to_string();
            assert!(error.contains("application token"), "{error}");
            assert!(!error.contains("ary"), "{error}");
        }
    }

    #[test]
    fn a_lock_of_the_login_is_told_from_refused_credentials() {
        let locked = br#"{"error_code":1000,"error_token":"TooManyRequests","message":"x"}"#;
        assert!(is_locked_out(locked));
        let refused = [
            "",
            "null",
            "<html>TooManyRequests</html>",
            r#"{"error_token":"Unauthorized","message":"TooManyRequests"}"#,
            r#"{"error_token":["TooManyRequests"]}"#,
        ];
        for body in refused {
            assert!(!is_locked_out(body.as_bytes()), "{body}");
        }
    }
}
