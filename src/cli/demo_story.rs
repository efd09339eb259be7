//! What the demo tells: one line whenever an integration has something new, and at the end whether the
//! database equals the carrier's truth. Reads the status board, as any operator's page would.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use super::{CliError, Output};
use crate::app::App;
use crate::config::DatabaseUrl;
use crate::device::IntegrationId;
use crate::runs::Retention;
use crate::shutdown::Stop;
use crate::simulator::{Simulator, Truth};
use crate::status::{ActorName, ActorState, ActorStatus};
use crate::store::{DeviceFilter, DeviceRow, Store, StoreOptions, connect};

/// Time between looks at the board.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A sync under way is told again after this.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Rows per look-up when the database is compared with the truth.
const PAGE: u32 = 5_000;

/// One tenant of the demo and its account.
#[derive(Debug)]
pub(super) struct Tenant {
    /// Its integration.
    pub(super) id: IntegrationId,
    /// Its name.
    pub(super) name: String,
    /// Its organisation at the simulated carrier.
    pub(super) org_id: u64,
    /// Whether its devices are listed in bulk.
    pub(super) in_bulk: bool,
}

/// An account that is broken on purpose.
pub(super) struct Broken {
    /// Its integration.
    pub(super) id: IntegrationId,
    /// The key that mends it. Of a simulated carrier, so it may be shown.
    pub(super) right_key: SecretString,
}

/// What the demo plays with.
pub(super) struct Scene<'a> {
    /// Devices of the fleet.
    pub(super) devices: u32,
    /// How long it plays.
    pub(super) duration: Duration,
    /// The carrier.
    pub(super) simulator: &'a Simulator,
    /// The fleet's database.
    pub(super) database: &'a Path,
    /// Where the status page is.
    pub(super) page: Option<String>,
    /// What opens its actions.
    pub(super) token: SecretString,
    /// What a watcher can mend.
    pub(super) broken: Broken,
}

/// What was last told of a tenant.
struct Told {
    runs: u64,
    synced: usize,
    at: Instant,
}

/// The demo's narration.
pub(super) struct Story {
    output: Output,
    tenants: Vec<Tenant>,
    told: HashMap<IntegrationId, Told>,
    began: Instant,
}

impl Story {
    /// Tells what is there.
    pub(super) fn begin(scene: &Scene<'_>, tenants: Vec<Tenant>) -> Result<Self, CliError> {
        let mut output = Output::stdout();
        output.line(format_args!(
            "carrier-sync demo: {} devices of {} tenants, for {} (Ctrl-C ends it)",
            scene.devices,
            tenants.len(),
            humantime::format_duration(scene.duration)
        ))?;
        output.line(format_args!(
            "  carrier   {} (simulated Hologram)",
            scene.simulator.base_url()
        ))?;
        output.line(format_args!("  database  {}", scene.database.display()))?;
        if let Some(page) = &scene.page {
            output.line(format_args!("  status    {page}"))?;
            output.line(format_args!(
                "            to sync now, pause and resume there, sign in with {}",
                scene.token.expose_secret()
            ))?;
        }
        output.line("  every account may make 10 calls per second; each syncs once a minute")?;
        if tenants.iter().any(|tenant| !tenant.in_bulk) {
            output.line(
                "  the last tenant has no account id: its devices are asked for one by one",
            )?;
        }
        output.line("  one more account is broken on purpose; the status page tells what is wrong. To mend it:")?;
        output.line(format_args!(
            "    echo {} | carrier-sync integrations set {} --api-key-file - --database-url {}",
            scene.broken.right_key.expose_secret(),
            scene.broken.id,
            DatabaseUrl::sqlite_file(scene.database)
                .secret()
                .expose_secret(),
        ))?;
        output.line("")?;
        output.line(heading())?;
        output.flush()?;
        Ok(Self {
            output,
            tenants,
            told: HashMap::new(),
            began: Instant::now(),
        })
    }

    /// Tells what happens until the time is over, then asks the service to stop.
    pub(super) async fn tell_until(
        &mut self,
        app: &App,
        stop: &Stop,
        duration: Duration,
    ) -> Result<(), CliError> {
        let over = tokio::time::sleep(duration);
        tokio::pin!(over);
        let mut result = Ok(());
        while result.is_ok() {
            tokio::select! {
                () = &mut over => break,
                () = stop.asked.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => result = self.look(app),
            }
        }
        stop.asked.cancel();
        // A reader that went away (`| head`) is no failure of the demo, but its end.
        result.or_else(|error| match error {
            CliError::OutputClosed => Ok(()),
            told => Err(told),
        })
    }

