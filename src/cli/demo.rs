//! `carrier-sync demo`: the real service on simulated carriers, with nothing to set up.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::demo_story::{Broken, Scene, Story, Tenant};
use super::run::listen;
use super::runtime::in_system;
use super::{CliError, Exit};
use crate::app::{App, Ending};
use crate::client::AllowedHosts;
use crate::clock::SystemClock;
use crate::config::{Config, DatabaseUrl, MigrateOnStart};
use crate::device::{CarrierDeviceId, DeviceId, IntegrationId, InvalidId, TenantId};
use crate::secrets::KeySource;
use crate::simulator::{Latency, SimulatedAccount, Simulator, SimulatorConfig};
use crate::status::Address;
use crate::store::{DeviceLink, IntegrationChange, NewIntegration};

/// The first syncs come within this: a demo is watched.
const START_SPREAD: Duration = Duration::from_secs(2);
/// What a watcher changes is noticed within this.
const DISCOVER_INTERVAL: Duration = Duration::from_secs(2);
/// SIMs of the account that is broken on purpose.
const BROKEN_DEVICES: u64 = 25;
/// Of the simulated carrier's answers; up to twice this.
const LATENCY: Duration = Duration::from_millis(40);

const AFTER_HELP: &str = "\
Starts a simulated carrier on this machine, an embedded database in a temporary folder, and the real \
service between them; shows what it does, here and on its status page, until the time is over or Ctrl-C. \
Nothing leaves this machine and nothing stays on it.

One account is broken on purpose: the status page says which and why, and what mends it.

Examples:
  carrier-sync demo
  carrier-sync demo --for 10m           time to look around on the status page
  carrier-sync demo --devices 50000 --tenants 10 --for 5m

Next:
  carrier-sync integrations add --tenant acme --carrier hologram
                                        connect a real account";

/// See it work: simulated carriers, an embedded database, and the real service
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    /// Devices of the simulated fleet, over all tenants
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: u32,
    /// Tenants that share the fleet, each with an account at the carrier
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub tenants: u32,
    /// How long, such as 60s or 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "60s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Port of the status page, on this machine; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
}

/// Runs the demo.
pub(super) fn demo(args: &DemoArgs, config: Config) -> Result<Exit, CliError> {
    let folder = tempfile::tempdir()
        .map_err(|error| CliError::new("cannot make a temporary folder").because(error))?;
    let database = folder.path().join("fleet.db");
    in_system(async {
        let stop = listen()?;
        let simulator = start_simulator(args)?;
        let config = demo_config(config, &database, args.port);
        let token = config.status.token.clone().unwrap_or_default();
        let app = App::new(config, Arc::new(SystemClock))?;
        let _alone = app.sole_use()?;
        app.prepare().await?;
        let status = app.serve_status(&stop)?;
        let tenants = fill(&app, &simulator, args).await?;
        let broken = add_broken(&app, &simulator, args).await?;
        let scene = Scene {
            devices: args.devices,
            duration: args.duration,
            simulator: &simulator,
            database: &database,
            page: status.as_ref().map(|status| status.address().to_string()),
            token,
            broken,
        };
        let mut story = Story::begin(&scene, tenants)?;
        let serving = app.serve(&stop);
        let telling = story.tell_until(&app, &stop, args.duration);
        let (ending, told) = tokio::join!(serving, telling);
        told?;
        story.end(&database, &simulator).await?;
        match ending {
            Ending::Clean => Ok(Exit::Success),
            other => Err(CliError::new(format!(
                "the service did not end cleanly: {other:?}"
            ))),
        }
    })
}

/// The user's settings, with the embedded database and the simulated carrier in place of real ones.
fn demo_config(mut config: Config, database: &Path, port: u16) -> Config {
    config.database.url = DatabaseUrl::sqlite_file(database);
    config.database.migrate_on_start = MigrateOnStart::Embedded;
    config.http.allow_private_hosts = true;
    config.http.allowed_hosts = AllowedHosts::default();
    config.secrets.keys = KeySource::None;
    config.supervisor.start_spread = START_SPREAD;
    config.supervisor.discover_interval = DISCOVER_INTERVAL;
    config.status.listen = Address::Tcp((Ipv4Addr::LOCALHOST, port).into());
    let token = || format!("demo-{:016x}", rand::random::<u64>()).into();
    config.status.token.get_or_insert_with(token);
    config
}

