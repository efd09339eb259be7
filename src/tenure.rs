//! Whose an integration is: the right of this process to call its carrier and write its rows.
//!
//! Several processes may share one database. Each integration then belongs to one of them by a lease,
//! and a lease that has run out may be another's already. The database decides who owns what; this
//! file only remembers until when it has said so, by a clock that no one can set. Knows no database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts the owners of an integration: `carrier_integrations.lease_epoch`. A write that carries an
/// epoch which is not the stored one comes from a former owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// Until when all leases of this process hold, unless they are renewed. Shared by all its tenures.
#[derive(Debug)]
pub struct Deadline {
    origin: Instant,
    /// Nanoseconds after `origin`; at zero nothing is held.
    held_for_ns: AtomicU64,
}

impl Default for Deadline {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            held_for_ns: AtomicU64::new(0),
        }
    }
}

impl Deadline {
    /// The database has confirmed every lease at some time after `asked`, for `lease` from then on.
    ///
    /// Counted from the question, not from the answer: this end then runs out first. A later end
    /// stays what it is.
    pub fn renewed(&self, asked: Instant, lease: Duration) {
        let end = asked.saturating_duration_since(self.origin) + lease;
        let end = u64::try_from(end.as_nanos()).unwrap_or(u64::MAX);
        self.held_for_ns.fetch_max(end, Ordering::AcqRel);
    }

    /// Nothing is held any more.
    pub fn lost(&self) {
        self.held_for_ns.store(0, Ordering::Release);
    }

    /// How long everything is still held; zero: nothing is.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        let end = Duration::from_nanos(self.held_for_ns.load(Ordering::Acquire));
        end.saturating_sub(now.saturating_duration_since(self.origin))
    }
}

/// The right to one integration.
#[derive(Debug, Clone)]
pub struct Tenure(Option<(Epoch, Arc<Deadline>)>);

impl Tenure {
    /// Nobody shares the database: the right does not end.
    #[must_use]
    pub fn sole() -> Self {
        Self(None)
    }

    /// By a lease of this epoch, until the deadline.
    #[must_use]
    pub fn leased(epoch: Epoch, deadline: Arc<Deadline>) -> Self {
        Self(Some((epoch, deadline)))
    }

    /// What a write must carry; `None`: there is nobody to be told apart from.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.0.as_ref().map(|(epoch, _)| *epoch)
    }

    /// Whether the integration is still ours. Asked before every call, because a process that was
    /// frozen does not know how long.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|(_, deadline)| !deadline.left(Instant::now()).is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_is_held_until_it_runs_out_and_again_when_it_is_renewed() {
        let deadline = Deadline::default();
        let start = deadline.origin;
        assert_eq!(deadline.left(start), Duration::ZERO, "nothing claimed yet");
        deadline.renewed(start, LEASE);
        assert_eq!(deadline.left(start + LEASE / 3), LEASE * 2 / 3);
        assert_eq!(deadline.left(start + LEASE * 2), Duration::ZERO);
        deadline.renewed(start + LEASE, LEASE);
        assert_eq!(deadline.left(start + LEASE), LEASE);
        deadline.lost();
        assert_eq!(deadline.left(start + LEASE), Duration::ZERO);
    }

    #[test]
    fn an_answer_that_comes_late_shortens_nothing() {
        let deadline = Deadline::default();
        let start = deadline.origin;
        deadline.renewed(start + LEASE, LEASE);
        deadline.renewed(start, LEASE);
        assert_eq!(deadline.left(start + LEASE), LEASE);
    }

    #[test]
    fn without_others_an_integration_is_always_ours() {
        assert!(Tenure::sole().is_held());
        let leased = Tenure::leased(Epoch(7), Arc::default());
        assert!(!leased.is_held());
        assert_eq!(leased.epoch(), Some(Epoch(7)));
    }
}
