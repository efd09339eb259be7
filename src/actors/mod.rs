//! Message plumbing: who tells whom, and what happens when one dies. What is decided is decided in
//! plain functions elsewhere (`sync/`, `supervision/`, `store/queue.rs`); this is the only folder
//! that knows actix. A sync that is due waits for one of the process's slots (`slots.rs`).
//!
//! ```text
//! Supervisor ── spawns, watches, restarts ──► IntegrationActor (timer, one sync in flight)
//!     │                                            │ WriteBatch, RecordOutcome; reply after commit
//!     └───────────────────────────────────────► DbWriterActor (queue → transaction → reply)
//! ```
//!
//! Mistakes that this shape prevents, each pinned in `tests/it/actix_contract.rs`: actix's own
//! supervisor restarts neither after a panic nor with a backoff, so children are watched by their
//! join handles (`spawn.rs`); a panic in a sync or a flush is contained in a task of its own
//! (`attempt.rs`, `writer.rs`); no handler waits for I/O.

pub mod attempt;
pub mod call_book;
mod control;
pub mod integration;
pub mod keeper;
mod limiter_watch;
pub mod messages;
pub mod notices;
pub mod round;
pub mod slots;
pub mod spawn;
pub mod supervisor;
pub mod system;
pub mod writer;
pub mod writer_handle;

pub use control::ServiceControl;
pub use integration::IntegrationActor;
pub use keeper::LeaseKeeper;
pub use supervisor::Supervisor;
pub use writer::DbWriterActor;
pub use writer_handle::WriterHandle;
