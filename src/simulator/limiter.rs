//! The carrier's rate limit: a token bucket per API key. Refused calls cost no token.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Buckets of all keys. A key is named by its first organisation.
#[derive(Debug)]
pub(super) struct Limiter {
    requests_per_second: Option<f64>,
    burst: f64,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Limiter {
    pub(super) fn new(requests_per_second: Option<f64>, burst: u32) -> Self {
        let buckets = Mutex::new(HashMap::new());
        Self {
            requests_per_second,
            burst: f64::from(burst),
            buckets,
        }
    }

    /// Whether the key may make a call now.
    pub(super) fn admits(&self, key: u64, now: Instant) -> bool {
        let Some(rate) = self.requests_per_second else {
            return true;
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = Bucket {
            tokens: self.burst,
            filled_at: now,
        };
        let bucket = buckets.entry(key).or_insert(rested);
        let elapsed = now
            .saturating_duration_since(bucket.filled_at)
            .as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * rate).min(self.burst);
        bucket.filled_at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_key_gets_its_burst_and_then_its_rate_and_others_are_not_touched() {
        let limiter = Limiter::new(Some(10.0), 3);
        let start = Instant::now();
        let admitted = |key, millis| limiter.admits(key, start + Duration::from_millis(millis));
        assert!((0..3).all(|_| admitted(1, 0)));
        assert!(!admitted(1, 0) && !admitted(1, 90));
        assert!(admitted(2, 90), "another key");
        assert!(admitted(1, 101) && !admitted(1, 150));
        assert_eq!(
            (0..9).filter(|_| admitted(1, 60_000)).count(),
            3,
            "never more than the burst"
        );
    }
}
