//! What surrounds Control Center's answers: refusals, also on a 200, and the HTML of a wrong host.
//!
//! Knows no row's meaning and never quotes a body; only the carrier's own error text is repeated.

use serde::Deserialize;

use super::wire::Refusal;
use crate::carriers::{
    ReadError,
    lenient::{Field, Object},
    rows::{quote, read},
    walk::body_text,
};

/// "Too fast", whatever the status.
const TOO_FAST: &str = "40000029";

/// User name or API key are wrong.
const BAD_CREDENTIALS: &str = "10000001";

/// An answer that is one object.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    if text.trim_start().starts_with('<') {
        return Err(ReadError::Malformed(
            "HTML instead of JSON: the address is not that of the account's pod (config.pod, \
             api_base_url), or something stands in between"
                .into(),
        ));
    }
    let object = read::<Object<T>>(text)?;
    if let Some(refusal) = refusal(text) {
        return Err(refusal);
    }
    let object = object.0.value();
    object.ok_or_else(|| ReadError::Malformed("the answer is not an object".into()))
}

/// Whether the body of a refusal says "too fast".
pub(super) fn is_throttling(body: &[u8]) -> bool {
    has_code(body, TOO_FAST)
}

/// Whether the body of a refusal says that the credentials are wrong.
pub(super) fn refuses_credentials(body: &[u8]) -> bool {
    has_code(body, BAD_CREDENTIALS)
}

fn has_code(body: &[u8], code: &str) -> bool {
    let text = body_text(body);
    let refusal = read::<Object<Refusal<'_>>>(&text).ok();
    let refusal = refusal.and_then(|refusal| refusal.0.value());
    refusal.is_some_and(|refusal| is_code(&refusal, code))
}

fn is_code(refusal: &Refusal<'_>, code: &str) -> bool {
    matches!(&refusal.error_code, Field::Value(text) if text.trim() == code)
}

/// The refusal that the body holds, if any.
fn refusal(text: &str) -> Option<ReadError> {
    let refusal = read::<Object<Refusal<'_>>>(text).ok()?.0.value()?;
    let is_too_fast = is_code(&refusal, TOO_FAST);
    let Refusal {
        error_code: code,
        error_message: message,
    } = refusal;
    let words = match (code, message) {
        (Field::Missing, Field::Missing) => return None,
        (Field::Value(code), Field::Value(words)) => format!("{}: {}", quote(&code), quote(&words)),
        (Field::Value(words), _) | (_, Field::Value(words)) => quote(&words),
        _ => "the carrier refused and gave no reason that can be read".to_owned(),
    };
    Some(if is_too_fast {
        ReadError::Throttled(words)
    } else {
        ReadError::Rejected(words)
    })
}
