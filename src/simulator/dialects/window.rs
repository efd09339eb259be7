//! An exact limit: at most so many calls in any interval of a length, measured as they arrive.

use std::collections::VecDeque;
use std::time::Instant;

use super::config::Limit;

/// Arrivals that a limit has admitted.
#[derive(Debug)]
pub(super) struct Window {
    limit: Limit,
    admitted: VecDeque<Instant>,
}

impl Window {
    pub(super) fn new(limit: Limit) -> Self {
        Self {
            limit,
            admitted: VecDeque::new(),
        }
    }

    /// Whether a call that arrives now is within the limit; one that is not does not count.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let is_old = |at: &Instant| now.duration_since(*at) >= self.limit.per;
        while self.admitted.front().is_some_and(is_old) {
            self.admitted.pop_front();
        }
        if self.admitted.len() >= self.limit.calls {
            return false;
        }
        self.admitted.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_interval_of_the_length_holds_more() {
        let start = Instant::now();
        let mut window = Window::new(Limit::of(2, Duration::from_millis(100)));
        let admitted = [0, 50, 99, 100, 101, 150].map(|ms| {
            let now = start + Duration::from_millis(ms);
            window.admits(now)
        });
        assert_eq!(admitted, [true, true, false, true, false, true]);
    }
}
