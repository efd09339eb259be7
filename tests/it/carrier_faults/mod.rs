//! What a carrier can do to us, fault by fault: the state that operators see, what stays in the
//! database, and that everything is true again once the carrier behaves. `docs/reliability.md` has
//! these tests as a table.
//!
//! The actor is the real one on an interval of milliseconds, so that its own retry is what recovers.

mod answers;
mod connection;
mod counters;
mod credentials;
mod elsewhere;
mod mixture;
mod paging;
mod status;
mod throttling;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carrier_sync::actors::integration::IntegrationParts;
use carrier_sync::actors::messages::Drain;
use carrier_sync::actors::spawn::spawn_watched;
use carrier_sync::actors::writer::WriterPolicy;
use carrier_sync::actors::{DbWriterActor, IntegrationActor, WriterHandle};
use carrier_sync::app::App;
use carrier_sync::device::IntegrationId;
use carrier_sync::integration::{IntegrationRow, Outcome};
use carrier_sync::simulator::{Fault, SimulatedAccount, Simulator, SimulatorConfig, Truth};
use carrier_sync::status::{ActorName, ActorState, ActorStatus};
use carrier_sync::store::DeviceRow;
use carrier_sync::store::queue::BatchPolicy;
use carrier_sync::store::retry::RetryPolicy;
use carrier_sync::sync::SyncReport;
use carrier_sync::tenure::Tenure;

use crate::actors::until;
use crate::fleet::{self, Account};

const ACME: Account<'_> = Account {
    tenant: "acme",
    org: 1001,
    in_bulk: true,
};

/// Devices of the fleet: three pages.
const DEVICES: u64 = 30;

/// Pages of ten, and nothing is waited for longer than a blink.
const QUICK: &[(&str, &str)] = &[
    ("carriers.hologram.device_page_size", "10"),
    ("carriers.hologram.usage_page_size", "20"),
    ("carriers.hologram.timeout", "250ms"),
    ("carriers.hologram.max_attempts", "2"),
    ("http.connect_timeout", "250ms"),
    ("http.throttle_pause", "100ms"),
    ("http.max_retry_after", "200ms"),
    ("http.max_body_bytes", "1000000"),
];

