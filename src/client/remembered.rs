//! What outlives its users, so that a restarted actor gets no fresh burst and buys no new token: limiters,
//! hosts, token keepers. Kept by a hash, so that no map holds credentials, and forgotten when nobody uses it
//! and a new one would be no different.

use std::collections::HashMap;
use std::sync::Arc;

/// So many are kept without looking which of them may be forgotten.
const FEW: usize = 64;

/// Tells what would be lost with it.
pub(super) trait Forgettable {
    /// Whether a new one would be no different.
    fn is_forgettable(&self) -> bool;
}

/// Values by the hash of what they belong to.
#[derive(Debug)]
pub(super) struct Remembered<V> {
    by_hash: HashMap<u64, Arc<V>>,
    /// How many were left when it was last looked which may be forgotten.
    kept: usize,
}

impl<V> Default for Remembered<V> {
    fn default() -> Self {
        Self {
            by_hash: HashMap::new(),
            kept: 0,
        }
    }
}

impl<V: Forgettable> Remembered<V> {
    /// The one of this hash.
    pub(super) fn find_or_add(&mut self, hash: u64, new: impl FnOnce() -> V) -> Arc<V> {
        if let Some(known) = self.by_hash.get(&hash) {
            return Arc::clone(known);
        }
        self.forget_the_unused();
        let value = Arc::new(new());
        self.by_hash.insert(hash, Arc::clone(&value));
        value
    }

    /// All of them.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.by_hash.values().map(Arc::as_ref)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Says whether it looked. That is only when there are twice as many as it left the last time, so that
    /// ten thousand starts do not look at ten thousand values each.
    fn forget_the_unused(&mut self) -> bool {
        if self.by_hash.len() < FEW.max(2 * self.kept) {
            return false;
        }
        self.by_hash
            .retain(|_, value| Arc::strong_count(value) > 1 || !value.is_forgettable());
        self.kept = self.by_hash.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Used(bool);

    impl Forgettable for Used {
        fn is_forgettable(&self) -> bool {
            !self.0
        }
    }

    #[test]
    fn ten_thousand_are_looked_through_a_few_times_and_not_ten_thousand() {
        let (mut all, mut held, mut looks) = (Remembered::default(), Vec::new(), 0);
        for hash in 0..10_000 {
            looks += u32::from(all.forget_the_unused());
            held.push(all.find_or_add(hash, || Used(false)));
        }
        assert!(looks <= 8, "{looks} looks");
        assert_eq!(all.by_hash.len(), 10_000, "none that is used is lost");
    }

    #[test]
    fn what_nobody_uses_is_forgotten_unless_something_is_lost_with_it() {
        let mut all = Remembered::default();
        drop(all.find_or_add(0, || Used(true)));
        for hash in 1..10_000 {
            drop(all.find_or_add(hash, || Used(false)));
        }
        let left = all.by_hash.len();
        assert!(left <= FEW + 1, "{left} are left");
        assert!(all.find_or_add(0, || Used(false)).0, "the first is another");
    }
}
