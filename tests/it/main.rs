//! What crosses a boundary: files, the environment, processes, databases, sockets. One binary, a
//! module per boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs
)]

mod actix_contract;
mod actors;
mod breakable_postgres;
mod call_budget;
mod carrier_faults;
mod carrier_limits;
mod carrier_scene;
mod carrier_tokens;
mod cli;
mod client;
mod config;
mod database_faults;
mod dialect_caller;
mod docs;
mod end_to_end;
mod fleet;
mod layers;
mod leases;
mod logging;
mod packaging;
mod per_device;
mod postgres;
mod process;
mod process_faults;
mod promtool;
mod scripted;
mod simulated_carriers;
mod simulator;
mod simulator_dialect_cisco;
mod simulator_dialect_limits;
mod simulator_dialects;
mod simulator_faults;
mod status_server;
mod store;
mod sync_outcomes;
mod witness;
