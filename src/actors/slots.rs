//! Waiting for the right to sync. Who is next is decided in `supervision/admission.rs`; here are the
//! lock around it, the waiting, and the slot that comes back however its sync ends.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::supervision::admission::{Admission, Ticket};
use crate::sync::SyncJob;

/// The slots of the process, shared by everyone who syncs.
#[derive(Debug)]
pub struct SyncSlots {
    admission: Mutex<Admission<Arc<str>, oneshot::Sender<SyncSlot>>>,
}

/// The right to sync; dropped, it is the next one's.
#[derive(Debug)]
pub struct SyncSlot {
    slots: Arc<SyncSlots>,
    host: Arc<str>,
}

/// A place in the line; dropped, it is empty.
struct Place {
    slots: Arc<SyncSlots>,
    host: Arc<str>,
    ticket: Ticket,
}

impl SyncSlots {
    /// Slots for at most so many syncs at once.
    #[must_use]
    pub fn new(max_concurrent_syncs: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            admission: Mutex::new(Admission::new(max_concurrent_syncs)),
        })
    }

    /// So many slots from now on; a sync that has one keeps it.
    pub fn change(self: &Arc<Self>, max_concurrent_syncs: NonZeroUsize) {
        self.lock().change(max_concurrent_syncs);
        self.admit();
    }

    /// A slot for a sync of this job. The place in the line is taken at once, and left when the
    /// future is dropped.
    pub fn take(self: &Arc<Self>, job: &SyncJob) -> impl Future<Output = SyncSlot> + use<> {
        let base = &job.client.destination.base;
        let host = base.authority().replace(".:", ":");
        self.take_for(format!("{} {}", job.carrier.code(), host.trim_end_matches('.')).into())
    }

    fn take_for(self: &Arc<Self>, host: Arc<str>) -> impl Future<Output = SyncSlot> + use<> {
        let (waiter, admitted) = oneshot::channel();
        let place = Place {
            slots: Arc::clone(self),
            ticket: self.lock().enqueue(Arc::clone(&host), waiter),
            host,
        };
        self.admit();
        async move {
            let slot = admitted.await;
            drop(place);
            #[expect(
                clippy::expect_used,
                reason = "whoever is in line stays there until admitted or until the place is left"
            )]
            slot.expect("the place was kept")
        }
    }

    /// Slots that are taken, and syncs that wait for one.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let admission = self.lock();
        (admission.taken(), admission.waiting())
    }

    fn admit(self: &Arc<Self>) {
        let admitted: Vec<_> = {
            let mut admission = self.lock();
            std::iter::from_fn(|| admission.admit()).collect()
        };
        for (host, waiter) in admitted {
            // Outside the lock: one that has just left hands its slot straight back.
            let _ = waiter.send(SyncSlot {
                slots: Arc::clone(self),
                host,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Admission<Arc<str>, oneshot::Sender<SyncSlot>>> {
        // The policy neither panics nor leaves itself half changed.
        self.admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SyncSlot {
    fn drop(&mut self) {
        self.slots.lock().give_back(&self.host);
        self.slots.admit();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self.slots.lock().withdraw(&self.host, self.ticket);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures_util::{FutureExt, poll};

    use super::*;

    fn slots(most: usize) -> Arc<SyncSlots> {
        SyncSlots::new(NonZeroUsize::new(most).unwrap())
    }

    #[tokio::test]
    async fn a_slot_goes_to_who_waits_longest_when_it_is_dropped() {
        let slots = slots(1);
        let first = slots.take_for("a".into()).now_or_never().unwrap();
        let (mut second, mut third) = (
            Box::pin(slots.take_for("a".into())),
            Box::pin(slots.take_for("b".into())),
        );
        assert!(poll!(&mut third).is_pending() && poll!(&mut second).is_pending());
        drop(first);
        assert!(poll!(&mut third).is_pending());
        let second = second.now_or_never().expect("its turn");
        drop(second);
        assert!(third.now_or_never().is_some());
        assert_eq!(slots.load(), (0, 0));
    }

    #[tokio::test]
    async fn who_leaves_the_line_takes_no_slot_along() {
        let slots = slots(1);
        let held = slots.take_for("a".into()).now_or_never().unwrap();
        let (waits, never_polled) = (slots.take_for("a".into()), slots.take_for("b".into()));
        let last = slots.take_for("c".into());
        drop(waits);
        assert_eq!(slots.load(), (1, 2));
        drop(held);
        assert_eq!(slots.load(), (1, 1), "let in, though nobody has looked yet");
        drop(never_polled);
        assert_eq!(slots.load(), (1, 0), "handed on");
        drop(last);
        assert_eq!(slots.load(), (0, 0));
    }

    #[tokio::test]
    async fn a_slot_survives_neither_a_panic_nor_an_abort() {
        let slots = slots(2);
        let slot = slots.take_for("a".into()).await;
        let panics = tokio::spawn(async move {
            let _slot = slot;
            panic!("on purpose")
        });
        assert!(panics.await.is_err());
        let slot = slots.take_for("a".into()).await;
        let hangs = tokio::spawn(async move {
            let _slot = slot;
            std::future::pending::<()>().await;
        });
        hangs.abort();
        assert!(hangs.await.is_err());
        assert_eq!(slots.load(), (0, 0));
    }

    /// Many threads at once: nobody is forgotten, and there are never more inside than slots.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_up_is_lost() {
        let slots = slots(5);
        let most = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let syncs = (0..2_000_u32).map(|n| {
            let (slots, most) = (Arc::clone(&slots), Arc::clone(&most));
            tokio::spawn(async move {
                let place = slots.take_for(format!("host {}", n % 7).into());
                if n % 3 == 0 {
                    tokio::task::yield_now().await;
                    return;
                }
                let _slot = place.await;
                most.fetch_max(slots.load().0, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
            })
        });
        for sync in syncs.collect::<Vec<_>>() {
            sync.await.unwrap();
        }
        assert_eq!(slots.load(), (0, 0));
        assert!(most.load(std::sync::atomic::Ordering::Relaxed) <= 5);
    }
}
