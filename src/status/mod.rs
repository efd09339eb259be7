//! The read side: what every actor is doing, for logs, metrics and pages.
//!
//! Actors post to the [`Board`]; readers copy from it and ask no actor anything, so the board tells
//! the truth about an actor that is stuck or dead.

pub mod actor;
pub mod address;
pub mod ask;
mod asked;
pub mod board;
pub mod control;
pub mod fleet;
mod gauges;
pub mod health;
pub mod metrics;
pub mod server;
pub mod summary;

pub use actor::{ActorName, ActorState, ActorStatus, LimiterFigures, LimiterWatch, ReadLimiter};
pub use address::Address;
pub use board::Board;
pub use control::{Control, SyncAsked};
pub use fleet::Fleet;
pub use metrics::Metrics;
pub use server::StatusServer;
