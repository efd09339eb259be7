//! Onomondo's JSON: the rows of SIMs as documented, the rows of usage as a public client has seen them.
//!
//! Only fields that are used are named; the rest is skipped unread, `usage` of a SIM with it: what it counts
//! is not documented. Says nothing about what a value means: that is `normalise.rs`.

use std::borrow::Cow;

use serde::Deserialize;

use super::sim_id::SimId;
use crate::{
    carriers::lenient::{Field, Object},
    device::ByteCount,
};

/// A row of `/sims`, and the answer of `/sims/{sim_id}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SimRow<'a> {
    #[serde(borrow)]
    pub(super) id: Field<SimId<'a>>,
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    pub(super) activated: Field<bool>,
    pub(super) online: Field<bool>,
    #[serde(borrow)]
    pub(super) last_came_online_at: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) data_limit: Object<DataLimit<'a>>,
}

/// `data_limit`: in webhooks as documented, in single SIMs as seen.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct DataLimit<'a> {
    pub(super) used: Field<ByteCount>,
    pub(super) total: Field<ByteCount>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Field<Cow<'a, str>>,
}

/// A row of `/usage` and `/usage/{sim_id}`: one SIM for some minutes of a session.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct UsageRow<'a> {
    #[serde(borrow)]
    pub(super) sim_id: Field<SimId<'a>>,
    #[serde(borrow)]
    pub(super) bill_id: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) time: Field<Cow<'a, str>>,
    /// Another name for `time`.
    #[serde(borrow)]
    pub(super) timestamp: Field<Cow<'a, str>>,
    pub(super) bytes: Field<ByteCount>,
}
