//! Amounts of data as carriers write them: decimal numbers, in strings or not, in units of their own.
//!
//! Exact: no float ever holds an amount. *Used* and *remaining* are different types, so that a quota's
//! rest cannot be stored as usage.

use std::borrow::Cow;

use super::scalar::{FromScalar, Number};
use crate::device::ByteCount;

/// Digits behind the point that are kept; carriers write six, and a byte is a millionth of a megabyte.
const MAX_SCALE: u32 = 18;

/// A decimal number: `digits × 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    digits: i128,
    scale: u32,
}

/// A unit of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteUnit {
    /// One byte.
    Byte,
    /// 1,000 bytes.
    Kilobyte,
    /// 1,024 bytes.
    Kibibyte,
    /// 1,000,000 bytes.
    Megabyte,
    /// 1,048,576 bytes.
    Mebibyte,
    /// 1,000,000,000 bytes.
    Gigabyte,
    /// 1,073,741,824 bytes.
    Gibibyte,
}

impl ByteUnit {
    /// Bytes in one.
    #[must_use]
    pub const fn bytes(self) -> i128 {
        match self {
            Self::Byte => 1,
            Self::Kilobyte => 1_000,
            Self::Kibibyte => 1 << 10,
            Self::Megabyte => 1_000_000,
            Self::Mebibyte => 1 << 20,
            Self::Gigabyte => 1_000_000_000,
            Self::Gibibyte => 1 << 30,
        }
    }

    /// A unit as carriers abbreviate it, where `KB`, `MB` and `GB` count by 1,024.
    #[must_use]
    pub fn binary(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_uppercase().as_str() {
            "B" | "BYTE" | "BYTES" => Self::Byte,
            "KB" | "KIB" => Self::Kibibyte,
            "MB" | "MIB" => Self::Mebibyte,
            "GB" | "GIB" => Self::Gibibyte,
            _ => return None,
        })
    }

    /// A unit as carriers abbreviate it, where `KB`, `MB` and `GB` count by 1,000.
    #[must_use]
    pub fn decimal(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_uppercase().as_str() {
            "B" | "BYTE" | "BYTES" => Self::Byte,
            "KB" => Self::Kilobyte,
            "KIB" => Self::Kibibyte,
            "MB" => Self::Megabyte,
            "MIB" => Self::Mebibyte,
            "GB" => Self::Gigabyte,
            "GIB" => Self::Gibibyte,
            _ => return None,
        })
    }
}

impl Decimal {
    /// The number in bytes, rounded half up; `None` below zero and beyond a [`ByteCount`].
    #[must_use]
    pub fn bytes(self, unit: ByteUnit) -> Option<ByteCount> {
        self.times(unit.bytes())
    }

    /// As [`bytes`](Self::bytes), of a unit of so many bytes.
    #[must_use]
    pub fn times(self, bytes_per_unit: i128) -> Option<ByteCount> {
        let scaled = self.digits.checked_mul(bytes_per_unit)?;
        if scaled < 0 {
            return None;
        }
        let divisor = 10_i128.checked_pow(self.scale)?;
        let rounded = scaled.checked_add(divisor / 2)? / divisor;
        u64::try_from(rounded).ok().and_then(ByteCount::new)
    }

    /// The difference, exact; `None` where the digits do not hold it.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let digits = self.at(scale)?.checked_sub(other.at(scale)?)?;
        Some(Self { digits, scale })
    }

    fn at(self, scale: u32) -> Option<i128> {
        let factor = 10_i128.checked_pow(scale - self.scale)?;
        self.digits.checked_mul(factor)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let unsigned = whole.strip_prefix('-').unwrap_or(whole);
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if unsigned.is_empty() || !is_digits(unsigned) || !is_digits(fraction) {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let places = i32::try_from(fraction.len()).ok()?;
        Self::scaled(digits, places.checked_sub(exponent)?)
    }

    /// `digits × 10^-scale` for any scale within reason.
    fn scaled(digits: i128, scale: i32) -> Option<Self> {
        if scale < 0 {
            let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
            let digits = digits.checked_mul(factor)?;
            return Some(Self { digits, scale: 0 });
        }
        let scale = scale.unsigned_abs();
        if scale <= MAX_SCALE {
            return Some(Self { digits, scale });
        }
        // Far below a byte: cut, not refused.
        let cut = 10_i128.checked_pow(scale - MAX_SCALE)?;
        Some(Self {
            digits: digits / cut,
            scale: MAX_SCALE,
        })
    }
}