fn start_simulator(args: &DemoArgs) -> Result<Simulator, CliError> {
    let broken = SimulatedAccount::numbered(broken_number(args), BROKEN_DEVICES);
    let accounts = (1..=args.tenants).map(|number| {
        // The remainder goes to the first, so that the fleets add up to what was asked for.
        let share = args.devices / args.tenants;
        let rest = if number == 1 {
            args.devices % args.tenants
        } else {
            0
        };
        SimulatedAccount::numbered(number.into(), (share + rest).into())
    });
    let config = SimulatorConfig {
        accounts: accounts.chain([broken]).collect(),
        latency: Latency {
            fixed: LATENCY,
            jitter: LATENCY,
        },
        ..SimulatorConfig::default()
    };
    let failed = |error| CliError::new("cannot start the simulated carrier").because(error);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    Simulator::start(config, listener).map_err(failed)
}

/// Adds an integration per tenant, its devices linked. The last of several tenants does not know its
/// account id, so its devices are asked for one by one: the slow path is part of the show.
async fn fill(app: &App, simulator: &Simulator, args: &DemoArgs) -> Result<Vec<Tenant>, CliError> {
    let mut tenants = Vec::new();
    for number in 1..=u64::from(args.tenants) {
        let account = SimulatedAccount::numbered(number, 0);
        let in_bulk = args.tenants == 1 || number < u64::from(args.tenants);
        let name = format!("tenant-{number}");
        let fields = IntegrationChange {
            api_key: Some(account.api_key.into()),
            account_id: in_bulk.then(|| account.org_id.to_string()),
            ..IntegrationChange::default()
        };
        let names = (&*format!("{name}-hologram"), &*name);
        let id = add(app, simulator, names, (account.org_id, fields)).await?;
        tenants.push(Tenant {
            id,
            name,
            org_id: account.org_id,
            in_bulk,
        });
    }
    Ok(tenants)
}

/// An account whose key is not the one that the carrier knows.
async fn add_broken(app: &App, simulator: &Simulator, args: &DemoArgs) -> Result<Broken, CliError> {
    let account = SimulatedAccount::numbered(broken_number(args), 0);
    let fields = IntegrationChange {
        display_name: Some("Old meters, key revoked".to_owned()),
        api_key: Some("revoked".into()),
        account_id: Some(account.org_id.to_string()),
        ..IntegrationChange::default()
    };
    let names = ("old-meters", "tenant-1");
    let id = add(app, simulator, names, (account.org_id, fields)).await?;
    Ok(Broken {
        id,
        right_key: account.api_key.into(),
    })
}

fn broken_number(args: &DemoArgs) -> u64 {
    u64::from(args.tenants) + 1
}

/// Adds an integration with every device of its organisation linked.
async fn add(
    app: &App,
    simulator: &Simulator,
    (id, tenant): (&str, &str),
    (org_id, fields): (u64, IntegrationChange),
) -> Result<IntegrationId, CliError> {
    let invalid = |error: InvalidId| CliError::new(error.to_string());
    let new = NewIntegration {
        id: Some(IntegrationId::parse(id).map_err(invalid)?),
        tenant_id: TenantId::parse(tenant).map_err(invalid)?,
        carrier_name: "hologram".to_owned(),
        fields: IntegrationChange {
            api_base_url: Some(simulator.base_url()),
            sync_interval_minutes: Some(1),
            ..fields
        },
    };
    let id = app.store.add_integration(&new).await?;
    let truth = simulator.truth(org_id);
    let links = truth.iter().map(|truth| link(&truth.carrier_device_id));
    let links: Result<Vec<_>, _> = links.collect();
    app.store
        .link_devices(&id, &links.map_err(invalid)?)
        .await?;
    Ok(id)
}

fn link(carrier_device_id: &str) -> Result<DeviceLink, InvalidId> {
    Ok(DeviceLink {
        device_id: DeviceId::parse(&format!("device-{carrier_device_id}"))?,
        carrier_device_id: CarrierDeviceId::parse(carrier_device_id)?,
        sim_iccid: None,
    })
}
