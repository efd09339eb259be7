//! Words of which there are few, as the document tells them: from the lists that questions are read by, so that it
//! allows what they allow. For vocabulary that knows nothing of documents.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::device::Freshness;
use crate::status::fleet::query::Order;

/// How old what is known of a device's usage is.
pub(super) struct FreshnessWord;

/// In which order integrations come.
pub(super) struct OrderWord;

impl PartialSchema for FreshnessWord {
    fn schema() -> RefOr<Schema> {
        one_of(Freshness::ALL.map(Freshness::as_str))
    }
}

impl ToSchema for FreshnessWord {
    fn name() -> Cow<'static, str> {
        "Freshness".into()
    }
}

impl PartialSchema for OrderWord {
    fn schema() -> RefOr<Schema> {
        one_of(Order::ALL.map(Order::as_str))
    }
}

impl ToSchema for OrderWord {
    fn name() -> Cow<'static, str> {
        "Order".into()
    }
}

fn one_of<const N: usize>(words: [&'static str; N]) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .into()
}
