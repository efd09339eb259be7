//! One pass over one integration: fetch, merge, hand to the writer, report.
//!
//! Knows devices, carriers' records and the client; no actor, no SQL, no HTTP library. Time comes
//! from a given clock, updates go to a given sink.
//!
//! | file | holds |
//! |---|---|
//! | `build.rs` | from a stored row to a job, or why not |
//! | `job.rs` | what a sync is given: account, bounds, sink, observer |
//! | `run.rs` | the sync itself, top to bottom |
//! | `bulk.rs` | reading the account whole: usage report and device listing |
//! | `pages.rs` | a listing read ahead, by a bounded step |
//! | `one_by_one.rs` | asking for what the listing left out |
//! | `ask.rs` | what is asked about one device, and what is known then |
//! | `asking.rs` | asking for it |
//! | `plan.rs` | pure: what one sync sets out to ask |
//! | `turns.rs` | whose turn it is |
//! | `book.rs` | pure: what usage reports say of each line, joined over pages |
//! | `compact.rs` | pure: a line's usage in the fewest bytes |
//! | `merge.rs` | pure: a device's usage, cycle and statuses from listing and book |
//! | `roster.rs` | pure: the linked devices and what became of each |
//! | `name_index.rs` | pure: devices by their name at the carrier |
//! | `outbox.rs` | updates on their way to the writer |
//! | `outcome.rs` | pure: the report |
//! | `probe.rs` | one harmless call |
//! | `schedule.rs` | pure: when the next sync is |

pub mod ask;
pub mod asking;
pub mod book;
pub mod build;
mod bulk;
mod compact;
pub mod job;
pub mod merge;
mod name_index;
mod one_by_one;
pub mod outbox;
pub mod outcome;
mod pages;
pub mod plan;
pub mod probe;
pub mod roster;
pub mod run;
pub mod schedule;
pub mod turns;

pub use build::{CarrierSettings, JobBuilder, Misconfigured};
pub use job::{Observer, Progress, SinkError, SyncJob, SyncPolicy, UpdateSink};
pub use outcome::{Halt, SyncReport};
pub use probe::probe;
pub use run::sync;
