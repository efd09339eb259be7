//! A clock that kills whoever asks it: the one thing an actor does that a test can make panic without
//! a hook in the actor. The victim is told by the stack of the call.

use std::backtrace::Backtrace;
use std::sync::Mutex;

use carrier_sync::clock::{Clock, SystemClock};
use chrono::{DateTime, Utc};

/// Part of a function's name that is on the stack while an integration's actor runs.
pub const INTEGRATION: &str = "actors::integration::IntegrationActor";
/// While the writer runs.
pub const WRITER: &str = "actors::writer::DbWriterActor";
/// While the supervisor runs.
pub const SUPERVISOR: &str = "actors::supervisor::";
/// While a sync posts its progress.
pub const SYNC: &str = "BoardObserver";

#[derive(Debug, Default)]
pub struct KillerClock(Mutex<Option<(&'static str, usize)>>);

impl KillerClock {
    /// The next so many questions of this victim are its last.
    pub fn kill(&self, victim: &'static str, times: usize) {
        *self.0.lock().unwrap() = Some((victim, times));
    }

    /// Deaths still to come.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap().map_or(0, |(_, left)| left)
    }

    fn strikes(&self) -> bool {
        let mut order = self.0.lock().unwrap();
        let Some((victim, left)) = order.as_mut().filter(|(_, left)| *left > 0) else {
            return false;
        };
        let strikes = Backtrace::force_capture().to_string().contains(*victim);
        *left -= usize::from(strikes);
        strikes
    }
}

impl Clock for KillerClock {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.strikes(), "the clock struck");
        SystemClock.now()
    }
}
