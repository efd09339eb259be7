//! A fleet for tests: a simulated carrier, a real database, linked devices, and the wired service.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;

use carrier_sync::actors::slots::SyncSlots;
use carrier_sync::app::App;
use carrier_sync::client::CallMeter;
use carrier_sync::clock::{Clock, SystemClock};
use carrier_sync::config::{Config, ConfigSources};
use carrier_sync::device::{
    CarrierDeviceId, DeviceId, IntegrationId, TenantId, UpdateBatch, WriteReceipt,
};
use carrier_sync::shutdown::Stop;
use carrier_sync::simulator::{Simulator, SimulatorConfig, Truth};
use carrier_sync::store::{
    DeviceFilter, DeviceLink, DeviceRow, IntegrationChange, NewIntegration, Store,
};
use carrier_sync::sync::{Observer, Progress, SinkError, SyncJob, SyncReport, UpdateSink};
use carrier_sync::tenure::Tenure;
use tokio_util::sync::CancellationToken;

/// Runs a future where the service runs: on the system arbiter, heavy work on other threads.
pub fn in_system<T>(test: impl Future<Output = T>) -> T {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    };
    actix::System::with_tokio_rt(runtime).block_on(test)
}

/// Room for the syncs of any test that is not about room.
pub fn slots() -> Arc<SyncSlots> {
    SyncSlots::new(NonZeroUsize::new(1_000).expect("not zero"))
}

/// A simulated carrier on a free port.
pub fn simulator(config: SimulatorConfig) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    Simulator::start(config, listener).expect("the simulator starts")
}

/// The service on `database_url`, allowed to call loopback; `settings` are `section.key = value`.
pub fn app(database_url: &str, settings: &[(&str, &str)]) -> App {
    app_at(database_url, settings, Arc::new(SystemClock))
}

/// The same, by a clock of the test's own.
pub fn app_at(database_url: &str, settings: &[(&str, &str)], clock: Arc<dyn Clock>) -> App {
    App::new(config(database_url, settings), clock).unwrap_or_else(|error| panic!("{error}"))
}

/// The configuration of such a service.
pub fn config(database_url: &str, settings: &[(&str, &str)]) -> Config {
    let mut environment = vec![
        ("DATABASE_URL".to_owned(), database_url.to_owned()),
        (
            "CARRIER_SYNC__HTTP__ALLOW_PRIVATE_HOSTS".to_owned(),
            "true".to_owned(),
        ),
        (
            "CARRIER_SYNC__CARRIERS__HOLOGRAM__REQUESTS_PER_SECOND".to_owned(),
            "100000".to_owned(),
        ),
        (
            "CARRIER_SYNC__CARRIERS__HOLOGRAM__BURST".to_owned(),
            "100000".to_owned(),
        ),
        (
            "CARRIER_SYNC__CARRIERS__HOLOGRAM__HOST_REQUESTS_PER_SECOND".to_owned(),
            "100000".to_owned(),
        ),
        (
            "CARRIER_SYNC__CARRIERS__HOLOGRAM__HOST_BURST".to_owned(),
            "100000".to_owned(),
        ),
    ];
    for (key, value) in settings {
        let name = format!("CARRIER_SYNC__{}", key.to_uppercase().replace('.', "__"));
        environment.retain(|(known, _)| *known != name);
        environment.push((name, (*value).to_owned()));
    }
    let sources = ConfigSources {
        environment,
        ..ConfigSources::default()
    };
    Config::load(&sources).unwrap_or_else(|error| panic!("{error}"))
}

/// The URL of a SQLite file in `folder`.
pub fn sqlite_url(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}", folder.path().join("fleet.db").display())
}

/// An account of the simulator to be added as an integration.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Owner.
    pub tenant: &'a str,
    /// Organisation at the simulator, whose key is its default one.
    pub org: u64,
    /// Whether the integration knows its organisation, and may so ask in bulk.
    pub in_bulk: bool,
}

/// Adds an integration for one of the simulator's accounts and links its whole fleet.
///
/// Written through `owner`, whose database may be another role's than the service's.
pub async fn link_fleet(owner: &App, simulator: &Simulator, account: Account<'_>) -> IntegrationId {
    let id = add_integration(owner, &simulator.base_url(), account).await;
    let links: Vec<_> = simulator
        .truth(account.org)
        .iter()
        .map(|truth| {
            link(
                &format!("device-{}", truth.carrier_device_id),
                &truth.carrier_device_id,
            )
        })
        .collect();
    owner
        .store
        .link_devices(&id, &links)
        .await
        .expect("devices are linked");
    id
}

/// Adds an integration that calls `base_url`.
pub async fn add_integration(owner: &App, base_url: &str, account: Account<'_>) -> IntegrationId {
    let new = NewIntegration {
        id: None,
        tenant_id: TenantId::parse(account.tenant).unwrap(),
        carrier_name: "hologram".to_owned(),
        fields: IntegrationChange {
            api_key: Some(format!("simulated-key-{}", account.org).into()),
            api_base_url: Some(base_url.to_owned()),
            account_id: account.in_bulk.then(|| account.org.to_string()),
            ..IntegrationChange::default()
        },
    };
    owner
        .store
        .add_integration(&new)
        .await
        .expect("the integration is added")
}

