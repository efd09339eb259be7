//! Actors of integrations whose timers are short, on one writer: what the supervisor would start, with
//! intervals that a test can wait for, a clock of the test's, and any carrier.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use carrier_sync::actors::integration::IntegrationParts;
use carrier_sync::actors::messages::Drain;
use carrier_sync::actors::slots::SyncSlots;
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::actors::writer::WriterPolicy;
use carrier_sync::actors::{DbWriterActor, IntegrationActor, WriterHandle};
use carrier_sync::app::App;
use carrier_sync::carriers::Carrier;
use carrier_sync::clock::Clock;
use carrier_sync::device::IntegrationId;
use carrier_sync::status::{ActorName, ActorStatus, Board};
use carrier_sync::store::Store;
use carrier_sync::store::queue::BatchPolicy;
use carrier_sync::store::retry::RetryPolicy;
use carrier_sync::sync::SyncJob;
use carrier_sync::tenure::Tenure;

use crate::witness::Witness;

pub struct Rig {
    pub witness: Arc<Witness>,
    app: App,
    clock: Arc<dyn Clock>,
    writer: WriterHandle,
    slots: Arc<SyncSlots>,
    actors: Vec<Addr<IntegrationActor>>,
}

/// When an integration syncs.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    pub first_delay: Duration,
    pub interval: Duration,
}

impl Rig {
    /// The writer on the store of `app`; integrations come with [`Rig::start`].
    pub fn of(app: App, clock: Arc<dyn Clock>) -> Self {
        let witness = Witness::of(Arc::clone(&app.store));
        let policy = WriterPolicy {
            batch: BatchPolicy {
                max_rows: 1_000,
                max_bytes: usize::MAX,
                max_age: Duration::from_millis(20),
                max_in_flight: 2,
            },
            retry: RetryPolicy {
                first_wait: Duration::from_millis(50),
                longest_wait: Duration::from_millis(200),
                give_up_after: Duration::from_secs(60),
            },
        };
        let store = Arc::clone(&witness) as Arc<dyn Store>;
        let writer = DbWriterActor::new(store, policy, Arc::clone(&app.board), Arc::clone(&clock));
        let (address, _) = spawn_watched(writer, 64, |_| {});
        Self {
            witness,
            app,
            clock,
            writer: WriterHandle::new(address, 50_000),
            slots: crate::fleet::slots(),
            actors: Vec::new(),
        }
    }

    /// Starts the actor of a stored integration; `carrier` replaces its own.
    pub async fn start(
        &mut self,
        id: &IntegrationId,
        timer: Timer,
        carrier: Option<&'static dyn Carrier>,
    ) {
        let rows = self.app.store.integrations().await.unwrap();
        let row = rows.iter().find(|row| row.id == *id).expect("it is stored");
        let job = self.app.builder.build(row, Tenure::sole()).unwrap();
        let mut client = job.client;
        client.clock = Arc::clone(&self.clock);
        let job = SyncJob {
            carrier: carrier.unwrap_or(job.carrier),
            client,
            ..job
        };
        let parts = IntegrationParts {
            job: Arc::new(job),
            interval: timer.interval,
            first_delay: timer.first_delay,
            first_interval: timer.interval,
            parked_retry: timer.interval,
            slots: Arc::clone(&self.slots),
            store: Arc::clone(&self.witness) as Arc<dyn Store>,
            writer: self.writer.clone(),
            board: Arc::clone(&self.app.board),
            clock: Arc::clone(&self.clock),
        };
        let (address, _) = spawn_watched(IntegrationActor::new(parts), 64, |_| {});
        self.actors.push(address);
    }

    pub fn status(&self, id: &IntegrationId) -> ActorStatus {
        let board: &Board = &self.app.board;
        let name = ActorName::Integration(id.clone());
        board.get(&name).unwrap_or_default()
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Drains everyone, as the service would.
    pub async fn close(self) {
        let drains = self.actors.iter().map(|actor| actor.send(Drain));
        futures_util::future::join_all(drains).await;
        let _ = self.writer.address().send(Drain).await;
        self.app.store.close().await;
    }
}
