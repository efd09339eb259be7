//! Telnyx's JSON as documented: the rows.
//!
//! Only fields that are used are named; the rest is skipped unread, places and `pin_puk_codes` with it.
//! Says nothing about what a value means: that is `normalise.rs`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::carriers::{
    lenient::{Field, Object},
    quantity::Decimal,
};

/// A row of `/sim_cards`, and the `data` of `/sim_cards/{id}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SimRow<'a> {
    #[serde(borrow)]
    pub(super) id: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) iccid: Field<Cow<'a, str>>,
    /// An object as documented; a bare word is reported by users. Read in `status.rs`.
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    /// Not in the listing.
    #[serde(borrow)]
    pub(super) live_data_session: Field<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) data_limit: Object<Amount<'a>>,
    #[serde(borrow)]
    pub(super) current_billing_period_consumed_data: Object<Amount<'a>>,
}

/// `status` in its documented form.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct StatusObject<'a> {
    #[serde(borrow)]
    pub(super) value: Field<Cow<'a, str>>,
}

/// An amount of data: a decimal number in a string, and its unit.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Amount<'a> {
    pub(super) amount: Field<Decimal>,
    #[serde(borrow)]
    pub(super) unit: Field<Cow<'a, str>>,
}
