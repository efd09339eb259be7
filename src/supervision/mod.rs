//! Decisions about dying actors, apart from the actors: why one ended and what to do about it. Pure;
//! the caller spawns, waits and escalates.

pub mod exit;
pub mod reconcile;
pub mod restart;
pub mod sharing;

pub use exit::ExitReason;
pub use restart::{Decision, RestartPolicy, Restarts};
