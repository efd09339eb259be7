//! Carriers in a box: a Hologram-shaped API on loopback over a fleet of any size.
//!
//! It is the independent witness of demos, tests, benches and chaos runs: it says what is true of
//! its fleet by the carrier's documentation, not by the code under test. So it imports nothing of
//! this project, and nothing here may be "shared" with the service for convenience.
//!
//! `dialects/` does the same for other carriers.
//!
//! A device is a pure function of seed, account, index and time, so a million cost nothing.
//!
//! ```text
//!  request ─► auth ─► rate limit ─► latency ─► faults ─► answer            (api.rs)
//!             401       429          sleep     faults.rs    answer.rs ─► pages.rs ─► wire.rs
//!                                                  spoil.rs    │
//!                                                              └─ rendered.rs: pages seen before
//!                                                                           ▲
//!  /sim/truth, /sim/calls, /sim/faults (admin.rs)                           │
//!        ▲          ▲                                                       │
//!        │          └─ call_log.rs                                          │
//!        └─ truth.rs ◄─── fleet.rs ─► device.rs ─► link.rs ─► period.rs, session.rs
//!                                                  all drawn from draw.rs
//! ```

mod admin;
mod answer;
mod api;
mod auth;
mod call_log;
mod calls;
mod config;
mod device;
pub mod dialects;
mod draw;
mod fault;
mod fault_names;
mod faults;
mod fleet;
mod gzip;
mod limiter;
mod link;
mod pages;
mod period;
mod rendered;
mod response;
mod server;
mod session;
mod spoil;
mod time;
mod truth;
mod wire;

pub use calls::{AccountCalls, Arrival, Calls, EndpointCalls};
pub use config::{Billing, InvalidConfig, Latency, SimulatedAccount, SimulatorConfig};
pub use fault::{Endpoint, Fault, FaultKind, RetryAfter};
pub use fault_names::FaultList;
pub use server::Simulator;
pub use truth::Truth;
