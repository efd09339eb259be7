//! The beat on which one of several processes claims its part: what is new does not wait for the next one, also
//! where it comes while one is under way. Time is paused, and the next beat is an hour away.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carrier_sync::actors::LeaseKeeper;
use carrier_sync::actors::keeper::Terms;
use carrier_sync::actors::messages::LookNow;
use carrier_sync::device::IntegrationId;
use carrier_sync::store::StoreError;
use carrier_sync::store::leases::{Census, Lease, Leases, LiveProcess, Lot, Process, ProcessId};
use carrier_sync::tenure::Epoch;
use tokio::time::Instant;

use super::memory_store::{MemoryStore, row};
use super::requests::Scene;
use super::restarts::with_paused_time;
use super::until;

const HOUR: Duration = Duration::from_secs(3600);

/// Leases in memory, of one process.
#[derive(Debug, Default)]
struct Book {
    process: Mutex<Option<Process>>,
    owned: Mutex<BTreeSet<IntegrationId>>,
    /// Claims that were begun.
    claims: Mutex<usize>,
    /// How long a claim's answer is on its way.
    claiming_takes: Duration,
}

#[async_trait]
impl Leases for Book {
    async fn register(&self, process: &Process, _: Duration) -> Result<(), StoreError> {
        *self.process.lock().unwrap() = Some(process.clone());
        Ok(())
    }

    async fn renew(&self, id: &ProcessId, _: Duration) -> Result<Option<Census>, StoreError> {
        let process = self.process.lock().unwrap().clone();
        let owned = self.owned.lock().unwrap();
        let lease = |integration: &IntegrationId| Lease {
            integration: integration.clone(),
            owner: id.clone(),
            epoch: Epoch(1),
        };
        let live = process.map(|process| LiveProcess {
            process,
            renewed_at_us: 1,
        });
        Ok(Some(Census {
            taken_at_us: 1,
            live: live.into_iter().collect(),
            leases: owned.iter().map(lease).collect(),
        }))
    }

    async fn claim(
        &self,
        _: &ProcessId,
        lots: &[Lot],
    ) -> Result<Vec<(IntegrationId, Epoch)>, StoreError> {
        *self.claims.lock().unwrap() += 1;
        tokio::time::sleep(self.claiming_takes).await;
        let claimed: Vec<_> = lots.iter().flatten().cloned().collect();
        self.owned.lock().unwrap().extend(claimed.iter().cloned());
        Ok(claimed.into_iter().map(|id| (id, Epoch(1))).collect())
    }

    async fn release(&self, _: &ProcessId, ids: &[IntegrationId]) -> Result<(), StoreError> {
        self.owned.lock().unwrap().retain(|id| !ids.contains(id));
        Ok(())
    }

    async fn leave(&self, _: &ProcessId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}

#[test]
fn what_comes_while_a_beat_is_under_way_is_claimed_by_another_at_once() {
    with_paused_time(async {
        let book = Arc::new(Book {
            claiming_takes: Duration::from_secs(10),
            ..Book::default()
        });
        let terms = Terms {
            duration: 3 * HOUR,
            heartbeat: HOUR,
            shares: true,
        };
        let keeper = LeaseKeeper::new(book.clone(), terms);
        let store = MemoryStore::of([row("first")]);
        let scene = Scene::with_start(store, Duration::ZERO, Some(Arc::new(keeper))).await;
        let claims = || *book.claims.lock().unwrap();
        until("the first is being claimed", async || {
            (claims() == 1).then_some(())
        })
        .await;
        scene.add(row("second"));
        let asked = Instant::now();
        scene.supervisor.do_send(LookNow);
        scene.has_looked(2).await;
        assert!(
            claims() == 1 && book.owned.lock().unwrap().is_empty(),
            "the beat is still under way"
        );
        scene.has_synced("first", 1).await;
        scene.has_synced("second", 1).await;
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(60), "{waited:?}");
        assert_eq!(claims(), 2, "and then it is quiet");
    });
}
