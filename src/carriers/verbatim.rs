//! Reading JSON by the raw text of its fields, for the answers that a typed read cannot hold.
//!
//! A typed read of `1e999` or of half a surrogate pair is an error and would cost the row. Here every
//! [`Field`](super::lenient::Field) is handed its value as it stands in the body; all else is read as
//! ever, and errors name the same places. Twice the scanning, so it comes second: `envelope.rs` of a
//! carrier says when. Knows no carrier and no meaning of any value.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;

use super::lenient::FIELD;

/// Reads what [`serde_json::from_str`] would, and the fields it would fail at.
///
/// # Errors
/// Broken JSON, and what the types refuse: another shape, a repeated key.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Verbatim(&mut json))?;
    json.end()?;
    Ok(value)
}

/// A deserializer, a visitor, or access to a container: passes everything on but a field's value.
struct Verbatim<I>(I);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Verbatim<D> {
    type Error = D::Error;

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name != FIELD {
            return self.0.deserialize_newtype_struct(name, visitor);
        }
        let json = <&RawValue>::deserialize(self.0)?.get();
        visitor.visit_borrowed_bytes(json.as_bytes())
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Verbatim(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Verbatim(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Verbatim(visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier
    }
}

/// Passes a scalar on as it is.
macro_rules! pass {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$visit(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Verbatim<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    pass! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64,
        visit_str: &str, visit_borrowed_str: &'de str
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Verbatim(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Verbatim(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Verbatim(map))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Verbatim<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Verbatim(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Verbatim<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Verbatim(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Verbatim<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Verbatim(seed))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{borrow::Cow, fmt::Debug};

    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::{
        carriers::{lenient::Field, scalar::FromScalar},
        device::ByteCount,
    };

    /// Values that carriers have sent, could send, or that sit on an edge of a number's range.
    const NASTY: [&str; 75] = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "-0",
        "-1",
        "1.0",
        "1.5",
        "1e3",
        "1E+3",
        "-1e3",
        "1e-3",
        "0.0",
        "-0.0",
        "0e0",
        "9007199254740991.5",
        "9007199254740992",
        "9007199254740993.0",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551615.0",
        "1e19",
        "1e30",
        "89445018042130000001",
        "8944.50",
        "1e308",
        "1e309",
        "1e999",
        "-1e999",
        "1e-999",
        "0.1e1",
        "1.00000000000000000000000001",
        "123456789012345678901234567890e-20",
        r#""""#,
        r#"" ""#,
        r#""0""#,
        r#""1""#,
        r#""-1""#,
        r#""+1""#,
        r#"" 7 ""#,
        r#""7.0""#,
        r#""1e3""#,
        r#""NaN""#,
        r#""inf""#,
        r#""2s""#,
        r#""true""#,
        r#""false""#,
        r#""TRUE""#,
        r#""null""#,
        r#""\u0031""#,
        r#""\"1\"""#,
        r#""tr\u0075e""#,
        r#""a\"b""#,
        r#""\n5\t""#,
        r#""\u0000""#,
        r#""\ud800""#,
        r#""\udc00x""#,
        r#""\ud83d\ude00""#,
        "\"\u{1f4f6}\"",
        "\"\u{a0}7\u{2003}\"",
        r#""2025-10-11 17:24:43""#,
        r#""2025-10-11T17:24:43Z""#,
        r#""2025-10-11 17:24:4\u0033""#,
        r#""0000-00-00 00:00:00""#,
        "[]",
        "{}",
        "[1]",
        r#"{"a":{"b":[]}}"#,
        r#"{"\ud800":1}"#,
        r#"[1e999,"\ud800"]"#,
    ];

    /// The text of some JSON value, often a nasty one.
    pub(in crate::carriers) fn any_value() -> impl Strategy<Value = String> {
        let number = "-?(0|[1-9][0-9]{0,21})([.][0-9]{1,4})?([eE][+-]?[0-9]{1,3})?";
        prop_oneof![
            4 => select(NASTY.to_vec()).prop_map(str::to_owned),
            1 => number,
            1 => number.prop_map(|digits| format!("\"{digits}\"")),
            1 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            1 => any::<i64>().prop_map(|number| number.to_string()),
            1 => any::<f64>().prop_map(|number| serde_json::to_string(&number).unwrap()),
        ]
    }

    /// The definition: what a field's raw text means, without any typed read.
    mod defined {
        use super::*;

        pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
            match json.as_bytes().first()? {
                b'"' if json.contains('\\') => serde_json::from_str(json).ok().map(Cow::Owned),
                b'"' => json.get(1..json.len() - 1).map(Cow::Borrowed),
                b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
                _ => None,
            }
        }

        pub(super) fn signed(json: &str) -> Option<i64> {
            let text = text(json)?;
            text.trim().parse().ok().or_else(|| whole(text.trim()))
        }

        pub(super) fn unsigned(json: &str) -> Option<u64> {
            let text = text(json)?;
            let whole = || whole(text.trim()).and_then(|number| number.try_into().ok());
            text.trim().parse().ok().or_else(whole)
        }

        pub(super) fn truth(json: &str) -> Option<bool> {
            match json.trim_matches('"') {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            }
        }

        fn whole(text: &str) -> Option<i64> {
            let float: f64 = text.parse().ok()?;
            (float.fract() == 0.0 && float.abs() <= 2_f64.powi(53)).then_some(float as i64)
        }
    }

    /// The second reading is what is defined, and the first, where it reads at all, the same.
    fn check<'de, T>(json: &'de str, means: Option<T>)
    where
        T: FromScalar<'de> + Debug + PartialEq,
    {
        let means = match json {
            "null" => Field::Missing,
            _ => Field::from(means),
        };
        assert_eq!(from_str::<Field<T>>(json).unwrap(), means, "{json}");
        if let Ok(read) = serde_json::from_str::<Field<T>>(json) {
            assert_eq!(read, means, "{json} at the first reading");
        }
    }

    fn check_every_type(json: &str) {
        check(json, defined::text(json));
        check(json, defined::signed(json));
        check(json, defined::unsigned(json));
        check(json, defined::unsigned(json).and_then(ByteCount::new));
        check(json, defined::truth(json));
    }

    #[test]
    fn both_readings_of_a_nasty_value_are_what_its_raw_text_means() {
        NASTY.iter().for_each(|json| check_every_type(json));
    }

    proptest! {
        #[test]
        fn both_readings_of_any_value_are_what_its_raw_text_means(json in any_value()) {
            check_every_type(&json);
        }
    }

    #[test]
    fn what_carriers_send_daily_is_read_at_once() {
        for json in [
            "null",
            "true",
            "7",
            "-1",
            r#""7""#,
            r#""Telef\u00f3nica""#,
            r#""LIVE""#,
        ] {
            assert!(
                serde_json::from_str::<Field<Cow<'_, str>>>(json).is_ok(),
                "{json}"
            );
        }
    }

    #[test]
    fn an_error_names_the_place_that_the_first_reading_names() {
        #[derive(Debug, Deserialize)]
        struct Row {
            #[serde(default)]
            #[allow(dead_code)]
            id: Field<u64>,
        }
        for json in [
            r#"{"id":1,"id":2}"#,
            r#"{"id":1"#,
            r#"{"id":1} x"#,
            r#"{"id":1,}"#,
            "7",
        ] {
            let first = serde_json::from_str::<Row>(json).unwrap_err().to_string();
            assert_eq!(
                from_str::<Row>(json).unwrap_err().to_string(),
                first,
                "{json}"
            );
        }
    }
}
