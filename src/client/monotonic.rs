//! The clock of the limits: monotonic, and the runtime's, so that a test with paused time sees ten
//! minutes of calls in an instant.

use std::time::Instant;

use governor::clock::Clock;

/// What time it is.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The same for governor.
#[derive(Debug, Clone, Default)]
pub(super) struct RuntimeClock;

impl Clock for RuntimeClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        now()
    }
}
