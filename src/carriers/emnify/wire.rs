//! emnify's JSON as documented and as really sent.
//!
//! Only fields that are used are named; the rest is skipped unread. Says nothing about what a value means:
//! that is `normalise.rs` and `stats.rs`.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::carriers::lenient::{Field, Object};
use crate::carriers::quantity::Decimal;

/// A row of `/endpoint`, and the answer of `/endpoint/{id}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct EndpointRow<'a> {
    pub(super) id: Field<u64>,
    #[serde(borrow)]
    pub(super) status: Object<Coded<'a>>,
    #[serde(borrow)]
    pub(super) sim: Object<Sim<'a>>,
}

/// The SIM of an endpoint; null where none is in it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Sim<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Object<Coded<'a>>,
}

/// A value as id and text.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Coded<'a> {
    pub(super) id: Field<u64>,
    #[serde(borrow)]
    pub(super) description: Field<Cow<'a, str>>,
}

/// The answer of `/endpoint/{id}/connectivity`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Connectivity<'a> {
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
}

/// The answer of `/endpoint/{id}/stats`. A month without traffic has no key.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Stats<'a> {
    #[serde(borrow)]
    pub(super) current_month: Object<Month<'a>>,
    pub(super) last_month: Object<IgnoredAny>,
    pub(super) last_hour: Object<IgnoredAny>,
}

/// One month of the same.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Month<'a> {
    #[serde(borrow)]
    pub(super) data: Object<Data<'a>>,
}

/// Data traffic of a month, in the unit that it names or else in megabytes.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Data<'a> {
    /// Received and transmitted together.
    pub(super) volume: Field<Decimal>,
    /// Begins with year and month, where it is there.
    #[serde(borrow)]
    pub(super) month: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) traffic_type: Object<TrafficType<'a>>,
}

/// What the traffic is counted in.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TrafficType<'a> {
    #[serde(borrow)]
    pub(super) unit: Field<Cow<'a, str>>,
}

/// The answer of `/authenticate`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenAnswer<'a> {
    #[serde(borrow)]
    pub(super) auth_token: Field<Cow<'a, str>>,
}

/// The payload of a JWT: unix seconds.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Claims {
    pub(super) exp: Field<i64>,
    pub(super) iat: Field<i64>,
}

/// A refusal.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    pub(super) error_token: Field<Cow<'a, str>>,
}
