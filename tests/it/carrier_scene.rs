//! A service and one of the simulated carriers besides Hologram, for tests that look at both: rows on the one
//! side, what the carrier counted on the other. Holds no test.

use std::net::TcpListener;
use std::time::Duration;

use carrier_sync::app::App;
use carrier_sync::device::{IntegrationId, TenantId};
use carrier_sync::simulator::dialects::{
    Dialect, DialectConfig, DialectSimulator, DialectTruth, Limit,
};
use carrier_sync::store::{DeviceRow, IntegrationChange, NewIntegration};

use crate::fleet;

pub fn code(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OneNce => "1nce",
        Dialect::Emnify => "emnify",
        Dialect::Cisco => "cisco",
    }
}

pub fn carrier(config: DialectConfig) -> DialectSimulator {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    DialectSimulator::start(config, listener).unwrap()
}

/// A service with an integration for the simulator's first account, its fleet linked.
pub struct Scene {
    pub simulator: DialectSimulator,
    pub app: App,
    pub id: IntegrationId,
    pub folder: tempfile::TempDir,
}

impl Scene {
    pub async fn of(config: DialectConfig, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = carrier(config);
        let app = fleet::app(&fleet::sqlite_url(&folder), settings);
        app.prepare().await.unwrap();
        let id = link(&app, &simulator, 0, None).await;
        Self {
            simulator,
            app,
            id,
            folder,
        }
    }

    pub async fn rows(&self) -> Vec<DeviceRow> {
        fleet::devices(&self.app, &self.id).await
    }
}

/// Adds an account of the simulator's, counted from 0, with another key where one is given, as a tenant of its own,
/// and links its fleet.
pub async fn link(
    app: &App,
    simulator: &DialectSimulator,
    number: usize,
    key: Option<&str>,
) -> IntegrationId {
    let config = simulator.config();
    let account = &config.accounts[number];
    // Cisco does not tell on which day its cycles begin.
    let settings = (config.dialect == Dialect::Cisco && config.has_odd_plans)
        .then(|| serde_json::json!({"cycle_day": 10}));
    let new = NewIntegration {
        id: None,
        tenant_id: TenantId::parse(&format!("tenant-{number}")).unwrap(),
        carrier_name: code(config.dialect).to_owned(),
        fields: IntegrationChange {
            api_key: Some(key.unwrap_or(&account.key).into()),
            api_secret: account.secret.clone().map(Into::into),
            api_base_url: Some(simulator.base_url()),
            config: settings,
            ..IntegrationChange::default()
        },
    };
    let id = app.store.add_integration(&new).await.unwrap();
    let links: Vec<_> = simulator
        .truth(number)
        .iter()
        .map(|truth| {
            let name = &truth.carrier_device_id;
            fleet::link(&format!("device-{name}"), name)
        })
        .collect();
    app.store.link_devices(&id, &links).await.unwrap();
    id
}

/// All that the carrier tells of a device, to the byte.
#[track_caller]
pub fn assert_true(row: &DeviceRow, truth: &DialectTruth) {
    let name = &truth.carrier_device_id;
    assert_eq!(
        row.sim_iccid.as_deref(),
        Some(truth.iccid.as_str()),
        "ICCID of {name}"
    );
    assert_eq!(
        row.data_used_bytes,
        i64::try_from(truth.used_bytes).ok(),
        "bytes of {name}"
    );
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
}

#[track_caller]
pub fn assert_all_true(rows: &[DeviceRow], truth: &[DialectTruth]) {
    assert_eq!(rows.len(), truth.len());
    for truth in truth {
        let row = rows
            .iter()
            .find(|row| row.carrier_device_id.as_deref() == Some(truth.carrier_device_id.as_str()));
        assert_true(row.unwrap(), truth);
    }
}

/// Settings by which a test need not wait: the published limits are another test's.
pub fn fast(dialect: Dialect) -> Vec<(String, &'static str)> {
    let section = format!("carriers.{}", code(dialect));
    let classes: &[&str] = match dialect {
        Dialect::OneNce => &["host_classes.token"],
        Dialect::Emnify => &[
            "classes.list",
            "classes.device",
            "classes.usage",
            "host_classes.token",
        ],
        Dialect::Cisco => &[],
    };
    let classes = classes
        .iter()
        .flat_map(|class| ["requests_per_second", "burst"].map(|key| format!("{class}.{key}")))
        .map(|key| (format!("{section}.{key}"), "100000"));
    let rates = [
        ("requests_per_second", "100000"),
        ("burst", "100000"),
        ("host_requests_per_second", "100000"),
        ("host_burst", "100000"),
        // An empty variable would count as not set.
        ("host_windows", "100000/1s"),
        ("slice", "100000"),
        ("max_calls_per_sync", "100000"),
    ]
    .map(|(key, value)| (format!("{section}.{key}"), value));
    rates.into_iter().chain(classes).collect()
}

pub fn unlimited(dialect: Dialect, devices: usize) -> DialectConfig {
    DialectConfig {
        limits: vec![Limit::of(1_000_000, Duration::from_secs(1))],
        ..DialectConfig::of(dialect, devices)
    }
}

pub fn borrowed<'a>(settings: &'a [(String, &'static str)]) -> Vec<(&'a str, &'a str)> {
    settings
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect()
}
