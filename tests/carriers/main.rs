//! Every carrier's dialect, tested from files: no database, and no server but in `openapi/simulated.rs`. A binary of its own, so that
//! whoever writes a dialect has an answer in seconds.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod both_forms;
mod cases;
mod generated;
mod mistakes;
mod openapi;
