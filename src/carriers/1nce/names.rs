//! 1NCE's name of a SIM: the ICCID of 19 digits without its check digit. Printed on the card and in many
//! fleets' tables there is one digit more, so both are accepted and the shorter one is asked for.

use crate::carriers::BadDeviceName;
use crate::carriers::iccid::{check_digit, has_valid_check_digit};
use crate::device::CarrierDeviceId;

/// Digits of an ICCID as the API wants it.
const BARE: usize = 19;

const WANTED: &str =
    "1NCE wants the ICCID: 19 digits as the portal lists them, or the 20 printed on the card";

/// A linked SIM under both of its names.
#[derive(Debug, Clone)]
pub(super) struct SimName {
    asked: CarrierDeviceId,
    bare: CarrierDeviceId,
}

impl SimName {
    /// The name that a device is linked by.
    pub(super) fn of(device: &CarrierDeviceId) -> Self {
        let bare = bare(device.as_str());
        Self {
            asked: device.clone(),
            bare: CarrierDeviceId::parse(bare).unwrap_or_else(|_| device.clone()),
        }
    }

    /// As linked.
    pub(super) fn asked(&self) -> &CarrierDeviceId {
        &self.asked
    }

    /// As the API knows it; also the name of the line.
    pub(super) fn path(&self) -> &str {
        self.bare.as_str()
    }

    /// Whether an answer's name, with or without check digit, is this SIM's.
    pub(super) fn is(&self, answered: &str) -> bool {
        bare(answered) == self.path()
    }
}

/// Without the check digit, where the last of 20 digits is one.
pub(super) fn bare(name: &str) -> &str {
    let name = name.trim();
    match name.get(..BARE) {
        Some(bare) if is_digits(name) && name.len() == BARE + 1 && has_valid_check_digit(name) => {
            bare
        }
        _ => name,
    }
}

/// With the check digit: as the carrier prints it, or computed where it does not.
pub(super) fn with_check_digit(bare: &str, printed: Option<&str>) -> Option<String> {
    let printed = printed.map(str::trim);
    let is_this = |printed: &&str| {
        let digit = printed.strip_prefix(bare);
        digit.is_some_and(|digit| digit.len() == 1 && is_digits(digit))
    };
    if let Some(printed) = printed.filter(is_this) {
        return Some(printed.to_owned());
    }
    (bare.len() == BARE)
        .then(|| check_digit(bare))
        .flatten()
        .map(|digit| format!("{bare}{digit}"))
}

pub(super) fn check(name: &str) -> Result<(), BadDeviceName> {
    let name = name.trim();
    let what = match name.len() {
        _ if !is_digits(name) => "is not a number",
        BARE => return Ok(()),
        20 if has_valid_check_digit(name) => return Ok(()),
        20 => "has 20 digits, of which the last is not the check digit of the others",
        15 => "has 15 digits, as an IMSI or IMEI",
        _ => "is too short or too long for an ICCID",
    };
    Err(BadDeviceName(format!("{what}; {WANTED}")))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> SimName {
        SimName::of(&CarrierDeviceId::parse(text).unwrap())
    }

    #[test]
    fn a_name_that_cannot_be_an_iccid_is_refused_and_told_apart() {
        for good in [
            "8988280666000000101",
            "89882806660000001018",
            " 8988280666000000101 ",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let table = [
            ("89882806660000001017", "check digit"),
            ("901405100000018", "IMSI"),
            ("4711", "too short"),
            ("898828066600000010123", "too long"),
            ("HSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "not a number"),
            ("898828066600000010F", "not a number"),
            ("", "not a number"),
        ];
        for (wrong, said) in table {
            let error = check(wrong).unwrap_err().to_string();
            assert!(
                error.contains(said) && error.contains("19 digits"),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn the_printed_check_digit_goes_before_the_computed_one() {
        let bare = "8988303000123456789";
        assert_eq!(
            with_check_digit(bare, Some("89883030001234567890")).unwrap(),
            "89883030001234567890",
            "the documentation's example, whose check digit is not Luhn's"
        );
        for none in [
            None,
            Some(""),
            Some("8988303000123456789"),
            Some("11111111111111111111"),
        ] {
            assert_eq!(
                with_check_digit(bare, none).unwrap(),
                "89883030001234567894"
            );
        }
        assert_eq!(with_check_digit("4711", None), None);
    }

    proptest! {
        #[test]
        fn both_names_of_a_sim_lead_to_the_same_path(digits in "89[0-9]{17}") {
            let printed = with_check_digit(&digits, None).unwrap();
            prop_assert_eq!(check(&printed), Ok(()));
            let (short, long) = (name(&digits), name(&printed));
            prop_assert_eq!(short.path(), long.path());
            prop_assert!(short.is(&printed) && long.is(&digits));
        }
    }
}
