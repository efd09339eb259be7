//! Reading JSON that breaks its own documentation: numbers in strings, wrong types, missing keys,
//! empty objects written as empty lists.
//!
//! A field that cannot be read must not cost its row, nor a row its page. So the types here accept
//! every JSON value and say what they made of it; only broken JSON itself is an error. They borrow
//! from the body and build no tree: listings of large fleets are read at the speed of the scanner.
//! Knows no carrier.
//!
//! | type | reads | takes as missing |
//! |---|---|---|
//! | [`Field`] | one text, number, truth value | `null`, no key |
//! | [`Object`] | an object | `null`, no key, `[]` |
//! | [`List`] | a list, or an object keyed `"0"`, `"1"` … | `null`, no key |

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::device::ByteCount;

/// Above this a float no longer tells every whole number apart (2^53).
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// Longest list that is read. Carriers' pages hold at most 5,000 rows; a body of a million `{}` must
/// not become a million rows in memory.
const MAX_LIST: usize = 20_000;

/// What a JSON value was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// No key, or `null`.
    #[default]
    Missing,
    /// Something that does not mean a `T`.
    Bad,
    /// A `T`.
    Value(T),
}

impl<T> Field<T> {
    /// The value, where there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Bad => None,
        }
    }

    /// The value as something else.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Value(value) => Field::Value(change(value)),
            Self::Missing => Field::Missing,
            Self::Bad => Field::Bad,
        }
    }

    /// Borrows the value.
    pub const fn as_ref(&self) -> Field<&T> {
        match self {
            Self::Value(value) => Field::Value(value),
            Self::Missing => Field::Missing,
            Self::Bad => Field::Bad,
        }
    }
}

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

/// The name by which [`verbatim`](super::verbatim) knows a [`Field`].
pub(super) const FIELD: &str = "carrier_sync::lenient::Field";

impl<'de, T: FromScalar<'de>> Deserialize<'de> for Field<T> {
    /// An error where a typed read cannot hold the value: `1e999`, half a surrogate pair, an object.
    /// [`verbatim`](super::verbatim) reads those, from the raw text, for one scan more.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(FIELD, FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: FromScalar<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, a truth value or null")
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, scalar: D) -> Result<Field<T>, D::Error> {
        scalar.deserialize_any(self)
    }
    fn visit_unit<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Missing)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Field<T>, E> {
        Ok(T::from_bool(value).into())
    }
    fn visit_u64<E>(self, number: u64) -> Result<Field<T>, E> {
        Ok(T::from_number(Number::Whole(number)).into())
    }
    fn visit_i64<E>(self, number: i64) -> Result<Field<T>, E> {
        Ok(T::from_number(Number::Negative(number)).into())
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<T>, E> {
        Ok(T::from_text(Cow::Borrowed(text)).into())
    }
    fn visit_str<E>(self, text: &str) -> Result<Field<T>, E> {
        Ok(T::from_text(Cow::Owned(text.to_owned())).into())
    }
    /// JSON has no bytes; they are how `verbatim` hands over the raw text of a value.
    fn visit_borrowed_bytes<E>(self, json: &'de [u8]) -> Result<Field<T>, E> {
        Ok(match std::str::from_utf8(json) {
            Ok("null") => Field::Missing,
            Ok(json) => T::from_json(json).into(),
            Err(_) => Field::Bad,
        })
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(read: Option<T>) -> Self {
        read.map_or(Self::Bad, Self::Value)
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

/// An object in its own shape. Whatever else stands in its place is told apart.
#[derive(Debug)]
pub struct Object<T>(pub Field<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(Field::Missing)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ObjectVisitor(PhantomData))
            .map(Self)
    }
}

/// A list of rows. PHP writes a list with gaps as an object keyed by number; that is a list too.
#[derive(Debug)]
pub struct List<E>(pub Field<Vec<E>>);

impl<E> Default for List<E> {
    fn default() -> Self {
        Self(Field::Missing)
    }
}

impl<'de, E: Deserialize<'de>> Deserialize<'de> for List<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ListVisitor(PhantomData))
            .map(Self)
    }
}

