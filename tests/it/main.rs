//! What crosses a boundary: files, the environment, processes, databases, sockets. One binary, a
//! module per boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs
)]

mod breakable_postgres;
mod carrier_cases;
mod cli;
mod config;
mod database_faults;
mod end_to_end;
mod fleet;
mod logging;
mod postgres;
mod process_faults;
mod simulator;
mod store;
mod witness;
