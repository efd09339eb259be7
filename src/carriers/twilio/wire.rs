//! Super SIM's JSON as documented: listings, SIMs, usage records, billing periods.
//!
//! Only fields that are used are named; the rest is skipped unread. Says nothing about what a value means:
//! that is `normalise.rs`.

use std::{borrow::Cow, ops::RangeInclusive};

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    carriers::{
        lenient::{Field, List, Object},
        scalar::{FromScalar, Number},
    },
    device::ByteCount,
};

/// Years a carrier can speak of; not every database can hold others.
const YEARS: RangeInclusive<i32> = 2000..=9999;

/// An answer with rows, which stand under the name of their resource.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Listing<'a> {
    #[serde(borrow)]
    pub(super) sims: List<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage_records: List<&'a RawValue>,
    #[serde(borrow)]
    pub(super) billing_periods: List<&'a RawValue>,
    #[serde(borrow)]
    pub(super) meta: Object<Meta<'a>>,
}

/// `meta` of a listing.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Meta<'a> {
    /// `null` is the end; an answer that does not name it at all says nothing.
    #[serde(borrow, deserialize_with = "even_null")]
    pub(super) next_page_url: Option<&'a RawValue>,
}

/// What the key holds, `null` included; without the key this is not called.
fn even_null<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// A row of `Sims`, and the whole answer of `Sims/{Sid}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SimRow<'a> {
    #[serde(borrow)]
    pub(super) sid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Field<Cow<'a, str>>,
}

/// A row of `UsageRecords`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct UsageRow<'a> {
    #[serde(borrow)]
    pub(super) sim_sid: Field<Cow<'a, str>>,
    pub(super) period: Object<Period>,
    pub(super) data_total: Field<ByteCount>,
    #[serde(borrow)]
    pub(super) fleet_sid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) network_sid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) iso_country: Field<Cow<'a, str>>,
}

/// `period` of a usage record.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Period {
    pub(super) start_time: Field<Timestamp>,
    pub(super) end_time: Field<Timestamp>,
}

/// A row of `BillingPeriods`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PeriodRow<'a> {
    #[serde(borrow)]
    pub(super) sim_sid: Field<Cow<'a, str>>,
    pub(super) start_time: Field<Timestamp>,
    pub(super) end_time: Field<Timestamp>,
}

/// ISO 8601 with its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(pub(super) DateTime<Utc>);

impl<'de> FromScalar<'de> for Timestamp {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        DateTime::parse_from_rfc3339(text.trim())
            .ok()
            .map(|time| time.to_utc())
            .filter(|time| YEARS.contains(&time.year()))
            .map(Self)
    }

    fn from_number(_: Number<'de>) -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_zone_and_not_without() {
        let time = |text: &str| {
            Timestamp::from_json(&format!("\"{text}\"")).map(|time| time.0.to_rfc3339())
        };
        for text in [
            "2021-06-09T13:18:15Z",
            " 2021-06-09T15:18:15+02:00 ",
            "2021-06-09T13:18:15.000Z",
        ] {
            assert_eq!(
                time(text).as_deref(),
                Some("2021-06-09T13:18:15+00:00"),
                "{text}"
            );
        }
        for text in [
            "",
            "2021-06-09T13:18:15",
            "2021-06-09",
            "2021-02-30T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "+12025-10-11T17:24:43Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_json("1623244695"), None);
    }
}