/// The part of a visitor that both containers share: a scalar in a container's place.
macro_rules! scalar_is_bad {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON value")
        }
        fn visit_unit<Er>(self) -> Result<Self::Value, Er> {
            Ok(Field::Missing)
        }
        fn visit_bool<Er>(self, _: bool) -> Result<Self::Value, Er> {
            Ok(Field::Bad)
        }
        fn visit_i64<Er>(self, _: i64) -> Result<Self::Value, Er> {
            Ok(Field::Bad)
        }
        fn visit_u64<Er>(self, _: u64) -> Result<Self::Value, Er> {
            Ok(Field::Bad)
        }
        fn visit_f64<Er>(self, _: f64) -> Result<Self::Value, Er> {
            Ok(Field::Bad)
        }
        fn visit_str<Er>(self, _: &str) -> Result<Self::Value, Er> {
            Ok(Field::Bad)
        }
    };
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Field<T>;

    scalar_is_bad!();

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Field::Value)
    }

    /// An empty list is how PHP writes an empty object.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut field = Field::Missing;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            field = Field::Bad;
        }
        Ok(field)
    }
}

struct ListVisitor<E>(PhantomData<E>);

impl<'de, E: Deserialize<'de>> Visitor<'de> for ListVisitor<E> {
    type Value = Field<Vec<E>>;

    scalar_is_bad!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element()? {
            check_room(&rows)?;
            if rows.is_empty() {
                // Most lists in a row have one element; a push would make room for four.
                rows.reserve_exact(1);
            }
            rows.push(row);
        }
        Ok(Field::Value(rows))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_digit()) {
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Field::Bad);
            }
            check_room(&rows)?;
            rows.push(map.next_value()?);
        }
        Ok(Field::Value(rows))
    }
}

fn check_room<E, Er: serde::de::Error>(rows: &[E]) -> Result<(), Er> {
    if rows.len() < MAX_LIST {
        return Ok(());
    }
    Err(Er::custom(format_args!(
        "a list of more than {MAX_LIST} rows"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read<'de, T: Deserialize<'de>>(json: &'de str) -> T {
        serde_json::from_str(json).unwrap()
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

    #[test]
    fn an_empty_list_is_an_empty_object_and_a_full_one_is_not() {
        #[derive(Debug, Deserialize)]
        struct Row {}
        assert!(matches!(read::<Object<Row>>("[]").0, Field::Missing));
        assert!(matches!(read::<Object<Row>>("null").0, Field::Missing));
        assert!(matches!(read::<Object<Row>>("[1]").0, Field::Bad));
        assert!(matches!(read::<Object<Row>>("\"x\"").0, Field::Bad));
        assert!(matches!(
            read::<Object<Row>>(r#"{"a":1}"#).0,
            Field::Value(Row {})
        ));
    }

    #[test]
    fn an_object_keyed_by_number_is_a_list() {
        let long = format!("[{}1]", "1,".repeat(MAX_LIST));
        assert!(
            serde_json::from_str::<List<Field<u64>>>(&long).is_err(),
            "a list without end"
        );
        let list: List<Field<u64>> = read(r#"{"0": 7, "2": "9"}"#);
        assert_eq!(list.0, Field::Value(vec![Field::Value(7), Field::Value(9)]));
        assert_eq!(
            read::<List<Field<u64>>>(r#"{"id": 7, "x": 1}"#).0,
            Field::Bad
        );
        assert_eq!(read::<List<Field<u64>>>("4").0, Field::Bad);
    }

    #[test]
    fn nesting_without_end_is_survived() {
        let depth = 200_000;
        let bomb = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read::<Field<u64>>(&bomb), Field::Bad);
        assert!(matches!(read::<Object<IgnoredAny>>(&bomb).0, Field::Bad));
        assert!(serde_json::from_str::<List<Field<u64>>>(&"[".repeat(depth)).is_err());
    }
}
