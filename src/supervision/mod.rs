//! Decisions about dying actors, apart from the actors: why one ended and what to do about it, and
//! about who may work when not everyone can. Pure; the caller spawns, waits and escalates.

pub mod admission;
pub mod exit;
pub mod reconcile;
pub mod restart;
pub mod sharing;

pub use exit::ExitReason;
pub use restart::{Decision, RestartPolicy, Restarts};
