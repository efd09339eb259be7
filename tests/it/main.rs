//! What crosses a boundary: files, the environment, processes, databases, sockets. One binary, a
//! module per boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs
)]

mod carrier_cases;
mod cli;
mod config;
mod docs;
mod end_to_end;
mod fleet;
mod logging;
mod postgres;
mod simulator;
mod store;
