//! Time as a parameter: whoever needs "now" is handed a [`Clock`], so tests decide what time it is.
//!
//! Wall-clock time is for what is stored and shown. Waiting uses tokio's timers, which a jump of
//! the wall clock does not move.

use chrono::{DateTime, Utc};

/// Source of the current time, in UTC.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current time.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
