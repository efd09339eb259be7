//! What one text, number or truth value means where documentation and answers disagree: numbers in
//! strings, whole numbers with a fraction, digits beyond any integer.
//!
//! Knows neither containers nor missing values: that is `lenient.rs`.

use std::borrow::Cow;

use crate::device::ByteCount;

/// Above this a float no longer tells every whole number apart (2^53).
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A number as it was sent.
#[derive(Debug, Clone, Copy)]
pub enum Number<'de> {
    /// A whole number.
    Whole(u64),
    /// A whole number below zero.
    Negative(i64),
    /// Any number, by its digits: what fits neither of the others, or was read from its raw text.
    Digits(&'de str),
}

/// What one text, number or truth value means; `None` when it does not mean a `Self`.
pub trait FromScalar<'de>: Sized {
    /// The text, escapes resolved; borrowed exactly when it was sent without escapes.
    fn from_text(text: Cow<'de, str>) -> Option<Self>;

    /// A number; the digits of a whole one mean the same as the number.
    fn from_number(number: Number<'de>) -> Option<Self>;

    /// A truth value.
    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    /// The raw text of a complete, well-formed value without white space around it, never `null`.
    fn from_json(json: &'de str) -> Option<Self> {
        match json.as_bytes().first()? {
            b'"' if json.contains('\\') => Self::from_text(serde_json::from_str(json).ok()?),
            b'"' => Self::from_text(Cow::Borrowed(json.get(1..json.len() - 1)?)),
            b't' | b'f' => Self::from_bool(json == "true"),
            b'-' | b'0'..=b'9' => Self::from_number(Number::Digits(json)),
            _ => None,
        }
    }
}

/// Text, or the digits of a number as they were sent, however long.
impl<'de: 'a, 'a> FromScalar<'de> for Cow<'a, str> {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        Some(text)
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        Some(match number {
            Number::Whole(number) => Cow::Owned(number.to_string()),
            Number::Negative(number) => Cow::Owned(number.to_string()),
            Number::Digits(digits) => Cow::Borrowed(digits),
        })
    }
}

/// A whole number that is not negative, in a string or not, with or without `.0`.
impl<'de> FromScalar<'de> for u64 {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        let text = text.trim();
        text.parse()
            .ok()
            .or_else(|| whole_float(text).and_then(|float| float.try_into().ok()))
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        match number {
            Number::Whole(number) => Some(number),
            Number::Negative(_) => None,
            Number::Digits(digits) => Self::from_text(Cow::Borrowed(digits)),
        }
    }
}

/// A whole number, in a string or not, with or without `.0`.
impl<'de> FromScalar<'de> for i64 {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        let text = text.trim();
        text.parse().ok().or_else(|| whole_float(text))
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        match number {
            Number::Whole(number) => number.try_into().ok(),
            Number::Negative(number) => Some(number),
            Number::Digits(digits) => Self::from_text(Cow::Borrowed(digits)),
        }
    }
}

/// As `u64`, and within what a database column holds.
impl<'de> FromScalar<'de> for ByteCount {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        u64::from_text(text).and_then(Self::new)
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        u64::from_number(number).and_then(Self::new)
    }
}

/// `true`, `false`, `1`, `0`, in a string or not.
impl<'de> FromScalar<'de> for bool {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        match text {
            Cow::Borrowed("true" | "1") => Some(true),
            Cow::Borrowed("false" | "0") => Some(false),
            _ => None,
        }
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        match number {
            Number::Whole(1) | Number::Digits("1") => Some(true),
            Number::Whole(0) | Number::Digits("0") => Some(false),
            _ => None,
        }
    }
    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

fn whole_float(text: &str) -> Option<i64> {
    let float: f64 = text.parse().ok()?;
    // In this range the cast neither rounds nor saturates; NaN fails both comparisons.
    (float.fract() == 0.0 && float.abs() <= MAX_EXACT_FLOAT).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;
    use crate::carriers::{lenient::Field, verbatim};

    /// As an answer's second reading would, which holds every value.
    fn read<'de, T: Deserialize<'de>>(json: &'de str) -> T {
        verbatim::from_str(json).unwrap()
    }

    #[test]
    fn a_number_is_read_from_text_and_from_a_whole_float() {
        for json in [
            "503417039",
            "\"503417039\"",
            "\" 503417039 \"",
            "503417039.0",
            "5.03417039e8",
        ] {
            assert_eq!(
                read::<Field<u64>>(json),
                Field::Value(503_417_039),
                "{json}"
            );
        }
        assert_eq!(read::<Field<i64>>("\"-1\""), Field::Value(-1));
    }

    #[test]
    fn bytes_that_cannot_be_stored_are_bad_and_never_zero() {
        let wrong = [
            "-1",
            "\"-1\"",
            "9223372036854775808",
            "18446744073709551616",
            "1e30",
            "1e999",
            "1.5",
            "\"\"",
            "\"2s\"",
            "true",
            "[]",
            "{}",
            "\"NaN\"",
            "\"inf\"",
            "\"\\ud800\"",
        ];
        for json in wrong {
            assert_eq!(read::<Field<ByteCount>>(json), Field::Bad, "{json}");
        }
        assert_eq!(read::<Field<ByteCount>>("null"), Field::Missing);
        let most = ByteCount::new(i64::MAX as u64).unwrap();
        assert_eq!(
            read::<Field<ByteCount>>("9223372036854775807"),
            Field::Value(most)
        );
    }

    #[test]
    fn a_number_too_long_for_any_integer_keeps_its_digits_as_text() {
        let text: Field<Cow<'_, str>> = read("89445018042130000001");
        assert_eq!(text, Field::Value("89445018042130000001".into()));
        assert_eq!(
            read::<Field<Cow<'_, str>>>(r#""a\"b""#),
            Field::Value("a\"b".into())
        );
    }

    #[test]
    fn text_without_escapes_is_borrowed_from_the_body() {
        let text: Field<Cow<'_, str>> = read("\"LIVE\"");
        assert!(matches!(text, Field::Value(Cow::Borrowed("LIVE"))));
    }
}
