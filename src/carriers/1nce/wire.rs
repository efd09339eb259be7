//! 1NCE's JSON as documented and as really sent.
//!
//! Only fields that are used are named; the rest is skipped unread. Says nothing about what a value means:
//! that is `normalise.rs` and `quota.rs`.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::carriers::lenient::{Field, Object};
use crate::carriers::quantity::{Decimal, Remaining};
use crate::carriers::scalar::{FromScalar, Number};

/// Years a carrier can speak of; outside of them a date is a zero in disguise.
const YEARS: RangeInclusive<i32> = 2000..=9999;

/// A row of `/v2/sims`, and the answer of `/v2/sims/{iccid}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SimRow<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) iccid_with_luhn: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) activation_date: Field<Cow<'a, str>>,
}

/// The answer of `/v2/sims/{iccid}/status`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Connectivity<'a> {
    /// An object in version 2, a text in version 1.
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) location: Object<Location<'a>>,
}

/// `location` of the same.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
}

/// The answer of `/v2/sims/{iccid}/quota/data`. Amounts are megabytes of 1,024 kilobytes.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Quota<'a> {
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    /// What *remains*.
    pub(super) volume: Field<Remaining>,
    pub(super) total_volume: Field<Decimal>,
    pub(super) accumulated_total_volume: Field<Decimal>,
    #[serde(borrow)]
    pub(super) service: Field<Cow<'a, str>>,
    pub(super) created_at: Field<Timestamp>,
    pub(super) expiry_date: Field<Timestamp>,
}

/// The answer of `/oauth/token`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenAnswer<'a> {
    #[serde(borrow)]
    pub(super) access_token: Field<Cow<'a, str>>,
    /// Seconds.
    pub(super) expires_in: Field<u64>,
}

/// A refusal of `/oauth/token`; elsewhere the keys are written with underscores.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenRefusal<'a> {
    #[serde(borrow, rename = "errorCode")]
    pub(super) error_code: Field<Cow<'a, str>>,
}

/// RFC 3339, or with an offset that lacks its colon (`+0000`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(pub(super) DateTime<Utc>);

impl Timestamp {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|time| time.to_utc())
            .filter(|time| YEARS.contains(&time.year()))
            .map(Self)
    }
}

impl<'de> FromScalar<'de> for Timestamp {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        Self::parse(&text)
    }

    fn from_number(_: Number<'de>) -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_with_and_without_its_colon() {
        let forms = [
            "2018-03-09T07:59:09.000+0000",
            "2018-03-09T07:59:09.000+00:00",
            "2018-03-09T07:59:09.000Z",
            "2018-03-09T07:59:09Z",
            "2018-03-09T09:59:09+0200",
        ];
        for form in forms {
            let time = Timestamp::parse(form).map(|time| time.0.to_rfc3339());
            assert_eq!(time.as_deref(), Some("2018-03-09T07:59:09+00:00"), "{form}");
        }
        for wrong in [
            "",
            "2018-03-09",
            "2018-02-30T00:00:00Z",
            "0000-00-00T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }
}
