//! Calls of one account at once. Their number may change while they run: more are there at once, fewer are
//! taken away as they come back. Knows no rate and no pause.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

#[derive(Debug)]
pub(super) struct Slots {
    semaphore: Semaphore,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    most: usize,
    /// Slots that are still out and must not come back.
    owed: usize,
}

/// The right to one call at a time; dropped, it is the next one's.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    permit: Option<SemaphorePermit<'a>>,
}

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self {
            semaphore: Semaphore::new(most),
            count: Mutex::new(Count { most, owed: 0 }),
        }
    }

    pub(super) async fn take(&self) -> Slot<'_> {
        loop {
            #[expect(
                clippy::expect_used,
                reason = "the semaphore is private and never closed"
            )]
            let permit = self.semaphore.acquire().await.expect("never closed");
            let mut count = self.count();
            if count.owed == 0 {
                return Slot {
                    slots: self,
                    permit: Some(permit),
                };
            }
            // It was on its way to somebody who waited when slots were taken away, and is one of those.
            count.owed -= 1;
            permit.forget();
        }
    }

    pub(super) fn change(&self, most: usize) {
        let mut count = self.count();
        let more = most.saturating_sub(count.most);
        let kept_out = count.owed.min(more);
        count.owed -= kept_out;
        self.semaphore.add_permits(more - kept_out);
        let fewer = count.most.saturating_sub(most);
        count.owed += fewer - self.semaphore.forget_permits(fewer);
        count.most = most;
    }

    /// Every change under this lock leaves the count whole.
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // Held until the slot is back: a change must find it either out or there.
        let mut count = self.slots.count();
        let Some(permit) = self.permit.take() else {
            return;
        };
        if count.owed > 0 {
            count.owed -= 1;
            permit.forget();
        } else {
            drop(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fewer_slots_are_taken_away_as_they_come_back_and_more_are_there_at_once() {
        let slots = Slots::new(3);
        let take = || slots.take().now_or_never();
        let held = [take(), take(), take()];
        assert!(held.iter().all(Option::is_some) && take().is_none());
        slots.change(1);
        let [first, second, third] = held;
        drop((first, second));
        assert!(take().is_none(), "one is still out, and one there may be");
        drop(third);
        let only = take();
        assert!(only.is_some() && take().is_none());
        slots.change(2);
        let more = take();
        assert!(more.is_some() && take().is_none());
    }

    /// A slot that comes back goes to who waits, not to the semaphore: there a change does not find it.
    #[test]
    fn a_slot_on_its_way_to_somebody_is_taken_away_like_any_other() {
        for is_left in [true, false] {
            let slots = Slots::new(2);
            let take = || slots.take().now_or_never();
            let (first, second) = (take(), take());
            let mut waits = Some(Box::pin(slots.take()));
            assert!(waits.as_mut().and_then(|it| it.now_or_never()).is_none());
            drop(first);
            slots.change(1);
            if is_left {
                waits = None;
            }
            let more = waits.as_mut().and_then(|it| it.now_or_never());
            assert!(more.is_none() && take().is_none(), "one is out");
            drop(second);
            let only = match &mut waits {
                Some(waits) => waits.now_or_never(),
                None => take(),
            };
            assert!(only.is_some() && take().is_none());
        }
    }

    proptest! {
        /// The same where some wait, and some of them go away: nobody gets a slot while as many as there may be are
        /// out, and none is gone for ever.
        #[test]
        fn no_slot_is_given_beyond_the_present_number_or_lost_to_those_who_wait(
            first in 1_usize..6,
            steps in proptest::collection::vec((0_u8..5, 1_usize..6), 1..100),
        ) {
            let slots = Slots::new(first);
            let (mut most, mut held, mut waiting) = (first, Vec::new(), Vec::new());
            for (step, number) in steps {
                match step {
                    0 => waiting.push(Box::pin(slots.take())),
                    1 => drop(held.pop()),
                    2 if !waiting.is_empty() => drop(waiting.remove(number % waiting.len())),
                    3 => {
                        slots.change(number);
                        most = number;
                    }
                    _ => {}
                }
                let mut still = Vec::new();
                for (place, mut wait) in waiting.into_iter().enumerate() {
                    // Not everyone looks at once whether it is their turn.
                    let taken = if place % number == 0 { wait.as_mut().now_or_never() } else { None };
                    match taken {
                        Some(slot) => {
                            prop_assert!(held.len() < most);
                            held.push(slot);
                        }
                        None => still.push(wait),
                    }
                }
                waiting = still;
            }
            drop(waiting);
            drop(held);
            let all: Vec<_> = std::iter::from_fn(|| slots.take().now_or_never()).collect();
            prop_assert_eq!(all.len(), most);
        }

        /// Whatever changes when: nobody gets a slot while as many as there may be, or more, are out.
        #[test]
        fn no_slot_is_given_beyond_the_present_number(
            first in 1_usize..6,
            steps in proptest::collection::vec((0_u8..3, 1_usize..6), 1..100),
        ) {
            let slots = Slots::new(first);
            let (mut most, mut held) = (first, Vec::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        let taken = slots.take().now_or_never();
                        prop_assert_eq!(taken.is_some(), held.len() < most);
                        held.extend(taken);
                    }
                    1 => drop(held.pop()),
                    _ => {
                        slots.change(number);
                        most = number;
                    }
                }
            }
        }
    }
}
