//! carrier-sync keeps a fleet's database true: data usage, billing cycle, SIM and network status of
//! every device, fetched from each carrier account on its own timer and within its limits.

pub mod carriers;
pub mod clock;
pub mod device;
pub mod integration;
pub mod simulator;
pub mod store;
