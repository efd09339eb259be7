//! What KORE's token endpoint answers. The rows of its API are those of `../twilio/wire.rs`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::carriers::lenient::Field;

/// A token.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenAnswer<'a> {
    #[serde(borrow)]
    pub(super) access_token: Field<Cow<'a, str>>,
    /// Seconds.
    pub(super) expires_in: Field<u64>,
}

/// A refusal.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    pub(super) error: Field<Cow<'a, str>>,
}
