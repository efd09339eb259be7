//! carrier-sync keeps a fleet's database true: data usage, billing cycle, SIM and network status of
//! every device, fetched from each carrier account on its own timer and within its limits.

pub mod actors;
pub mod app;
pub mod carriers;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod device;
pub mod integration;
pub mod logging;
pub mod secrets;
pub mod shutdown;
pub mod simulator;
pub mod status;
pub mod store;
pub mod supervision;
pub mod sync;
