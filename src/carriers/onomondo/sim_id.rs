//! The names of SIMs at Onomondo: nine digits, whose leading zeros belong to them.

use std::borrow::Cow;

use crate::carriers::{
    BadDeviceName,
    iccid::looks_like_iccid,
    scalar::{FromScalar, Number},
};

/// Digits of an id.
const DIGITS: usize = 9;

/// An id as it is written. Whether it was sent as text or as a number, zeros that were lost in front are put
/// back, so that `1` means `000000001`: under two names a SIM's usage would miss its SIM, which would then
/// have used nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SimId<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> FromScalar<'de> for SimId<'a> {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        let trimmed = text.trim();
        Some(Self(match text {
            _ if trimmed.is_empty() => return None,
            _ if is_digits(trimmed) && trimmed.len() < DIGITS => Cow::Owned(padded(trimmed)),
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(_) => Cow::Owned(trimmed.to_owned()),
        }))
    }

    fn from_number(number: Number<'de>) -> Option<Self> {
        match number {
            Number::Whole(number) => Some(Self(Cow::Owned(padded(&number.to_string())))),
            Number::Digits(digits) if is_digits(digits) => Some(Self(Cow::Owned(padded(digits)))),
            Number::Negative(_) | Number::Digits(_) => None,
        }
    }
}

/// Whether `text` can be an id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == DIGITS && is_digits(text)
}

/// Refuses what can be neither an id nor an ICCID, which Onomondo takes as well.
pub(super) fn check(name: &str) -> Result<(), BadDeviceName> {
    let name = name.trim();
    if is_id(name) || looks_like_iccid(name) {
        return Ok(());
    }
    let wrong = if is_digits(name) && name.len() < DIGITS {
        format!(
            "has lost its leading zeros, {} would have them",
            padded(name)
        )
    } else if is_digits(name) {
        format!("has {} digits", name.len())
    } else {
        "is no number".to_owned()
    };
    Err(BadDeviceName(format!(
        "{wrong}; Onomondo wants the SIM id of nine digits, zeros in front included, which is printed on the \
         SIM and shown in the app, or the ICCID"
    )))
}

fn padded(digits: &str) -> String {
    format!("{digits:0>DIGITS$}")
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::carriers::{lenient::Field, verbatim};

    fn read(json: &str) -> [Option<String>; 2] {
        let text = |field: Field<SimId<'_>>| field.value().map(|id| id.0.into_owned());
        let typed = serde_json::from_str(json).ok().and_then(text);
        [typed, verbatim::from_str(json).ok().and_then(text)]
    }

    #[test]
    fn a_text_and_a_number_get_their_zeros_back() {
        let table = [
            ("\"000000001\"", Some("000000001")),
            ("\" 000000001 \"", Some("000000001")),
            ("\"2273\"", Some("000002273")),
            ("\"SIM-7\"", Some("SIM-7")),
            ("1", Some("000000001")),
            ("0", Some("000000000")),
            ("1000000000", Some("1000000000")),
            ("-1", None),
            ("\"\"", None),
            ("true", None),
            ("[]", None),
        ];
        for (json, id) in table {
            assert_eq!(read(json)[1].as_deref(), id, "{json}");
        }
        assert_eq!(read("1.5")[1], None);
    }

    proptest! {
        #[test]
        fn an_id_is_the_same_as_text_and_as_number(id in 0..1_000_000_000_u64) {
            let text = format!("{id:09}");
            prop_assert!(is_id(&text));
            for json in [format!("\"{text}\""), format!("\"{id}\""), id.to_string()] {
                prop_assert_eq!(read(&json), [Some(text.clone()), Some(text.clone())]);
            }
        }
    }
}
