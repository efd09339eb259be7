//! Calls that must be booked before they are made, for an account with a budget over many syncs. Who books
//! them, and where, is not known here.
//!
//! A unit is taken before the permit, because booking may take its time and a permit must not wait with it;
//! one that is not used goes back to the sync.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::error::CallError;

/// Where calls are booked.
#[async_trait]
pub trait Allowance: Send + Sync + fmt::Debug {
    /// Books more than the `taken` calls in all; answers how many are booked in all, which is more.
    ///
    /// # Errors
    /// [`CallError::AllowanceSpent`] when there are no more, and whatever keeps them from being counted.
    async fn book_beyond(&self, taken: u64) -> Result<u64, CallError>;

    /// Whether what was booked and not taken may no longer be: its day is over.
    fn is_over(&self) -> bool;
}

/// The units of one sync.
#[derive(Debug)]
pub(super) struct Units {
    allowance: Arc<dyn Allowance>,
    booked: AtomicU64,
    /// Used, or in someone's hand.
    taken: AtomicU64,
    /// Held while booking: one books for all who wait.
    turn: Mutex<()>,
}

/// The right to one call; given back unless it is used.
#[derive(Debug)]
pub(super) struct Unit<'a>(Option<&'a Units>);

impl Units {
    pub(super) fn of(allowance: Arc<dyn Allowance>) -> Self {
        Self {
            allowance,
            booked: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            turn: Mutex::new(()),
        }
    }

    pub(super) async fn take(&self) -> Result<Unit<'_>, CallError> {
        loop {
            if let Some(unit) = self.take_booked() {
                return Ok(unit);
            }
            let _turn = self.turn.lock().await;
            if let Some(unit) = self.take_booked() {
                return Ok(unit);
            }
            if self.allowance.is_over() {
                // What is left of it counts on no day, even if booking for the new one fails and looks begun.
                self.booked.store(0, Ordering::Relaxed);
            }
            let taken = self.taken.load(Ordering::Relaxed);
            let booked = self.allowance.book_beyond(taken).await?;
            self.booked.store(booked, Ordering::Relaxed);
        }
    }

    fn take_booked(&self) -> Option<Unit<'_>> {
        if self.allowance.is_over() {
            return None;
        }
        let booked = self.booked.load(Ordering::Relaxed);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < booked).then_some(taken + 1)
            });
        taken.ok().map(|_| Unit(Some(self)))
    }
}

impl Unit<'_> {
    /// Of an account that has no budget.
    pub(super) fn free() -> Self {
        Self(None)
    }

    /// The call is made.
    pub(super) fn spend(mut self) {
        self.0 = None;
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if let Some(units) = self.0 {
            units.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicBool;

    use futures_util::future::join_all;

    use super::*;

    /// Books three at a time, seven in all.
    #[derive(Debug, Default)]
    struct Seven {
        asked: AtomicU64,
    }

    #[async_trait]
    impl Allowance for Seven {
        async fn book_beyond(&self, taken: u64) -> Result<u64, CallError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if taken >= 7 {
                let reason = "seven".to_owned();
                return Err(CallError::AllowanceSpent { reason });
            }
            Ok((taken + 3).min(7))
        }

        fn is_over(&self) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn units_are_booked_by_steps_and_never_more_are_used_than_there_are() {
        let seven = Arc::new(Seven::default());
        let units = Units::of(seven.clone());
        let taken = join_all((0..20).map(|_| async { units.take().await.map(Unit::spend) })).await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 7);
        assert_eq!(units.booked.load(Ordering::Relaxed), 7);
    }

    #[tokio::test]
    async fn a_step_is_booked_once_for_all_who_wait() {
        let seven = Arc::new(Seven::default());
        let units = Units::of(seven.clone());
        let taken = join_all((0..3).map(|_| units.take())).await;
        assert!(taken.iter().all(Result::is_ok));
        assert_eq!(seven.asked.load(Ordering::Relaxed), 1);
    }

    /// Three a day; the database is away when the second day begins, which it then takes for begun.
    #[derive(Debug, Default)]
    struct Midnight {
        is_past: AtomicBool,
        has_begun: AtomicBool,
    }

    #[async_trait]
    impl Allowance for Midnight {
        async fn book_beyond(&self, taken: u64) -> Result<u64, CallError> {
            if self.is_past.load(Ordering::Relaxed) {
                self.has_begun.store(true, Ordering::Relaxed);
                let reason = "away".to_owned();
                return Err(CallError::NotCounted { reason });
            }
            Ok(taken + 3)
        }

        fn is_over(&self) -> bool {
            self.is_past.load(Ordering::Relaxed) && !self.has_begun.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_day_is_not_used_on_the_next_even_if_that_cannot_be_booked() {
        let midnight = Arc::new(Midnight::default());
        let units = Units::of(midnight.clone());
        units.take().await.unwrap().spend();
        midnight.is_past.store(true, Ordering::Relaxed);
        for attempt in 0..3 {
            let taken = units.take().await.map(Unit::spend);
            assert!(
                matches!(taken, Err(CallError::NotCounted { .. })),
                "{attempt}"
            );
        }
    }

    #[tokio::test]
    async fn a_unit_that_is_not_used_is_there_for_the_next() {
        let units = Units::of(Arc::new(Seven::default()));
        for _ in 0..20 {
            drop(units.take().await.unwrap());
        }
        for _ in 0..7 {
            units.take().await.unwrap().spend();
        }
        assert!(units.take().await.is_err());
    }
}
