//! An account's limiter as the status looks at it. The client knows no status, the status no client.

use crate::client::Caller;
use crate::client::limits::LimiterSnapshot;
use crate::status::{LimiterFigures, ReadLimiter};

impl ReadLimiter for Caller {
    fn read(&self) -> LimiterFigures {
        let LimiterSnapshot {
            requests_per_second,
            paused_for,
            permits_per_call,
            waiting,
        } = self.snapshot();
        LimiterFigures {
            requests_per_second,
            paused_for,
            permits_per_call,
            waiting,
        }
    }
}
