//! Control Center's JSON as documented, and as assumed where it is not: the rows.
//!
//! Only fields that are used are named; the rest is skipped unread. Says nothing about what a value
//! means: that is `normalise.rs`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::time::{CycleDate, Instant};
use crate::{
    carriers::lenient::{Field, List},
    device::ByteCount,
};

/// A page of `/devices`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DevicePage<'a> {
    #[serde(borrow)]
    pub(super) devices: List<&'a RawValue>,
    pub(super) last_page: Field<bool>,
}

/// A row of `/devices`, and the answer of `/devices/{iccid}`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DeviceRow<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) rate_plan: Field<Cow<'a, str>>,
}

/// A page of `/usages`. Its keys are not published: these are the names used by the vendor's other answers.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UsagePage<'a> {
    #[serde(borrow)]
    pub(super) usages: List<&'a RawValue>,
    pub(super) last_page: Field<bool>,
    /// Where it is said once for all rows.
    pub(super) cycle_start_date: Field<CycleDate>,
    #[serde(borrow)]
    pub(super) data_usage_unit: Field<Cow<'a, str>>,
}

/// A row of `/usages`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UsageRow<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    pub(super) cycle_start_date: Field<CycleDate>,
    #[serde(borrow)]
    pub(super) usage_type: Field<Cow<'a, str>>,
    pub(super) data_usage: Field<ByteCount>,
    #[serde(borrow)]
    pub(super) data_usage_unit: Field<Cow<'a, str>>,
}

/// The answer of `/devices/{iccid}/ctdUsages`: the cycle to date.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CycleToDate<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Field<Cow<'a, str>>,
    pub(super) ctd_data_usage: Field<ByteCount>,
}

/// The answer of `/devices/{iccid}/sessionInfo`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SessionInfo<'a> {
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    pub(super) date_session_started: Field<Instant>,
    pub(super) date_session_ended: Field<Instant>,
}

/// A refusal, with whatever status. The code is a text or a number.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    pub(super) error_code: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error_message: Field<Cow<'a, str>>,
}
