//! Hologram's JSON as documented and as really sent: the rows.
//!
//! Only fields that are used are named; the rest is skipped unread, the SIM's PIN and PUK with it.
//! Says nothing about what a value means: that is `normalise.rs`.

use std::{borrow::Cow, ops::RangeInclusive};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Deserialize;

use crate::{
    carriers::{
        lenient::{Field, List, Object},
        scalar::{FromScalar, Number},
    },
    device::ByteCount,
};

/// Years a carrier can speak of; outside of them a date is a zero in disguise, or garbage that not
/// every database can hold.
const YEARS: RangeInclusive<i32> = 2000..=9999;

/// A row of `/devices`, and the `data` of `/devices/{id}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct DeviceRow<'a> {
    pub(super) id: Field<u64>,
    pub(super) orgid: Field<u64>,
    #[serde(borrow)]
    pub(super) links: Object<Links<'a>>,
    pub(super) lastsession: Object<LastSession>,
}

/// `links` of a device.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Links<'a> {
    #[serde(borrow)]
    pub(super) cellular: List<Object<Link<'a>>>,
}

/// One element of `links.cellular`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Link<'a> {
    pub(super) id: Field<u64>,
    #[serde(borrow)]
    pub(super) sim: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) state: Field<Cow<'a, str>>,
    pub(super) whenclaimed: Field<Timestamp>,
    pub(super) whenexpires: Field<Timestamp>,
    pub(super) overagelimit: Field<i64>,
    pub(super) cur_billing_data_used: Field<ByteCount>,
}

/// `lastsession` of a device.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct LastSession {
    pub(super) linkid: Field<u64>,
    pub(super) session_begin: Field<Timestamp>,
    pub(super) session_end: Field<Timestamp>,
    pub(super) active: Field<bool>,
}

/// A row of `/usage/data/billing`: one link in one billing period.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct BillingRow<'a> {
    #[serde(borrow)]
    pub(super) record_id: Field<Cow<'a, str>>,
    pub(super) linkid: Field<u64>,
    pub(super) periods_back: Field<u64>,
    pub(super) cur_period_end: Field<Timestamp>,
    pub(super) bytes: Field<ByteCount>,
}

/// A row of `/usage/data`: one session, or one reporting window of a long one.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SessionRow<'a> {
    #[serde(borrow)]
    pub(super) record_id: Field<Cow<'a, str>>,
    pub(super) linkid: Field<u64>,
    pub(super) bytes: Field<ByteCount>,
}

/// `YYYY-MM-DD HH:MM:SS` in UTC without saying so. The zero date of an open end is no time at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(pub(super) DateTime<Utc>);

impl<'de> FromScalar<'de> for Timestamp {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        let text = text.trim();
        zoneless(text)
            .or_else(|| {
                DateTime::parse_from_rfc3339(text)
                    .ok()
                    .map(|time| time.to_utc())
            })
            .filter(|time| YEARS.contains(&time.year()))
            .map(Self)
    }

    fn from_number(_: Number<'de>) -> Option<Self> {
        None
    }
}

/// By hand: chrono's format strings cost more than the rest of the row.
fn zoneless(text: &str) -> Option<DateTime<Utc>> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let separators = [bytes[4], bytes[7], bytes[10], bytes[13], bytes[16]];
    if !matches!(separators, [b'-', b'-', b' ' | b'T', b':', b':']) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_u32, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u32::from(byte - b'0'))
        })
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    Some(
        date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?
            .and_utc(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::carriers::verbatim::{self, tests::any_value};

    fn time(text: &str) -> Option<String> {
        Timestamp::from_json(&format!("\"{text}\"")).map(|time| time.0.to_rfc3339())
    }

    #[test]
    fn times_are_utc_though_they_do_not_say_so() {
        assert_eq!(
            time("2025-10-11 17:24:43").unwrap(),
            "2025-10-11T17:24:43+00:00"
        );
        assert_eq!(
            time("2025-10-11T17:24:43").unwrap(),
            "2025-10-11T17:24:43+00:00"
        );
        assert_eq!(
            time("2025-10-11T19:24:43+02:00").unwrap(),
            "2025-10-11T17:24:43+00:00"
        );
    }

    #[test]
    fn a_zero_date_and_a_wrong_date_are_no_time() {
        let wrong = [
            "0000-00-00 00:00:00",
            "",
            "2025-02-30 00:00:00",
            "2025-10-11",
            "2025-10-11 24:00:00",
            "2025/10/11 17:24:43",
            "0000-01-01 00:00:00",
            "1970-01-01 00:00:00",
            "+12025-10-11T17:24:43Z",
            "٢٠٢٥-10-11 17:24",
            "+025-10-11 17:24:43",
        ];
        for text in wrong {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_json("0"), None);
    }

    proptest! {
        #[test]
        fn both_readings_of_a_time_are_the_same(json in any_value()) {
            if let Ok(first) = serde_json::from_str::<Field<Timestamp>>(&json) {
                prop_assert_eq!(verbatim::from_str::<Field<Timestamp>>(&json).ok(), Some(first));
            }
        }
    }
}
