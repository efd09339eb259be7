//! The promises of `Store`: one suite for both engines, then what only one of them can promise.

mod adoption;
mod conformance;
pub(crate) mod fleet;
mod isolation;
mod postgres;
mod roles;
mod sqlite;
mod unavailable;
