//! The database in trouble while the service writes to it: which state everyone takes and why, that
//! no acknowledged row is lost and no outcome is false, and that it all recovers by itself.
//!
//! Every fault is the server's own: a restart, a killed backend, a lock, a missing right. Two cases
//! stand elsewhere: a bad row among thousands (`store/conformance/write.rs`), and SQLite busy
//! (`actors/database_away.rs`).

mod backpressure;
pub mod desk;
mod locks;
mod refusals;
mod restarts;
mod sqlite;
