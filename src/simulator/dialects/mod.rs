//! Carriers in a box besides Hologram: 1NCE, emnify and Cisco IoT Control Center, each with its own paging,
//! auth, limits and throttling, one dialect per running server.
//!
//! As independent a witness as the rest of the simulator: what is true of a fleet follows from the carriers'
//! documentation and from nothing of the service. A SIM is a pure function of seed, account and index.
//!
//! ```text
//!  request ─► counted ─► fault? ─► limit (window.rs) ─► latency ─► onence.rs, emnify.rs, cisco.rs
//!             calls.rs                429, or in words              tokens.rs  sims.rs
//! ```

mod calls;
mod cisco;
mod config;
mod emnify;
mod onence;
mod question;
mod server;
mod sims;
mod tokens;
mod truth;
mod window;

pub use calls::DialectCalls;
pub use config::{Dialect, DialectAccount, DialectConfig, Limit};
pub use server::{DialectFault, DialectSimulator};
pub use truth::DialectTruth;
