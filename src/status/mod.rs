//! The read side: what every actor is doing, for logs, metrics and pages.
//!
//! Actors post to the [`Board`]; readers copy from it and ask no actor anything, so the board tells
//! the truth about an actor that is stuck or dead.

pub mod actor;
pub mod board;
pub mod health;
pub mod summary;

pub use actor::{ActorName, ActorState, ActorStatus};
pub use board::Board;
