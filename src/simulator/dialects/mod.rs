//! Carriers in a box besides Hologram: 1NCE, emnify and Cisco IoT Control Center, each with its own paging,
//! auth, limits and throttling, one dialect per running server.
//!
//! As independent a witness as the rest of the simulator: what is true of a fleet follows from the carriers'
//! documentation and from nothing of the service. A SIM is a pure function of seed, account and index.
//!
//! ```text
//!  request ─► counted ─► fault? ─► limit (window.rs) ─► latency ─► onence.rs, emnify.rs, cisco.rs
//!  http.rs    calls.rs   state.rs  429, or in words              tokens.rs  logins.rs  sims.rs  plans.rs
//! ```

mod calls;
mod cisco;
mod config;
mod emnify;
mod http;
mod logins;
mod onence;
mod plans;
mod question;
mod server;
mod sims;
mod state;
mod tokens;
mod truth;
mod window;

pub use calls::DialectCalls;
pub use config::{Dialect, DialectAccount, DialectConfig, Limit};
pub use server::DialectSimulator;
pub use state::DialectFault;
pub use truth::DialectTruth;
