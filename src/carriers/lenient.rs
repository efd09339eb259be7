//! Reading JSON that breaks its own documentation: numbers in strings, wrong types, missing keys,
//! empty objects written as empty lists.
//!
//! A field that cannot be read must not cost its row, nor a row its page. So the types here accept
//! every JSON value and say what they made of it. They borrow from the body and build no tree:
//! listings of large fleets are read at the speed of the scanner. Knows no carrier.
//!
//! Read with [`serde_json::from_str`] first, then, if that is an error, with
//! [`verbatim::from_str`](super::verbatim::from_str): only there is nothing but broken JSON an error.
//! What both can read they read alike.
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

use super::scalar::{FromScalar, Number};

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
        // Gaps turn a list into an object, and an empty list has none: this is an answer of another shape, and
        // as a list without rows it would say that nobody has used anything.
        Ok(if rows.is_empty() {
            Field::Bad
        } else {
            Field::Value(rows)
        })
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
    use crate::carriers::verbatim;

    /// As an answer's second reading would, which holds every value.
    fn read<'de, T: Deserialize<'de>>(json: &'de str) -> T {
        verbatim::from_str(json).unwrap()
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
