//! What crosses a boundary, against real servers: one binary, a module per boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs
)]

mod postgres;
mod store;
