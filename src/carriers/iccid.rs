//! SIM numbers: with and without their check digit, and told from other ids.
//!
//! An ICCID is 18 or 19 digits and, printed on the card, one more that is computed from them (Luhn,
//! ITU-T E.118). Carriers list it with or without that digit.

/// Digits of an ICCID, its check digit included.
const LENGTHS: std::ops::RangeInclusive<usize> = 18..=20;

/// Whether `text` can only be an ICCID: its digits begin with 89, the industry's number.
#[must_use]
pub fn looks_like_iccid(text: &str) -> bool {
    let text = text.trim();
    LENGTHS.contains(&text.len())
        && text.starts_with("89")
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The check digit that belongs behind `digits`; `None` where they are no digits.
#[must_use]
pub fn check_digit(digits: &str) -> Option<char> {
    let mut sum = 0;
    for (place, letter) in digits.chars().rev().enumerate() {
        let digit = letter.to_digit(10)?;
        // Counted from the right, beginning beside the check digit, every other one is doubled.
        sum += match (place % 2, digit * 2) {
            (0, doubled) if doubled > 9 => doubled - 9,
            (0, doubled) => doubled,
            _ => digit,
        };
    }
    char::from_digit((10 - sum % 10) % 10, 10)
}

/// Whether the last digit is the check digit of those before it.
#[must_use]
pub fn has_valid_check_digit(digits: &str) -> bool {
    let split = digits.char_indices().next_back();
    split.is_some_and(|(at, last)| check_digit(&digits[..at]) == Some(last))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_digit_is_luhn_s() {
        assert_eq!(check_digit("7992739871"), Some('3'));
        assert_eq!(check_digit("8944501804213000000"), Some('6'));
        assert!(has_valid_check_digit("79927398713"));
        assert!(!has_valid_check_digit("79927398714"));
        assert_eq!(check_digit("12a"), None);
        assert!(!has_valid_check_digit(""));
    }

    #[test]
    fn an_iccid_is_told_from_other_ids() {
        for iccid in [
            "8988303000123456789",
            "89883030001234567890",
            "893108000000000000",
        ] {
            assert!(looks_like_iccid(iccid), "{iccid}");
        }
        for other in [
            "4711",
            "000000001",
            "HSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "12345678901234567890",
        ] {
            assert!(!looks_like_iccid(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_noticed(
            digits in "[0-9]{18,19}", place in 0_usize..18, by in 1_u32..10,
        ) {
            let mut whole = digits.clone();
            whole.push(check_digit(&digits).unwrap());
            prop_assert!(has_valid_check_digit(&whole));
            let old = whole.chars().nth(place).unwrap().to_digit(10).unwrap();
            let new = char::from_digit((old + by) % 10, 10).unwrap();
            whole.replace_range(place..=place, &new.to_string());
            prop_assert!(!has_valid_check_digit(&whole));
        }
    }
}
