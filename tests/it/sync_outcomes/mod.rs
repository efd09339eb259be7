//! What a sync does and says when something goes wrong: the real service and a real database against
//! a carrier in trouble.

mod bulk_usage;
mod custom;
mod database;
mod devices;
mod fields;
mod gone;
mod leases;
mod listing;
mod pipeline;
mod proxy;
mod quota;
mod recovery;
mod refusals;
mod super_sim;

use std::sync::Arc;

use carrier_sync::app::App;
use carrier_sync::device::{IntegrationId, TenantId};
use carrier_sync::integration::IntegrationRow;
use carrier_sync::simulator::{
    Endpoint, Fault, FaultKind, SimulatedAccount, Simulator, SimulatorConfig, Truth,
};
use carrier_sync::store::{DeviceRow, IntegrationChange, NewIntegration};
use carrier_sync::sync::{SyncJob, SyncReport, UpdateSink};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, raw_sql};

use crate::fleet::{self, Account};
use crate::scripted::ScriptedCarrier;

const ACME: Account<'_> = Account {
    tenant: "acme",
    org: 1001,
    in_bulk: true,
};
/// As [`ACME`], but asking for each device by itself.
const ALONE: Account<'_> = Account {
    in_bulk: false,
    ..ACME
};

/// The service on a database of its own.
struct Service {
    app: App,
    folder: tempfile::TempDir,
}

impl Service {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = fleet::app(&fleet::sqlite_url(&folder), settings);
        app.prepare().await.unwrap();
        Self { app, folder }
    }

    /// An integration of these fields at `carrier`, with these devices by their names at the carrier.
    async fn link(
        &self,
        (code, carrier): (&str, &ScriptedCarrier),
        fields: IntegrationChange,
        devices: impl IntoIterator<Item = (&str, String)>,
    ) {
        let integration = NewIntegration {
            id: None,
            tenant_id: TenantId::parse("acme").unwrap(),
            carrier_name: code.to_owned(),
            fields: IntegrationChange {
                api_base_url: Some(carrier.base_url()),
                ..fields
            },
        };
        let store = &self.app.store;
        let id = store.add_integration(&integration).await.unwrap();
        let links = devices.into_iter();
        let links: Vec<_> = links
            .map(|(device, sim)| fleet::link(device, &sim))
            .collect();
        store.link_devices(&id, &links).await.unwrap();
    }

    async fn sync(&self) -> SyncReport {
        fleet::sync_one(&self.app).await
    }

    async fn integration(&self) -> IntegrationRow {
        self.app.store.integrations().await.unwrap().remove(0)
    }

    async fn rows(&self) -> Vec<DeviceRow> {
        let id = self.integration().await.id;
        fleet::devices(&self.app, &id).await
    }

    async fn row(&self, device: &str) -> DeviceRow {
        let rows = self.rows().await;
        let row = rows
            .into_iter()
            .find(|row| row.device_id.as_str() == device);
        row.expect("the device is there")
    }

    /// Runs SQL past every check of ours.
    async fn execute(&self, sql: &str) {
        let url = fleet::sqlite_url(&self.folder);
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A linked fleet at a simulated carrier.
struct Scene {
    simulator: Simulator,
    service: Service,
}

impl Scene {
    async fn of(devices: u64, account: Account<'_>, settings: &[(&str, &str)]) -> Self {
        let simulator = fleet::simulator(SimulatorConfig {
            accounts: vec![SimulatedAccount::numbered(1, devices)],
            ..SimulatorConfig::default()
        });
        let service = Service::new(settings).await;
        fleet::link_fleet(&service.app, &simulator, account).await;
        Self { simulator, service }
    }

    async fn sync(&self) -> SyncReport {
        self.simulator.reset_calls();
        self.service.sync().await
    }

    /// One more sync of a job that lives on, as an actor's does.
    async fn sync_again(&self, job: &Arc<SyncJob>) -> SyncReport {
        fleet::sync_job_again(&self.service.app, job).await
    }

    /// A sync of this job, its updates going to `sink`.
    async fn sync_job(&self, job: &Arc<SyncJob>, sink: &dyn UpdateSink) -> SyncReport {
        fleet::sync_job(&self.service.app, job, sink).await
    }

    fn calls(&self) -> u64 {
        self.simulator.calls().total
    }

    fn calls_of(&self, endpoint: Endpoint) -> u64 {
        self.simulator.calls().of(endpoint)
    }

    fn inject(&self, fault: Fault) {
        self.simulator.inject(fault);
    }

    fn truth(&self) -> Vec<Truth> {
        self.simulator.truth(ACME.org)
    }

    /// How many rows have usage, each of which must be true.
    async fn true_rows(&self) -> usize {
        let truth = self.truth();
        let rows = self.service.rows().await;
        let read = rows.iter().filter(|row| row.data_used_bytes.is_some());
        read.map(|row| assert_usage_true(row, &truth)).count()
    }
}

/// Usage, statuses and the end of the cycle; its start may be derived where the report is lost.
fn assert_usage_true(row: &DeviceRow, truth: &[Truth]) {
    let id = row.carrier_device_id.as_deref();
    let truth = truth
        .iter()
        .find(|truth| Some(truth.carrier_device_id.as_str()) == id)
        .expect("a device of the fleet");
    let mut row = row.clone();
    assert!(row.billing_cycle_start < row.billing_cycle_end);
    row.billing_cycle_start = Some(truth.cycle_start);
    row.billing_cycle_source = Some(truth.cycle_source.to_owned());
    fleet::assert_row_true(&row, truth);
}

/// Answers that are no answers, each for every call of this endpoint.
fn unusable(endpoint: Endpoint) -> Vec<Fault> {
    let body = |body: &str| FaultKind::Status {
        status: 200,
        retry_after: None,
        body: Some(body.to_owned()),
    };
    let kinds = [
        FaultKind::Html,
        FaultKind::Truncate,
        body(r#"{"success":true,"data":"none"}"#),
        body(r#"{"success":true,"data":[7,"x",null]}"#),
        body(r#"{"success":false,"error":"try later"}"#),
        body(r#"{"success":"perhaps","data":[]}"#),
        body(""),
    ];
    kinds
        .into_iter()
        .map(|kind| Fault::new(kind).at(endpoint))
        .collect()
}

/// Links devices `d1…` to a scripted carrier's devices of these ids.
async fn link(service: &Service, carrier: &ScriptedCarrier, ids: &[&str]) -> IntegrationId {
    let id = fleet::add_integration(&service.app, &carrier.base_url(), ACME).await;
    let links: Vec<_> = ids
        .iter()
        .map(|id| fleet::link(&format!("d{id}"), id))
        .collect();
    service.app.store.link_devices(&id, &links).await.unwrap();
    id
}
