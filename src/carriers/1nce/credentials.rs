//! 1NCE's credentials: an API user's id and secret buy a token; a refusal is told with status 400.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::wire::{TokenAnswer, TokenRefusal};
use crate::carriers::lenient::{Field, Object};
use crate::carriers::token::{TokenAddress, TokenBody, bearer};
use crate::carriers::walk::body_text;
use crate::carriers::{Account, Answer, BadAccount, ReadError, Token, TokenRequest, rows};

/// Where a tenant finds what is wanted.
const WANTED: &str = "1NCE wants the client id of an API user as api_key and its client secret as api_secret \
    (made in the 1NCE portal; a user with the role Owner cannot call the API)";

/// Codes of a 400 that speak of the credentials; the others speak of the request.
const REFUSALS: [&str; 2] = ["BadCredentials", "AuthValidationError"];

pub(super) fn token_request(account: &Account) -> Result<TokenRequest, BadAccount> {
    let id = account.api_key.expose_secret();
    check("api_key", id)?;
    if id.contains(':') {
        return Err(wrong("api_key holds a colon, as id and secret in one do"));
    }
    let secret = account.api_secret.as_ref();
    let secret = secret.ok_or_else(|| wrong("api_secret is missing"))?;
    check("api_secret", secret.expose_secret())?;
    Ok(TokenRequest {
        address: TokenAddress::Below(Cow::Borrowed("oauth/token")),
        basic: Some((id.to_owned(), secret.clone())),
        body: TokenBody::Json(SecretString::from(r#"{"grant_type":"client_credentials"}"#)),
    })
}

fn check(column: &str, value: &str) -> Result<(), BadAccount> {
    if value.trim().is_empty() {
        return Err(wrong(&format!("{column} is empty")));
    }
    if value.chars().any(char::is_control) {
        let what = format!("{column} holds a line break or another control character");
        return Err(wrong(&what));
    }
    Ok(())
}

fn wrong(what: &str) -> BadAccount {
    BadAccount(format!("{what}; {WANTED}"))
}

pub(super) fn read_token(answer: &Answer<'_>) -> Result<Token, ReadError> {
    let text = body_text(answer.body);
    let object = rows::read::<Object<TokenAnswer<'_>>>(&text)?;
    let answer = rows::present(object.0, "access_token", "in an object")?;
    let token = rows::present(answer.access_token, "access_token", "a text")?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ReadError::Malformed("`access_token` is no token".into()));
    }
    Ok(Token {
        headers: bearer(&SecretString::from(token.into_owned())),
        lifetime: answer.expires_in.value().map(Duration::from_secs),
        account: None,
    })
}

pub(super) fn are_refused(status: u16, body: &[u8]) -> bool {
    if status != 400 {
        return false;
    }
    let text = body_text(body);
    let read = rows::read::<Object<TokenRefusal<'_>>>(&text);
    let refusal = read.ok().and_then(|object| object.0.value());
    refusal.is_some_and(|refusal| match refusal.error_code {
        Field::Value(code) => REFUSALS.contains(&code.trim()),
        Field::Missing | Field::Bad => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn account(key: &str, secret: Option<&str>) -> Account {
        Account {
            api_key: key.to_owned().into(),
            api_secret: secret.map(|secret| secret.to_owned().into()),
            account_id: None,
            settings: serde_json::Map::new(),
        }
    }

    #[test]
    fn id_and_secret_of_an_api_user_buy_a_token() {
        let request = token_request(&account("an-id", Some("a-secret"))).unwrap();
        assert_eq!(request.address, TokenAddress::Below("oauth/token".into()));
        let (user, password) = request.basic.unwrap();
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("an-id", "a-secret")
        );
        let TokenBody::Json(body) = request.body else {
            panic!("not JSON");
        };
        let body: serde_json::Value = serde_json::from_str(body.expose_secret()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({ "grant_type": "client_credentials" })
        );
    }

    #[test]
    fn other_credentials_are_refused_with_the_kind_that_is_wanted_and_are_not_repeated() {
        let table = [
            ("canary", None, "api_secret is missing"),
            ("canary", Some(" "), "api_secret is empty"),
            ("", Some("canary"), "api_key is empty"),
            ("canary:canary", Some("canary"), "colon"),
            ("canary\n", Some("canary"), "api_key holds a line break"),
            (
                "canary",
                Some("can\u{0}ary"),
                "api_secret holds a line break",
            ),
        ];
        for (key, secret, said) in table {
            let error = token_request(&account(key, secret))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(said) && error.contains("API user"),
                "{error}"
            );
            assert!(!error.contains("ary"), "{error}");
        }
    }

    #[test]
    fn a_400_refuses_credentials_only_where_it_speaks_of_them() {
        let body =
            |code: &str| format!(r#"{{"statusCode":400,"errorCode":"{code}","message":"x"}}"#);
        for code in ["BadCredentials", "AuthValidationError"] {
            assert!(are_refused(400, body(code).as_bytes()), "{code}");
            assert!(
                !are_refused(404, body(code).as_bytes()),
                "{code} with another status"
            );
        }
        for code in ["BodyValidationError", "UnsupportedContentTypeError", ""] {
            assert!(!are_refused(400, body(code).as_bytes()), "{code}");
        }
        let others = [
            "",
            "{}",
            "null",
            "<html>BadCredentials</html>",
            r#"{"errorCode":"BadCred"#,
        ];
        for other in others {
            assert!(!are_refused(400, other.as_bytes()), "{other}");
        }
        let of_a_listing =
            br#"{"error_code":1000,"error_token":"BadRequest","message":"BadCredentials"}"#;
        assert!(!are_refused(400, of_a_listing));
    }
}
