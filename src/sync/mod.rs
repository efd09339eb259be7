//! The pure heart of a sync: what was read becomes what is written.
//!
//! Knows devices and carriers' records; no HTTP, no SQL, no actor, and no clock but a given one.
//!
//! | file | holds |
//! |---|---|
//! | `book.rs` | what usage reports say of each line, joined over pages |
//! | `merge.rs` | a device's usage, cycle and statuses from listing and book |

pub mod book;
pub mod merge;
