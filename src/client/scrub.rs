//! Carriers' texts made fit to show: short, on one line, and without our secrets, which a carrier
//! may echo in an error body.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::carriers::token::SecretHeaders;
use crate::carriers::{Account, Authorization, TokenRequest};

/// Longest text of a carrier's that is passed on, in characters.
const LONGEST_TEXT_CHARS: usize = 200;
/// Where carriers put their words, the more telling first.
const WORDS: [&str; 8] = [
    "/error",
    "/message",
    "/errorMessage/message",
    "/errorMessage",
    "/error_description",
    "/errors/0/detail",
    "/errors/0/title",
    "/errors/detail",
];
/// Bodies above this are not searched for a message.
const LARGEST_ERROR_BODY_BYTES: usize = 64 * 1024;

/// Tokens that texts may still hold: the one in use and those before it that calls under way may carry.
const TOKENS_REMEMBERED: usize = 3;

/// Removes an account's secrets from texts.
#[derive(Debug, Clone)]
pub struct Scrubber {
    secrets: Vec<SecretString>,
    tokens: SoldTokens,
}

/// The tokens of an account, of late: whoever keeps them adds to it, and every scrubber of the account,
/// however old, knows them.
#[derive(Debug, Clone, Default)]
pub struct SoldTokens(Arc<Mutex<VecDeque<Vec<SecretString>>>>);

impl SoldTokens {
    /// A new token: what its headers hold beside the name of their scheme.
    pub fn add(&self, headers: &SecretHeaders) {
        let token = headers.iter().flat_map(|(_, value)| {
            let words: Vec<&str> = value.expose_secret().split_whitespace().collect();
            let secret = words.get(1..).filter(|rest| !rest.is_empty());
            let secret = secret.unwrap_or(&words).iter();
            let secret: Vec<SecretString> = secret.map(|&word| word.into()).collect();
            secret.into_iter().flat_map(|word| forms(&word))
        });
        let token = token.collect();
        // Every change under this lock leaves the list whole.
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push_front(token);
        tokens.truncate(TOKENS_REMEMBERED);
    }

    /// Before any other secret: a token may hold the key, and half of it would be left.
    fn scrub(&self, clean: &mut String) {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in tokens.iter().flatten() {
            *clean = clean.replace(secret.expose_secret(), "[secret]");
        }
    }
}

impl Scrubber {
    /// A scrubber for everything secret in `account`, also in the forms that headers and addresses
    /// give it.
    #[must_use]
    pub fn new(account: &Account, authorization: &Authorization) -> Self {
        let secrets = std::iter::once(&account.api_key).chain(account.api_secret.as_ref());
        let mut forms: Vec<_> = secrets.flat_map(forms).collect();
        match authorization {
            Authorization::Basic { user, password } => {
                forms.push(basic_credentials(user, password));
            }
            Authorization::Token(TokenRequest {
                basic: Some((user, password)),
                ..
            }) => forms.push(basic_credentials(user, password)),
            Authorization::Headers(_) | Authorization::Token(_) => {}
        }
        forms.retain(|form| !form.expose_secret().is_empty());
        Self {
            secrets: forms,
            tokens: SoldTokens::default(),
        }
    }

    /// One that removes these tokens too, those that are still to come included.
    #[must_use]
    pub fn with_tokens(self, tokens: SoldTokens) -> Self {
        Self { tokens, ..self }
    }

    /// `text` cut, on one line, each secret replaced by `[secret]`.
    ///
    /// Secrets go first: a cut could leave half a key that no longer matches.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        self.tokens.scrub(&mut clean);
        for secret in &self.secrets {
            clean = clean.replace(secret.expose_secret(), "[secret]");
        }
        let line = clean.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut short: String = line.clone().take(LONGEST_TEXT_CHARS).collect();
        if line.count() > LONGEST_TEXT_CHARS {
            short.push('…');
        }
        short
    }

    /// The carrier's own words in an error body, where it has any: `error` or `message` of an object.
    #[must_use]
    pub fn error_text(&self, body: &[u8]) -> Option<String> {
        if body.len() > LARGEST_ERROR_BODY_BYTES {
            return None;
        }
        let object: serde_json::Value = serde_json::from_slice(body).ok()?;
        let text = WORDS
            .iter()
            .find_map(|path| object.pointer(path)?.as_str())?;
        Some(self.scrub(text)).filter(|text| !text.trim().is_empty())
    }
}

