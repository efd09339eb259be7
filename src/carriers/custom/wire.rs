//! Values of an answer by the manifest's JSON paths (RFC 9535), whatever shape the carrier gives them.
//!
//! Knows no meaning: a path leads to a text, a number, a truth value, rows, or nothing.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::carriers::lenient::Field;
use crate::carriers::rows::malformed;
use crate::carriers::scalar::{FromScalar, Number};
use crate::carriers::walk::{ReadError, body_text};

/// Rows that are read of one answer; more are no page but a mistake.
const MAX_ROWS: usize = 20_000;

/// A JSON path, checked when the manifest is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Path {
    text: String,
    path: JsonPath,
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match JsonPath::parse(&text) {
            Ok(path) => Ok(Self { text, path }),
            Err(error) => Err(format!(
                "{text:?} is not a JSON path such as \"$.data[*]\" ({})",
                error.message()
            )),
        }
    }
}

impl Path {
    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The first value that it leads to.
    pub(super) fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.path.query(value).first()
    }

    /// What it leads to, as a `T`.
    pub(super) fn scalar<T: for<'t> FromScalar<'t>>(&self, value: &Value) -> Field<T> {
        self.first(value).map_or(Field::Missing, scalar)
    }

    /// What it leads to, as a text.
    pub(super) fn text(&self, value: &Value) -> Field<String> {
        self.first(value).map_or(Field::Missing, text)
    }

    /// The rows that it leads to: the elements of the one list it names, or all that it matches.
    ///
    /// # Errors
    /// When it matches nothing, or one thing that is no list.
    pub(super) fn rows<'v>(&self, answer: &'v Value) -> Result<Vec<&'v Value>, ReadError> {
        let found = self.path.query(answer).all();
        let rows: Vec<&Value> = match found.as_slice() {
            [Value::Array(rows)] => rows.iter().collect(),
            [Value::Object(_)] | [_, _, ..] => found,
            [] if self.is_of_elements(answer) => Vec::new(),
            [] => return Err(ReadError::Malformed(format!("{} leads nowhere", self.text))),
            [_] => {
                return Err(ReadError::Malformed(format!(
                    "{} leads to no rows",
                    self.text
                )));
            }
        };
        if rows.len() > MAX_ROWS {
            return Err(ReadError::Malformed(format!(
                "a list of more than {MAX_ROWS} rows"
            )));
        }
        Ok(rows)
    }

    /// Whether its rows are all that one list holds: names and places alone lead there, and nothing in it is left
    /// out.
    pub(super) fn is_of_one_list(&self) -> bool {
        let text = self.text.trim_end();
        let list = text.strip_suffix("[*]").or_else(|| text.strip_suffix(".*"));
        let mut quote = None;
        let mut last = ' ';
        for now in list.unwrap_or(text).chars() {
            match (quote, now) {
                (Some(open), now) if now == open && last != '\\' => quote = None,
                (None, '\'' | '"') => quote = Some(now),
                (None, '*' | '?' | ':' | ',') => return false,
                (None, '.') if last == '.' => return false,
                _ => {}
            }
            last = if last == '\\' { ' ' } else { now };
        }
        true
    }

    /// The one object that it leads to.
    ///
    /// # Errors
    /// When it leads nowhere, or to something else.
    pub(super) fn object<'v>(&self, answer: &'v Value) -> Result<&'v Value, ReadError> {
        match self.first(answer) {
            Some(row @ Value::Object(_)) => Ok(row),
            Some(_) => Err(ReadError::Malformed(format!(
                "{} is not an object",
                self.text
            ))),
            None => Err(ReadError::Malformed(format!("{} leads nowhere", self.text))),
        }
    }

    /// Whether it ends in `[*]` and the list that it speaks of is there, if empty.
    fn is_of_elements(&self, answer: &Value) -> bool {
        let list = self.text.trim_end().strip_suffix("[*]");
        let list = list.and_then(|list| JsonPath::parse(list).ok());
        list.is_some_and(|list| matches!(list.query(answer).first(), Some(Value::Array(_))))
    }
}

/// The body as JSON.
///
/// # Errors
/// [`ReadError::Malformed`] saying where it is none, never what it holds.
pub(super) fn json(body: &[u8]) -> Result<Value, ReadError> {
    let text = body_text(body);
    serde_json::from_str(&text).map_err(|error| malformed(&text, &error))
}

fn scalar<T: for<'t> FromScalar<'t>>(value: &Value) -> Field<T> {
    let read = match value {
        Value::Null => return Field::Missing,
        Value::Bool(truth) => T::from_bool(*truth),
        Value::Number(number) => T::from_number(Number::Digits(&number.to_string())),
        Value::String(text) => T::from_text(Cow::Borrowed(text)),
        Value::Array(_) | Value::Object(_) => None,
    };
    read.into()
}

/// A number beyond 64 bits is no text: its digits are lost by then.
fn text(value: &Value) -> Field<String> {
    match value {
        Value::Null => Field::Missing,
        Value::String(text) => Field::Value(text.clone()),
        Value::Bool(truth) => Field::Value(truth.to_string()),
        Value::Number(number) if number.is_u64() || number.is_i64() => {
            Field::Value(number.to_string())
        }
        Value::Number(_) | Value::Array(_) | Value::Object(_) => Field::Bad,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Path {
        Path::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn rows_are_a_list_or_all_that_matches() {
        let answer = json!({"data": [1, 2], "none": [], "object": {"a": 1}, "text": "x"});
        assert_eq!(path("$.data").rows(&answer).unwrap().len(), 2);
        assert_eq!(path("$.data[*]").rows(&answer).unwrap().len(), 2);
        assert_eq!(path("$.none[*]").rows(&answer).unwrap().len(), 0);
        assert_eq!(path("$.none").rows(&answer).unwrap().len(), 0);
        assert_eq!(path("$.object").rows(&answer).unwrap().len(), 1);
        assert!(path("$.missing").rows(&answer).is_err());
        assert!(path("$.missing[*]").rows(&answer).is_err());
        assert!(path("$.text").rows(&answer).is_err());
    }

    #[test]
    fn a_path_that_is_none_says_so() {
        let error = Path::try_from("$.[".to_owned()).unwrap_err();
        assert!(error.contains("is not a JSON path"), "{error}");
    }

    #[test]
    fn a_number_whose_digits_are_lost_is_no_text() {
        let row: Value = serde_json::from_str(r#"{"sim": 89445018042130000001}"#).unwrap();
        assert_eq!(path("$.sim").text(&row), Field::Bad);
        assert_eq!(
            path("$.sim").text(&json!({"sim": 8_944_501_804_213_u64})),
            Field::Value("8944501804213".into())
        );
    }
}
