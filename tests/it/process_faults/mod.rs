//! The process in trouble: killed, told to stop at the worst moment, lied to by its clock, panicking,
//! in bad company. What it had acknowledged is in the database, what it had not is repaired by the
//! next sync, and nobody else notices.
//!
//! Panics in each actor's handlers, in a flush and in a sync stand in `actors/panics.rs` and
//! `actors/restarts.rs`; an idle stop and a second signal in `process/signals.rs`.

mod bulkhead;
pub mod child;
mod clock_jumps;
mod kill;
mod memory;
mod panics;
mod parser;
mod rig;
mod signals;
