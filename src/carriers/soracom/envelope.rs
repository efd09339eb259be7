//! What surrounds Soracom's answers: bare lists and bare objects, and refusals in two shapes that can
//! stand in the place of either.
//!
//! Knows no row's meaning and never quotes a body; only the carrier's own error text is repeated.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::Refusal;
use crate::carriers::{
    ReadError,
    lenient::{Field, List, Object},
    rows::{quote, read},
};

/// The rows of an answer that is a list.
///
/// An object is no list, even an empty one: `{}` must not read as an account without SIMs, nor as a
/// month without traffic.
pub(super) fn list(text: &str) -> Result<Vec<&RawValue>, ReadError> {
    if text.trim_start().starts_with('{') {
        return Err(refusal(text)
            .unwrap_or_else(|| ReadError::Malformed("an object where a list belongs".to_owned())));
    }
    let rows = read::<List<&RawValue>>(text)?;
    let rows = rows.0.value();
    rows.ok_or_else(|| ReadError::Malformed("the answer is not a list".into()))
}

/// An answer that is one object. A refusal is an object too, and is told apart by its words.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    let object = read::<Object<T>>(text)?;
    if let Some(refusal) = refusal(text) {
        return Err(refusal);
    }
    let object = object.0.value();
    object.ok_or_else(|| ReadError::Malformed("the answer is not an object".into()))
}

/// The refusal that the body holds, if any.
fn refusal(text: &str) -> Option<ReadError> {
    let Refusal {
        code,
        message,
        error_message,
    } = read::<Object<Refusal<'_>>>(text).ok()?.0.value()?;
    let (code, message) = match error_message.0 {
        Field::Value(inner) => (inner.code, inner.message),
        Field::Missing | Field::Bad => (code, message),
    };
    let text = |field: Field<Cow<'_, str>>| field.value().map(|text| quote(&text));
    match (text(code), text(message)) {
        (Some(code), Some(message)) => Some(ReadError::Rejected(format!("{code}: {message}"))),
        (Some(words), None) | (None, Some(words)) => Some(ReadError::Rejected(words)),
        (None, None) => None,
    }
}
