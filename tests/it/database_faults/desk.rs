//! A fleet being synced, for a test to break its database: the real writer, the real actor of one
//! integration whose timer is short, and beside them the real supervisor, which only looks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Addr;
use carrier_sync::actors::integration::IntegrationParts;
use carrier_sync::actors::messages::{Drain, SyncNow};
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::actors::writer::WriterPolicy;
use carrier_sync::actors::{DbWriterActor, IntegrationActor, WriterHandle};
use carrier_sync::app::{App, Ending};
use carrier_sync::clock::SystemClock;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::Outcome;
use carrier_sync::shutdown::Stop;
use carrier_sync::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::status::{ActorName, ActorState, ActorStatus};
use carrier_sync::store::queue::BatchPolicy;
use carrier_sync::store::retry::RetryPolicy;
use carrier_sync::store::{IntegrationChange, Store};
use carrier_sync::tenure::Tenure;
use sqlx::postgres::PgConnection;
use sqlx::{Row, query};
use tokio::task::JoinHandle;

use crate::fleet::{self, Account};
use crate::postgres::TestDatabase;
use crate::witness::Witness;

/// Devices of the fleet: forty pages, so forty transactions.
const DEVICES: u64 = 800;
/// Between syncs; also the longest wait after a failed one.
const INTERVAL: Duration = Duration::from_millis(200);
/// Until a test says so.
const NEVER: Duration = Duration::from_secs(3600);
const ACCOUNT: Account<'_> = Account {
    tenant: "acme",
    org: 1001,
    in_bulk: true,
};
const SETTINGS: &[(&str, &str)] = &[
    ("carriers.hologram.device_page_size", "20"),
    ("writer.max_batch_rows", "20"),
    ("supervisor.discover_interval", "50ms"),
    ("supervisor.start_spread", "0s"),
    ("database.acquire_timeout", "500ms"),
];

/// Looks again and again until there is something to see, with a deadline far beyond any honest wait.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            started.elapsed() < Duration::from_secs(40),
            "waited in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub struct Desk {
    pub simulator: Simulator,
    pub integration: IntegrationId,
    pub witness: Arc<Witness>,
    /// What an operator's command has.
    pub operator: App,
    app: App,
    writer: WriterHandle,
    actor: Addr<IntegrationActor>,
    supervised: Arc<App>,
    stop: Stop,
    serving: JoinHandle<Ending>,
}

impl Desk {
    /// A fleet in `database`, of which nothing is known yet, and whose first sync begins now.
    pub async fn on(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        let desk = Self::laid(database, settings).await;
        desk.begin();
        desk
    }

    /// As [`Desk::on`], but nothing begins before [`Desk::begin`].
    pub async fn laid(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        let urls = (database.service_url(), database.owner_url());
        Self::at((&urls.0, &urls.1), settings).await
    }

    /// Begins the first sync; the others follow by themselves.
    pub fn begin(&self) {
        self.actor.do_send(SyncNow);
    }