/// A link between a row and a device at the carrier.
pub fn link(device_id: &str, carrier_device_id: &str) -> DeviceLink {
    DeviceLink {
        device_id: DeviceId::parse(device_id).unwrap(),
        carrier_device_id: CarrierDeviceId::parse(carrier_device_id).unwrap(),
        sim_iccid: None,
    }
}

/// Syncs every integration once.
pub async fn sync(app: &App) -> Vec<SyncReport> {
    let rows = app.choose(&[]).await.expect("integrations can be read");
    app.sync_once(rows, &|| Arc::new(Quiet), &Stop::default(), |_| {})
        .await
        .expect("what is free can be claimed")
}

/// Syncs the only integration once.
pub async fn sync_one(app: &App) -> SyncReport {
    let mut reports = sync(app).await;
    assert_eq!(reports.len(), 1, "one integration");
    reports.remove(0)
}

/// Writes without a writer.
struct StoreSink(Arc<dyn Store>);

#[async_trait::async_trait]
impl UpdateSink for StoreSink {
    async fn write(&self, batch: UpdateBatch) -> Result<WriteReceipt, SinkError> {
        let answers = self.0.write(&[batch]).await;
        let mut answers = answers.map_err(|error| SinkError::Failed(error.to_string()))?;
        answers.remove(0).map_err(|_| SinkError::LeaseLost)
    }
}

/// The job of the only integration, to be synced again and again as an actor does.
pub async fn job(app: &App) -> Arc<SyncJob> {
    let row = app.store.integrations().await.unwrap().remove(0);
    Arc::new(app.builder.build(&row, Tenure::sole()).unwrap())
}

/// One more sync of a job that lives on.
pub async fn sync_job_again(app: &App, job: &Arc<SyncJob>) -> SyncReport {
    sync_job(app, job, &StoreSink(Arc::clone(&app.store))).await
}

/// A sync of this job, its updates going to `sink`.
pub async fn sync_job(app: &App, job: &Arc<SyncJob>, sink: &dyn UpdateSink) -> SyncReport {
    let (tenant, integration) = (&job.tenant_id, &job.integration_id);
    let devices = app.store.linked_devices(tenant, integration).await.unwrap();
    let cycles = app.store.stored_cycles(tenant, integration).await.unwrap();
    let meter = Arc::new(CallMeter::new(job.policy.max_calls));
    let stop = CancellationToken::new();
    carrier_sync::sync::sync(job, (devices, cycles), &meter, sink, &Quiet, &stop).await
}

/// Every device linked to an integration.
pub async fn devices(app: &App, integration: &IntegrationId) -> Vec<DeviceRow> {
    let mut all: Vec<DeviceRow> = Vec::new();
    loop {
        let filter = DeviceFilter {
            integration_id: Some(integration.clone()),
            after: all
                .last()
                .map(|row| (row.tenant_id.clone(), row.device_id.clone())),
            limit: 1_000,
            ..DeviceFilter::default()
        };
        let page = app
            .store
            .devices(&filter)
            .await
            .expect("devices can be read");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Fails unless every row equals the truth: usage to the byte, statuses, cycle, ICCID.
pub fn assert_true(rows: &[DeviceRow], truth: &[Truth]) {
    assert_eq!(rows.len(), truth.len(), "rows");
    let rows: std::collections::HashMap<_, _> = rows
        .iter()
        .map(|row| (row.carrier_device_id.as_deref().unwrap_or_default(), row))
        .collect();
    for truth in truth {
        let row = rows[truth.carrier_device_id.as_str()];
        assert_row_true(row, truth);
    }
}

/// Fails unless the row equals the truth.
pub fn assert_row_true(row: &DeviceRow, truth: &Truth) {
    let name = &truth.carrier_device_id;
    assert_eq!(
        row.data_used_bytes,
        i64::try_from(truth.used_bytes).ok(),
        "bytes of {name}"
    );
    let hundredths = (u128::from(truth.used_bytes) * 100 + 524_288) / 1_048_576;
    let shown = row.data_used_mb.map(|mb| (mb * 100.0).round() as u128);
    assert_eq!(shown, Some(hundredths), "megabytes of {name}");
    assert_eq!(
        row.sim_status.as_deref(),
        Some(truth.sim_status),
        "SIM status of {name}"
    );
    assert_eq!(
        row.network_status.as_deref(),
        Some(truth.network_status),
        "network of {name}"
    );
    assert_eq!(
        row.billing_cycle_start,
        Some(truth.cycle_start),
        "cycle start of {name}"
    );
    assert_eq!(
        row.billing_cycle_end,
        Some(truth.cycle_end),
        "cycle end of {name}"
    );
    assert_eq!(
        row.billing_cycle_source.as_deref(),
        Some(truth.cycle_source),
        "source of {name}"
    );
    assert_eq!(
        row.sim_iccid.as_deref(),
        Some(truth.iccid.as_str()),
        "ICCID of {name}"
    );
    assert!(row.data_used_updated_at.is_some(), "freshness of {name}");
}

/// An observer that does not care.
pub struct Quiet;

impl Observer for Quiet {
    fn progress(&self, _: Progress) {}
}