/// A fleet at a simulated carrier, synced once, and then moved on: each row is old, and the truth
/// is another.
struct Scene {
    simulator: Simulator,
    app: App,
    id: IntegrationId,
    old: Vec<DeviceRow>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, DEVICES)],
            multi_link_percent: 20.0,
            ..SimulatorConfig::default()
        });
        Self::at(simulator, settings).await
    }

    async fn at(simulator: Simulator, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = fleet::app(&fleet::sqlite_url(&folder), &[QUICK, settings].concat());
        app.prepare().await.unwrap();
        let id = fleet::link_fleet(&app, &simulator, ACME).await;
        let mut scene = Self {
            simulator,
            app,
            id,
            old: Vec::new(),
            _folder: folder,
        };
        assert_eq!(scene.sync().await.outcome, Outcome::Success);
        scene.old = scene.rows().await;
        scene.behave();
        scene
    }

    async fn sync(&self) -> SyncReport {
        self.simulator.reset_calls();
        fleet::sync_one(&self.app).await
    }

    async fn rows(&self) -> Vec<DeviceRow> {
        fleet::devices(&self.app, &self.id).await
    }

    async fn stored(&self) -> IntegrationRow {
        self.app.store.integrations().await.unwrap().remove(0)
    }

    fn truth(&self) -> Vec<Truth> {
        self.simulator.truth(ACME.org)
    }

    /// Ends all faults; every counter stays corrected, so that old rows are not true.
    fn behave(&self) {
        self.simulator.clear_faults();
        let moved = carrier_sync::simulator::FaultKind::Correction;
        self.simulator.inject(Fault::new(moved));
    }

    /// Fails unless every row is as it was or as the carrier says now, field by field. Answers how
    /// many rows are new.
    async fn new_rows(&self) -> usize {
        old_or_true(&self.rows().await, &self.old, &self.truth())
    }

    /// Devices whose usage has moved on since the old rows.
    fn moved(&self) -> usize {
        let truth = self.truth();
        let is_other = |row: &&DeviceRow| {
            let id = row.carrier_device_id.as_deref();
            let truth = truth
                .iter()
                .find(|truth| Some(truth.carrier_device_id.as_str()) == id);
            row.data_used_bytes != truth.and_then(|truth| i64::try_from(truth.used_bytes).ok())
        };
        self.old.iter().filter(is_other).count()
    }

    /// Starts the integration's actor, which syncs at once and then on its interval.
    async fn actor(&self) -> Running<'_> {
        let (store, board) = (Arc::clone(&self.app.store), Arc::clone(&self.app.board));
        let clock = Arc::clone(&self.app.clock);
        let policy = WriterPolicy {
            batch: BatchPolicy {
                max_rows: 5_000,
                max_bytes: usize::MAX,
                max_age: Duration::from_millis(5),
                max_in_flight: 2,
            },
            retry: RetryPolicy {
                first_wait: Duration::from_millis(10),
                longest_wait: Duration::from_millis(100),
                give_up_after: Duration::from_secs(20),
            },
        };
        let writer = DbWriterActor::new(
            Arc::clone(&store),
            policy,
            Arc::clone(&board),
            Arc::clone(&clock),
        );
        let writer = WriterHandle::new(spawn_watched(writer, 16, |_| {}).0, 50_000);
        let actor = IntegrationActor::new(IntegrationParts {
            job: Arc::new(
                self.app
                    .builder
                    .build(&self.stored().await, Tenure::sole())
                    .unwrap(),
            ),
            interval: Duration::from_millis(100),
            first_interval: Duration::from_millis(100),
            parked_retry: Duration::from_millis(100),
            slots: crate::fleet::slots(),
            first_delay: Duration::ZERO,
            store,
            writer: writer.clone(),
            board,
            clock,
        });
        Running {
            scene: self,
            integration: spawn_watched(actor, 16, |_| {}).0,
            writer,
        }
    }

    /// The whole story of a fault that lasts: the actor comes to `state` and says why, every row is
    /// old or true, and the actor makes everything true by itself once the carrier behaves.
    ///
    /// Answers the status while it lasted, and how many rows were new then.
    async fn survives(&self, fault: Fault, state: ActorState) -> (ActorStatus, usize) {
        let what = format!("{:?}", fault.what);
        self.simulator.inject(fault);
        let actor = self.actor().await;
        let status = actor.rests(&what, |status| status.state == state).await;
        let new_rows = self.new_rows().await;
        self.behave();
        let recovered = actor
            .rests(&format!("{what} has passed"), |status| {
                status.last_outcome == Some(Outcome::Success) && status.state == ActorState::Idle
            })
            .await;
        assert_eq!(recovered.reason, None, "{what}");
        fleet::assert_true(&self.rows().await, &self.truth());
        actor.ends().await;
        (status, new_rows)
    }

    /// As [`survives`](Self::survives), for a fault that lets nothing through.
    async fn survives_outage(&self, fault: Fault, reason: &str) {
        let what = format!("{:?}", fault.what);
        let (status, new_rows) = self.survives(fault, ActorState::BackingOff).await;
        assert_eq!(new_rows, 0, "{what}");
        assert_eq!(status.last_outcome, Some(Outcome::Error), "{what}");
        let told = status.reason.unwrap_or_default();
        assert!(told.contains(reason), "{what}: {told}");
    }
}

/// An integration's actor and the writer that it writes through.
struct Running<'a> {
    scene: &'a Scene,
    integration: actix::Addr<IntegrationActor>,
    writer: WriterHandle,
}