/// `"435.787951"`, `435.787951`, `-0.5`, `7`, `1.5e3`.
impl<'de> FromScalar<'de> for Decimal {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        Self::parse(&text)
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        match number {
            Number::Whole(number) => Self::scaled(number.into(), 0),
            Number::Negative(number) => Self::scaled(number.into(), 0),
            Number::Digits(digits) => Self::parse(digits),
        }
    }
}

/// What is left of a quota; below zero where more was used than it holds. Never a usage: ask
/// [`used_of`](Self::used_of).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining(pub Decimal);

impl Remaining {
    /// What was used of a quota of this size, in bytes; `None` where more is left than it ever held.
    #[must_use]
    pub fn used_of(self, whole: Decimal, unit: ByteUnit) -> Option<ByteCount> {
        whole.minus(self.0)?.bytes(unit)
    }
}

impl<'de> FromScalar<'de> for Remaining {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        Decimal::from_text(text).map(Self)
    }
    fn from_number(number: Number<'de>) -> Option<Self> {
        Decimal::from_number(number).map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Option<Decimal> {
        Decimal::from_text(Cow::Borrowed(text))
    }

    fn bytes(text: &str, unit: ByteUnit) -> Option<u64> {
        decimal(text)?.bytes(unit).map(ByteCount::bytes)
    }

    #[test]
    fn amounts_become_whole_bytes_by_their_unit() {
        let table = [
            ("435.787951", ByteUnit::Mebibyte, Some(456_956_787)),
            ("435.787951", ByteUnit::Megabyte, Some(435_787_951)),
            ("2049.0", ByteUnit::Mebibyte, Some(2_148_532_224)),
            ("0", ByteUnit::Gibibyte, Some(0)),
            ("0.0000004", ByteUnit::Megabyte, Some(0)),
            ("0.0000005", ByteUnit::Megabyte, Some(1)),
            ("1.5e3", ByteUnit::Byte, Some(1_500)),
            ("-0.1", ByteUnit::Mebibyte, None),
            ("9223372036854775808", ByteUnit::Byte, None),
            ("1e60", ByteUnit::Byte, None),
        ];
        for (text, unit, expected) in table {
            assert_eq!(bytes(text, unit), expected, "{text} {unit:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", " ", ".", "-", ".5", "1.2.3", "1,5", "MB", "NaN", "inf", "--1", "1e", "+1",
        ] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
    }

    #[test]
    fn used_is_the_whole_less_what_remains_and_may_be_more_than_the_whole() {
        let used = |whole: &str, left: &str| {
            let left = Remaining::from_text(Cow::Owned(left.to_owned())).unwrap();
            let used = left.used_of(decimal(whole).unwrap(), ByteUnit::Mebibyte);
            used.map(ByteCount::bytes)
        };
        assert_eq!(used("500", "435.5"), Some(67_633_152));
        assert_eq!(used("500", "-1"), Some(501 << 20));
        assert_eq!(
            used("100", "435.787951"),
            None,
            "more is left than there was"
        );
    }

    proptest! {
        #[test]
        fn any_whole_number_of_bytes_survives_any_way_of_writing_it(count in 0..i64::MAX as u64) {
            let expected = Some(count);
            prop_assert_eq!(bytes(&count.to_string(), ByteUnit::Byte), expected);
            let megabytes = format!("{}.{:06}", count / 1_000_000, count % 1_000_000);
            prop_assert_eq!(bytes(&megabytes, ByteUnit::Megabyte), expected);
            let number = Decimal::from_number(Number::Digits(&megabytes)).unwrap();
            prop_assert_eq!(number.bytes(ByteUnit::Megabyte).map(ByteCount::bytes), expected);
        }
    }
}
