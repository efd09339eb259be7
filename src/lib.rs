//! carrier-sync keeps a fleet's database true: data usage, billing cycle, SIM and network status of
//! every device, fetched from each carrier account on its own timer and within its limits.
//!
//! The stages of a sync, in order, each with the place that decides it:
//!
//! ```text
//!  timer ─► devices ─► usage report ─► device listing ─► merge ─► batch ─► transaction ─► report
//!    │         │         └─────┬─────────────┘             │        │          │            │
//!    │         │         carriers, client          sync/merge.rs    │   actors/writer.rs    │
//!    │    store/*/read.rs                           sync/outbox.rs ─┘   store/*/write.rs    │
//!  actors/integration.rs, sync/schedule.rs                      sync/outcome.rs, status/ ───┘
//! ```
//!
//! [`sync::run`] is that line from top to bottom. Around it, from the outside in:
//!
//! * [`cli`]: arguments in, results and exit codes out.
//! * [`app`]: wires a configuration to a running service or a single round; [`shutdown`] is the order
//!   of stopping.
//! * [`config`], [`logging`]: settings in layers that know where they were written; the log's form.
//! * [`actors`]: who tells whom. The supervisor starts and watches; an integration has a timer and at
//!   most one sync in flight; one writer commits and then replies. Nothing is decided here.
//! * [`supervision`]: pure; when to start again, what has changed.
//! * [`sync`]: one pass over one account. No actor, no SQL, no HTTP library.
//! * [`client`]: the one HTTP client; limits, retries and the egress guard are here and nowhere else.
//! * [`carriers`]: a folder per carrier; which requests to make and what the answers mean. No I/O.
//! * [`store`]: the database, as one trait with two engines.
//! * [`manifests`]: the folder of manifests that describe custom carriers.
//! * [`secrets`]: credentials sealed with a key that is not in the database.
//! * [`status`]: each actor's last word, for logs and pages; it survives the actor.
//! * [`device`], [`integration`], [`tenure`], [`budget`], [`runs`], [`clock`], [`words`]: the vocabulary that all of them speak.
//! * [`simulator`]: a carrier in a box, the witness of tests, benches and the demo. Knows none of the
//!   above.
//!
//! Imports point downward in this list. `docs/architecture.md` is the same on one page with the
//! promises; `docs/decisions.md` says why.

pub mod actors;
pub mod app;
pub mod budget;
pub mod carriers;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod device;
pub mod integration;
pub mod logging;
pub mod manifests;
pub mod runs;
pub mod secrets;
pub mod shutdown;
pub mod simulator;
pub mod status;
pub mod store;
pub mod supervision;
pub mod sync;
pub mod tenure;
pub mod words;