    /// As [`Desk::laid`], at the service's and the operator's URL of a migrated database.
    pub async fn at((service, operator): (&str, &str), settings: &[(&str, &str)]) -> Self {
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, DEVICES)],
            latency: Latency {
                fixed: Duration::from_millis(10),
                jitter: Duration::ZERO,
            },
            ..SimulatorConfig::default()
        });
        let operator = fleet::app(operator, &[]);
        let integration = fleet::link_fleet(&operator, &simulator, ACCOUNT).await;
        // Not for the supervisor: it would wait a minute after each failure, which a test cannot.
        let paused = IntegrationChange {
            sync_enabled: Some(false),
            ..IntegrationChange::default()
        };
        let set = operator.store.set_integration(&integration, &paused);
        set.await.unwrap();
        let settings = [SETTINGS, settings].concat();
        let app = fleet::app(service, &settings);
        let witness = Witness::of(Arc::clone(&app.store));
        let writer = writer(&app, &witness);
        let actor = actor(&app, &witness, &writer).await;
        let (supervised, stop) = (Arc::new(fleet::app(service, &settings)), Stop::default());
        let (served, asked) = (Arc::clone(&supervised), stop.clone());
        let serving = actix::spawn(async move { served.serve(&asked).await });
        Self {
            simulator,
            integration,
            witness,
            operator,
            app,
            writer,
            actor,
            supervised,
            stop,
            serving,
        }
    }

    /// Waits until so many rows are acknowledged: the sync is in the middle of its batches.
    pub async fn has_written(&self, rows: usize) {
        until(&format!("{rows} rows are written"), async || {
            (self.witness.acknowledged().len() >= rows).then_some(())
        })
        .await;
    }

    pub fn writer(&self) -> ActorStatus {
        self.app.board.get(&ActorName::Writer).unwrap_or_default()
    }

    pub fn integration(&self) -> ActorStatus {
        let name = ActorName::Integration(self.integration.clone());
        self.app.board.get(&name).unwrap_or_default()
    }

    pub fn supervisor(&self) -> ActorStatus {
        let board = &self.supervised.board;
        board.get(&ActorName::Supervisor).unwrap_or_default()
    }

    /// Waits until the status shows trouble of this kind; what it shows is what the health log says.
    pub async fn in_trouble(&self, of: impl Fn(&Self) -> ActorStatus, reason: &str) {
        let what = format!("backing off because {reason:?}");
        until(&what, async || {
            let status = of(self);
            let told = status.reason.is_some_and(|text| text.contains(reason));
            (told && status.state == ActorState::BackingOff).then_some(())
        })
        .await;
    }

    /// Waits until a sync that began after this moment has ended well, as recorded in the database.
    pub async fn recovers(&self) {
        let runs = self.integration().runs;
        until("a success after the fault", async || {
            let status = self.integration();
            let well = status.last_outcome == Some(Outcome::Success);
            (well && status.runs > runs).then_some(())
        })
        .await;
        until("the writer and the supervisor are well", async || {
            let well = |status: ActorStatus| status.reason.is_none();
            (well(self.writer()) && well(self.supervisor())).then_some(())
        })
        .await;
    }

    /// Fails unless every row is either as it was or as the carrier has it, and every acknowledged
    /// one is the latter.
    pub async fn assert_nothing_lost(&self) {
        let acknowledged = self.witness.acknowledged();
        let truth = self.simulator.truth(ACCOUNT.org);
        let rows = fleet::devices(&self.operator, &self.integration).await;
        assert_eq!(rows.len(), truth.len(), "rows");
        for row in rows {
            let key = (row.tenant_id.clone(), row.device_id.clone());
            if row.data_used_updated_at.is_none() {
                assert_eq!(row.data_used_bytes, None, "half a row: {row:?}");
                assert_eq!(row.sim_status, None, "half a row: {row:?}");
                assert!(
                    !acknowledged.contains(&key),
                    "acknowledged and lost: {row:?}"
                );
                continue;
            }
            let name = row.carrier_device_id.as_deref();
            let truth = truth.iter().find(|t| Some(&*t.carrier_device_id) == name);
            fleet::assert_row_true(&row, truth.expect("a device of the carrier"));
        }
    }

    /// Fails unless the first sync, the one that met the fault, was the only one and a success.
    pub fn assert_first_sync_succeeded(&self) {
        let first = &self.witness.records()[0].record;
        assert_eq!(first.outcome, Outcome::Success, "{first:?}");
    }

    /// Fails if an outcome was recorded that the rows deny, then ends everything.
    pub async fn close(self) {
        self.assert_nothing_lost().await;
        let rows = fleet::devices(&self.operator, &self.integration).await;
        fleet::assert_true(&rows, &self.simulator.truth(ACCOUNT.org));
        self.actor.send(Drain).await.unwrap();
        self.writer.address().send(Drain).await.unwrap();
        self.stop.asked.cancel();
        assert_eq!(self.serving.await.unwrap(), Ending::Clean);
        self.app.store.close().await;
        self.operator.store.close().await;
    }

    /// Whether the supervised service has ended.
    pub fn has_ended(&self) -> bool {
        self.serving.is_finished()
    }
}

fn writer(app: &App, witness: &Arc<Witness>) -> WriterHandle {
    let policy = WriterPolicy {
        batch: BatchPolicy {
            max_rows: 20,
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
    let store = Arc::clone(witness) as Arc<dyn Store>;
    let actor = DbWriterActor::new(store, policy, Arc::clone(&app.board), Arc::new(SystemClock));
    let (address, _) = spawn_watched(actor, 64, |_| {});
    WriterHandle::new(address, 1_000)
}

async fn actor(app: &App, witness: &Arc<Witness>, writer: &WriterHandle) -> Addr<IntegrationActor> {
    let rows = app.store.integrations().await.unwrap();
    let parts = IntegrationParts {
        job: Arc::new(app.builder.build(&rows[0], Tenure::sole()).unwrap()),
        interval: INTERVAL,
        first_delay: NEVER,
        first_interval: INTERVAL,
        parked_retry: NEVER,
        slots: crate::fleet::slots(),
        store: Arc::clone(witness) as Arc<dyn Store>,
        writer: writer.clone(),
        board: Arc::clone(&app.board),
        clock: Arc::new(SystemClock),
    };
    spawn_watched(IntegrationActor::new(parts), 64, |_| {}).0
}

/// Waits until a session of this role waits for a lock; answers its process at the server.
pub async fn waits_for_a_lock(look: &mut PgConnection, role: &str) -> i32 {
    until("the flush waits for a lock", async || {
        let row = query(
            "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'",
        )
        .bind(role)
        .fetch_optional(&mut *look)
        .await
        .unwrap();
        row.map(|row| row.get("pid"))
    })
    .await
}