/// A secret as it is, as an address carries it, and in base64.
fn forms(secret: &SecretString) -> [SecretString; 3] {
    let text = secret.expose_secret();
    let in_address: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    [
        secret.clone(),
        in_address.into(),
        STANDARD.encode(text).into(),
    ]
}

/// What follows `Basic` in the `Authorization` header.
pub(super) fn basic_credentials(user: &str, password: &SecretString) -> SecretString {
    STANDARD
        .encode(format!("{user}:{}", password.expose_secret()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber() -> Scrubber {
        let account = Account {
            api_key: "s3cr3t-key".into(),
            api_secret: Some("".into()),
            account_id: None,
            settings: serde_json::Map::new(),
        };
        let authorization = Authorization::Basic {
            user: "apikey".to_owned(),
            password: account.api_key.clone(),
        };
        Scrubber::new(&account, &authorization)
    }

    #[test]
    fn a_key_that_the_carrier_echoes_is_removed() {
        let body = br#"{"success":false,"error":"key s3cr3t-key is not valid"}"#;
        assert_eq!(
            scrubber().error_text(body).unwrap(),
            "key [secret] is not valid"
        );
    }

    #[test]
    fn a_header_that_the_carrier_echoes_is_removed() {
        let echo = "bad header: Basic YXBpa2V5OnMzY3IzdC1rZXk=";
        assert_eq!(scrubber().scrub(echo), "bad header: Basic [secret]");
    }

    #[test]
    fn a_key_in_an_address_or_in_base64_is_removed() {
        let account = Account {
            api_key: "k/e+y=1".into(),
            api_secret: None,
            account_id: None,
            settings: serde_json::Map::new(),
        };
        let authorization = Authorization::Basic {
            user: "apikey".into(),
            password: "k/e+y=1".into(),
        };
        let scrubber = Scrubber::new(&account, &authorization);
        for echo in ["k/e+y=1", "k%2Fe%2By%3D1", "ay9lK3k9MQ=="] {
            assert_eq!(scrubber.scrub(&format!("bad {echo}!")), "bad [secret]!");
        }
    }

    #[test]
    fn a_key_at_the_cut_is_removed_whole() {
        let text = format!("{}s3cr3t-key", "x".repeat(LONGEST_TEXT_CHARS - 4));
        assert!(!scrubber().scrub(&text).contains("s3cr"));
    }

    #[test]
    fn tokens_sold_after_the_scrubber_was_made_are_removed_and_so_is_the_one_before() {
        let tokens = SoldTokens::default();
        let scrubber = scrubber().with_tokens(tokens.clone());
        tokens.add(&vec![(
            "authorization".into(),
            "Bearer t0ken-s3cr3t-key-1".into(),
        )]);
        tokens.add(&vec![
            ("x-key".into(), "api-2".into()),
            ("x-token".into(), "t0ken/2".into()),
        ]);
        let echo = "not t0ken-s3cr3t-key-1, api-2, t0ken/2 or t0ken%2F2, Bearer";
        assert_eq!(
            scrubber.scrub(echo),
            "not [secret], [secret], [secret] or [secret], Bearer"
        );
    }

    #[test]
    fn a_text_cannot_forge_log_lines() {
        assert_eq!(scrubber().scrub("a\r\nERROR b"), "a  ERROR b");
    }

    #[test]
    fn bodies_without_words_have_no_text() {
        for body in [&b"<html>"[..], b"", b"{\"error\":7}", b"{\"error\":\" \"}"] {
            assert_eq!(scrubber().error_text(body), None);
        }
    }
}