impl Running<'_> {
    /// Waits until a sync has ended and left this status.
    async fn rests(&self, what: &str, such: impl Fn(&ActorStatus) -> bool) -> ActorStatus {
        let name = ActorName::Integration(self.scene.id.clone());
        until(what, async || {
            let status = self.scene.app.board.get(&name)?;
            (status.runs > 0 && status.in_flight == 0 && such(&status)).then_some(status)
        })
        .await
    }

    async fn ends(self) {
        self.integration.send(Drain).await.unwrap();
        self.writer.address().send(Drain).await.unwrap();
    }
}

/// Fails unless each row is old or true, field by field; answers how many rows are new.
fn old_or_true(rows: &[DeviceRow], old: &[DeviceRow], truth: &[Truth]) -> usize {
    let truth: HashMap<_, _> = truth
        .iter()
        .map(|truth| (truth.carrier_device_id.as_str(), truth))
        .collect();
    assert_eq!(rows.len(), old.len(), "no row comes or goes");
    let is_true = |(row, old): (&DeviceRow, &DeviceRow)| {
        let name = row.carrier_device_id.as_deref().unwrap_or_default();
        match truth.get(name) {
            Some(truth) => row_is_true(row, old, truth),
            None => {
                assert_eq!(row, old, "{name} is gone at the carrier");
                false
            }
        }
    };
    rows.iter().zip(old).filter(|pair| is_true(*pair)).count()
}

/// Usage and cycle belong together; each status stands for itself.
fn row_is_true(row: &DeviceRow, old: &DeviceRow, truth: &Truth) -> bool {
    let name = &truth.carrier_device_id;
    let sim = [old.sim_status.as_deref(), Some(truth.sim_status)];
    assert!(sim.contains(&row.sim_status.as_deref()), "SIM of {name}");
    let network = [old.network_status.as_deref(), Some(truth.network_status)];
    assert!(
        network.contains(&row.network_status.as_deref()),
        "network of {name}"
    );
    let iccid = [old.sim_iccid.as_deref(), Some(truth.iccid.as_str())];
    assert!(iccid.contains(&row.sim_iccid.as_deref()), "ICCID of {name}");
    let is_old = usage(row) == usage(old);
    let is_true = row.data_used_bytes == i64::try_from(truth.used_bytes).ok()
        && row.billing_cycle_end == Some(truth.cycle_end)
        && start_is_true(row, truth);
    assert!(is_old || is_true, "usage of {name}: {row:?}, {truth:?}");
    is_true && !is_old
}

/// The start as reported, or, where the report that names it was lost, as derived by the documented
/// rule and marked so: seconds off.
fn start_is_true(row: &DeviceRow, truth: &Truth) -> bool {
    let Some(start) = row.billing_cycle_start else {
        return false;
    };
    let off = (start - truth.cycle_start).abs();
    start == truth.cycle_start && row.billing_cycle_source.as_deref() == Some(truth.cycle_source)
        || row.billing_cycle_source.as_deref() == Some("derived")
            && off <= chrono::TimeDelta::seconds(10)
}

fn usage(row: &DeviceRow) -> impl PartialEq {
    (
        row.data_used_bytes,
        row.data_used_mb.map(f64::to_bits),
        row.billing_cycle_start,
        row.billing_cycle_end,
        row.billing_cycle_source.clone(),
    )
}

#[test]
fn every_row_of_the_table_names_a_test_that_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let section = table.split("\n## ").find(|s| s.starts_with("Carrier"));
    let rows: Vec<_> = section
        .expect("a section on carriers")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault"))
        .collect();
    for row in &rows {
        let cell = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let path: Vec<_> = cell.trim_matches('`').split("::").collect();
        let (test, file) = path.split_last().unwrap();
        let file = root.join(format!("tests/it/{}.rs", file.join("/")));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{row}: {e}"));
        assert!(text.contains(&format!("fn {test}()")), "{row}");
    }
    assert!(rows.len() > 28, "{} rows", rows.len());
}
