//! What crosses a boundary: files, the environment, processes, databases, sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod carrier_cases;
mod cli;
mod config;
mod end_to_end;
mod fleet;
mod simulator;
