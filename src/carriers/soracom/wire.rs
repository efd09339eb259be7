//! Soracom's JSON as documented: the rows.
//!
//! Only fields that are used are named; the rest is skipped unread, the private keys of virtual SIMs
//! with it. Says nothing about what a value means: that is `normalise.rs`.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

use crate::{
    carriers::lenient::{Field, Object},
    device::ByteCount,
};

/// A row of `/query/sims`, and the answer of `/sims/{id}`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SimRow<'a> {
    #[serde(borrow)]
    pub(super) sim_id: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) active_profile_id: Field<Cow<'a, str>>,
    pub(super) session_status: Object<Session>,
    #[serde(borrow)]
    pub(super) profiles: Object<BTreeMap<String, Object<Profile<'a>>>>,
}

/// `sessionStatus` of a SIM.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Session {
    pub(super) online: Field<bool>,
}

/// One of the `profiles` of a SIM; they are keyed by profile id.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Profile<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
}

/// A row of `/stats/air/sims/{id}`: one period.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StatsRow<'a> {
    #[serde(borrow)]
    pub(super) date: Field<Cow<'a, str>>,
    /// Seconds here, though times are milliseconds elsewhere.
    pub(super) unixtime: Field<i64>,
    /// By speed class.
    pub(super) data_traffic_stats_map: Object<BTreeMap<String, Object<Traffic>>>,
}

/// What one speed class carried in a period.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Traffic {
    pub(super) upload_byte_size_total: Field<ByteCount>,
    pub(super) download_byte_size_total: Field<ByteCount>,
}

/// The answer of the usage export.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ExportAnswer<'a> {
    #[serde(borrow)]
    pub(super) url: Field<Cow<'a, str>>,
}

/// The answer of `/auth`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AuthAnswer<'a> {
    #[serde(borrow)]
    pub(super) api_key: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) token: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) operator_id: Field<Cow<'a, str>>,
}

/// A refusal, in both documented shapes.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    pub(super) code: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) message: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error_message: Object<Words<'a>>,
}

/// Code and text of a refusal, where they lie one level deeper.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Words<'a> {
    #[serde(borrow)]
    pub(super) code: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) message: Field<Cow<'a, str>>,
}