    fn look(&mut self, app: &App) -> Result<(), CliError> {
        for (name, status) in app.board.snapshot() {
            if let ActorName::Integration(id) = name
                && self.is_news(&id, &status)
            {
                let line = self.line(&id, &status);
                self.output.line(line)?;
                let told = Told {
                    runs: status.runs,
                    synced: status.synced,
                    at: Instant::now(),
                };
                self.told.insert(id, told);
            }
        }
        self.output.flush()
    }

    /// An end of a sync is news; so is progress, but not at every look.
    fn is_news(&self, id: &IntegrationId, status: &ActorStatus) -> bool {
        let Some(told) = self.told.get(id) else {
            return status.runs > 0 || status.synced > 0;
        };
        let progress = status.state == ActorState::Syncing && status.synced > told.synced;
        status.runs > told.runs || progress && told.at.elapsed() >= TELL_EVERY
    }

    fn line(&self, id: &IntegrationId, status: &ActorStatus) -> String {
        let tenant = self.tenants.iter().find(|tenant| tenant.id == *id);
        let name = tenant.map_or(id.as_str(), |tenant| tenant.name.as_str());
        let outcome = match (status.state, status.last_outcome) {
            (ActorState::Syncing, _) | (_, None) => "syncing",
            (_, Some(outcome)) => outcome.as_str(),
        };
        format!(
            "{:>6.1} s  {:<12} {:<8} {:>8} of {:<8} {:>6}  {}",
            self.began.elapsed().as_secs_f64(),
            name,
            outcome,
            status.synced,
            status.devices,
            status.calls_made,
            status.reason.as_deref().unwrap_or_default()
        )
        .trim_end()
        .to_owned()
    }

    /// Compares every row that was written with what the carrier knows to be true.
    pub(super) async fn end(
        &mut self,
        database: &Path,
        simulator: &Simulator,
    ) -> Result<(), CliError> {
        let store = reopen(database)?;
        let (mut fresh, mut equal, mut all) = (0, 0, 0);
        for tenant in &self.tenants {
            let truth = simulator.truth(tenant.org_id);
            all += truth.len();
            let truth: HashMap<_, _> = truth
                .iter()
                .map(|truth| (truth.carrier_device_id.as_str(), truth))
                .collect();
            for row in rows(&*store, &tenant.id).await? {
                let known = row
                    .carrier_device_id
                    .as_deref()
                    .and_then(|id| truth.get(id));
                if let Some(truth) = known.filter(|_| row.data_used_updated_at.is_some()) {
                    fresh += 1;
                    equal += usize::from(is_equal(&row, truth));
                }
            }
        }
        store.close().await;
        let calls = simulator.calls();
        self.output.line("")?;
        self.output.line(format_args!(
            "{fresh} of {all} devices were synced with {} calls; {equal} of {fresh} rows equal the \
             carrier's truth",
            calls.total
        ))?;
        self.output.flush()
    }
}

fn heading() -> String {
    format!(
        "{:>8}  {:<12} {:<8} {:>8}    {:<8} {:>6}",
        "time", "tenant", "outcome", "synced", "devices", "calls"
    )
}

/// The service has closed its store; the comparison opens the file anew, as any other reader would.
fn reopen(database: &Path) -> Result<std::sync::Arc<dyn Store>, CliError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    Ok(connect(&StoreOptions {
        url: DatabaseUrl::sqlite_file(database).secret().clone(),
        max_connections: 1,
        acquire_timeout: PATIENCE,
        statement_timeout: PATIENCE,
        lock_timeout: PATIENCE,
        runs: Retention::ALL,
    })?)
}

async fn rows(store: &dyn Store, id: &IntegrationId) -> Result<Vec<DeviceRow>, CliError> {
    let mut rows: Vec<DeviceRow> = Vec::new();
    loop {
        let filter = DeviceFilter {
            integration_id: Some(id.clone()),
            after: rows
                .last()
                .map(|row| (row.tenant_id.clone(), row.device_id.clone())),
            limit: PAGE,
            ..DeviceFilter::default()
        };
        let page = store.devices(&filter).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

/// A start that was derived, for want of the carrier's own word, may be off by the carrier's seconds.
fn is_equal(row: &DeviceRow, truth: &Truth) -> bool {
    let derived = row.billing_cycle_source.as_deref() == Some("derived");
    row.data_used_bytes == i64::try_from(truth.used_bytes).ok()
        && row.sim_status.as_deref() == Some(truth.sim_status)
        && row.network_status.as_deref() == Some(truth.network_status)
        && (derived || row.billing_cycle_start == Some(truth.cycle_start))
        && row.billing_cycle_end == Some(truth.cycle_end)
}
