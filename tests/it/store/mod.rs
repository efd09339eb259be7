//! The promises of `Store`: one suite for both engines, then what only one of them can promise.

mod adoption;
mod conformance;
mod fencing;
pub(crate) mod fleet;
mod isolation;
mod pages;
mod postgres;
mod roles;
mod sqlite;
mod unavailable;
