//! Tells whoever counts it how each attempt ended and how long calls waited, when it happens. Counts nothing itself,
//! and knows no reader of the figures.

use std::fmt::Debug;
use std::time::Duration;

use crate::carriers::ReadError;
use crate::integration::CallResult;

/// Whoever counts what calls do.
pub trait Traffic: Debug + Send + Sync {
    /// An attempt to call `carrier` (its code) ended.
    fn attempt_ended(&self, carrier: &str, result: CallResult);

    /// A call to `carrier` waited for its permits.
    fn permits_waited(&self, carrier: &str, waited: Duration);
}

/// For programs whose calls nobody counts.
#[derive(Debug, Clone, Copy)]
pub struct Uncounted;

impl Traffic for Uncounted {
    fn attempt_ended(&self, _: &str, _: CallResult) {}

    fn permits_waited(&self, _: &str, _: Duration) {}
}

/// An attempt under way. It is told once, when it is dropped: also where its future is dropped midway, or the
/// answer's reader panics.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    traffic: &'a dyn Traffic,
    carrier: &'static str,
    result: Option<CallResult>,
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(traffic: &'a dyn Traffic, carrier: &'static str) -> Self {
        Self {
            traffic,
            carrier,
            result: None,
        }
    }

    pub(super) fn ended(&mut self, result: CallResult) {
        self.result = Some(result);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let unfinished = if std::thread::panicking() {
            CallResult::Unreadable
        } else {
            CallResult::Abandoned
        };
        let result = self.result.unwrap_or(unfinished);
        self.traffic.attempt_ended(self.carrier, result);
    }
}

/// What an answer was, as its reader found it.
pub(super) fn of_reading<T>(read: &Result<T, ReadError>) -> CallResult {
    match read {
        Ok(_) => CallResult::Ok,
        Err(ReadError::Throttled(_)) => CallResult::Throttled,
        Err(ReadError::Rejected(_)) => CallResult::ClientError,
        Err(ReadError::Malformed(_)) => CallResult::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<CallResult>>);

    impl Traffic for Told {
        fn attempt_ended(&self, _: &str, result: CallResult) {
            self.0.lock().unwrap().push(result);
        }

        fn permits_waited(&self, _: &str, _: Duration) {}
    }

    #[test]
    fn an_attempt_is_told_once_whatever_becomes_of_it() {
        let told = Told::default();
        drop(Attempt::begin(&told, "c"));
        Attempt::begin(&told, "c").ended(CallResult::Ok);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _attempt = Attempt::begin(&told, "c");
            panic!("a reader's mistake");
        }));
        assert!(panicked.is_err());
        use CallResult::{Abandoned, Ok, Unreadable};
        assert_eq!(*told.0.lock().unwrap(), [Abandoned, Ok, Unreadable]);
    }
}
