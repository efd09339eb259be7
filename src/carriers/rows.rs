//! Reading a body whole and row by row, so that a broken row does not cost its page and an error never
//! quotes what it met: bodies hold PINs, PUKs and places.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Field, Object};
use super::verbatim;
use super::walk::{Page, ReadError};

/// Longest text of a carrier that an error repeats, in characters.
const MAX_QUOTE: usize = 200;

/// Reads a body as a `T`: at once where its values allow it, else each field by its raw text.
///
/// # Errors
/// [`ReadError::Malformed`] saying where, never what.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    match serde_json::from_str(text) {
        Ok(read) => Ok(read),
        Err(_) => verbatim::from_str(text).map_err(|error| malformed(text, &error)),
    }
}

/// One row of a list that was read as `List<&RawValue>`; not [`Field::Value`]: it is no readable object.
#[must_use]
pub fn row<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Field<T> {
    let text = raw.get();
    let read = serde_json::from_str::<Object<T>>(text).or_else(|_| verbatim::from_str(text));
    read.map_or(Field::Bad, |object| object.0)
}

/// Hands each row of a list to `read`, which adds what it says to the page. One that cannot be read is told as
/// `{name} row {place}` and costs no other.
pub fn each<'a, R: Deserialize<'a>, T, E: Display>(
    page: &mut Page<T>,
    name: impl Display,
    rows: impl IntoIterator<Item = &'a RawValue>,
    mut read: impl FnMut(R, &mut Page<T>) -> Result<(), E>,
) {
    for (place, raw) in rows.into_iter().enumerate() {
        let told = match row(raw) {
            Field::Value(row) => read(row, page).map_err(|reason| reason.to_string()),
            Field::Missing | Field::Bad => Err("not a readable object".to_owned()),
        };
        if let Err(reason) = told {
            page.unreadable(|| format!("{name} row {}: {reason}", place + 1));
        }
    }
}

/// A word that stands by itself or, in another version of the same API, in an object as `description`.
#[must_use]
pub fn described<'a>(raw: Option<&'a RawValue>) -> Field<Cow<'a, str>> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Described<'a> {
        #[serde(borrow)]
        description: Field<Cow<'a, str>>,
    }
    let Some(raw) = raw else {
        return Field::Missing;
    };
    if raw.get().starts_with('{') {
        return row::<Described<'a>>(raw)
            .value()
            .map_or(Field::Bad, |object| object.description);
    }
    let text = raw.get();
    serde_json::from_str(text)
        .or_else(|_| verbatim::from_str(text))
        .unwrap_or(Field::Bad)
}

/// The value that an answer must have.
///
/// # Errors
/// [`ReadError::Malformed`] naming the key and the shape it should have.
pub fn present<T>(value: Field<T>, key: &str, shape: &str) -> Result<T, ReadError> {
    match value {
        Field::Value(value) => Ok(value),
        Field::Missing => Err(ReadError::Malformed(format!("an answer without `{key}`"))),
        Field::Bad => Err(ReadError::Malformed(format!("`{key}` is not {shape}"))),
    }
}

/// Says where, never what: a body holds PIN and PUK.
#[must_use]
pub fn malformed(text: &str, error: &serde_json::Error) -> ReadError {
    let what = match text.trim_start().as_bytes().first() {
        None => return ReadError::Malformed("an empty body".into()),
        Some(b'<') => "HTML instead of JSON",
        Some(_) if error.is_eof() => "JSON that is cut off",
        Some(_) if error.is_data() => "JSON of another shape",
        Some(_) => "broken JSON",
    };
    ReadError::Malformed(format!(
        "{what} (line {} column {})",
        error.line(),
        error.column()
    ))
}

/// A carrier's words on one line and of a length to be logged.
#[must_use]
pub fn quote(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(printable).take(MAX_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_word_is_read_by_itself_and_out_of_its_object() {
        let word = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            described(Some(&raw)).map(Cow::into_owned)
        };
        let online = Field::Value("ONLINE".to_owned());
        assert_eq!(word(r#""ONLINE""#), online);
        assert_eq!(word(r#"{"id":1,"description":"ONLINE"}"#), online);
        assert_eq!(word(r#"{"id":1e999,"description":"ON\u004cINE"}"#), online);
        assert_eq!(word("null"), Field::Missing);
        assert_eq!(word("{}"), Field::Missing);
        for wrong in ["[]", "true", r#"{"description":[]}"#, r#""\ud800""#] {
            assert_eq!(word(wrong), Field::Bad, "{wrong}");
        }
        assert_eq!(described(None), Field::Missing);
    }
}
