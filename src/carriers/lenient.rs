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
use serde_json::value::RawValue;

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

/// Reads the text of one JSON value; `None` when it does not mean a `Self`.
pub trait FromJson<'de>: Sized {
    /// `json` is a complete, well-formed value without white space around it, never `null`.
    fn from_json(json: &'de str) -> Option<Self>;
}

impl<'de, T: FromJson<'de>> Deserialize<'de> for Field<T> {
    /// By way of the raw text, because a number that fits no Rust type (`1e999`) is an error to a
    /// typed read and would cost the row.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match json {
            "null" => Self::Missing,
            json => T::from_json(json).map_or(Self::Bad, Self::Value),
        })
    }
}

/// Text, or the digits of a number as they were sent, however long.
impl<'de: 'a, 'a> FromJson<'de> for Cow<'a, str> {
    fn from_json(json: &'de str) -> Option<Self> {
        match json.as_bytes().first()? {
            b'"' if json.contains('\\') => serde_json::from_str(json).ok().map(Cow::Owned),
            b'"' => json.get(1..json.len() - 1).map(Cow::Borrowed),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
            _ => None,
        }
    }
}

/// A whole number that is not negative, in a string or not, with or without `.0`.
impl<'de> FromJson<'de> for u64 {
    fn from_json(json: &'de str) -> Option<Self> {
        let text = Cow::from_json(json)?;
        let text = text.trim();
        text.parse()
            .ok()
            .or_else(|| whole_float(text).and_then(|float| float.try_into().ok()))
    }
}

/// A whole number, in a string or not, with or without `.0`.
impl<'de> FromJson<'de> for i64 {
    fn from_json(json: &'de str) -> Option<Self> {
        let text = Cow::from_json(json)?;
        let text = text.trim();
        text.parse().ok().or_else(|| whole_float(text))
    }
}

/// As `u64`, and within what a database column holds.
impl<'de> FromJson<'de> for ByteCount {
    fn from_json(json: &'de str) -> Option<Self> {
        u64::from_json(json).and_then(Self::new)
    }
}

/// `true`, `false`, `1`, `0`, in a string or not.
impl<'de> FromJson<'de> for bool {
    fn from_json(json: &'de str) -> Option<Self> {
        match json.trim_matches('"') {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
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
