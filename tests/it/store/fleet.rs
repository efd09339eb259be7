//! A database with a few accounts and devices, on either engine, and short words to build updates.

use std::sync::Arc;
use std::time::Duration;

use carrier_sync::device::{
    BillingCycle, ByteCount, CarrierDeviceId, CycleSource, DeviceId, DeviceInfo, DeviceUpdate,
    IntegrationId, NetworkStatus, SimStatus, TenantId, UpdateBatch, Usage, WriteReceipt,
};
use carrier_sync::runs::RunFigures;
use carrier_sync::store::{
    DeviceFilter, DeviceLink, DeviceRow, IntegrationChange, LeaseLost, NewIntegration, Store,
    StoreError, connect,
};
use chrono::{DateTime, TimeZone, Utc};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, raw_sql};

use crate::postgres::{TestDatabase, store_options};

/// A run of nothing that took no time.
pub fn run(started_at: DateTime<Utc>) -> RunFigures {
    RunFigures {
        started_at,
        elapsed: Duration::ZERO,
        devices: 0,
        synced: 0,
        carrier_calls: 0,
        throttled: Duration::ZERO,
        failures: Vec::new(),
    }
}

/// A migrated database and the two ways into it.
pub struct Fleet {
    /// As the service has it: on Postgres, the role that row-level security binds.
    pub service: Arc<dyn Store>,
    /// As an operator's command has it: on Postgres, the owner.
    pub admin: Arc<dyn Store>,
    engine: Engine,
}

enum Engine {
    Postgres(TestDatabase),
    Sqlite {
        url: String,
        _directory: tempfile::TempDir,
    },
}

impl Fleet {
    pub async fn postgres() -> Self {
        let database = TestDatabase::migrated().await;
        let (service, admin) = (database.service_store(), database.owner_store());
        Self {
            service,
            admin,
            engine: Engine::Postgres(database),
        }
    }

    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("fleet.db").display());
        let store = connect(&store_options(&url)).unwrap();
        store.migrate(None).await.unwrap();
        let engine = Engine::Sqlite {
            url,
            _directory: directory,
        };
        Self {
            service: store.clone(),
            admin: store,
            engine,
        }
    }

    /// The Postgres database behind it.
    pub fn database(&self) -> &TestDatabase {
        match &self.engine {
            Engine::Postgres(database) => database,
            Engine::Sqlite { .. } => panic!("not on Postgres"),
        }
    }

    /// Runs SQL that both engines understand, past every protection.
    pub async fn execute(&self, sql: &str) {
        match &self.engine {
            Engine::Postgres(database) => database.execute(sql).await,
            Engine::Sqlite { url, .. } => {
                let mut connection = SqliteConnection::connect(url).await.unwrap();
                raw_sql(AssertSqlSafe(sql.to_owned()))
                    .execute(&mut connection)
                    .await
                    .unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// An account of a tenant with devices `d0000…`, each called `c-NAME` at its carrier.
    pub async fn account(&self, tenant: &str, id: &str, devices: usize) {
        self.bare_account(tenant, id).await;
        let links: Vec<_> = (0..devices).map(|n| link(&device_name(n))).collect();
        self.admin
            .link_devices(&integration(id), &links)
            .await
            .unwrap();
    }

    /// An account without devices.
    pub async fn bare_account(&self, tenant: &str, id: &str) {
        let new = NewIntegration {
            id: Some(integration(id)),
            tenant_id: self::tenant(tenant),
            carrier_name: "hologram".into(),
            fields: IntegrationChange::default(),
        };
        self.admin.add_integration(&new).await.unwrap();
    }

    /// As the service writes, with every batch's receipt.
    pub async fn write(&self, batches: &[UpdateBatch]) -> Vec<WriteReceipt> {
        receipts(self.service.write(batches).await)
    }

    /// A tenant's devices as stored, by name.
    pub async fn devices(&self, tenant: &str) -> Vec<DeviceRow> {
        let filter = DeviceFilter {
            tenant_id: Some(self::tenant(tenant)),
            limit: 100_000,
            ..DeviceFilter::default()
        };
        self.admin.devices(&filter).await.unwrap()
    }

    pub async fn device(&self, tenant: &str, name: &str) -> DeviceRow {
        let rows = self.devices(tenant).await;
        rows.into_iter()
            .find(|row| row.device_id.as_str() == name)
            .expect("the device is there")
    }
}

/// Of batches that were all written.
pub fn receipts(
    answers: Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError>,
) -> Vec<WriteReceipt> {
    let answers = answers.unwrap().into_iter();
    answers.map(Result::unwrap).collect()
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub fn integration(name: &str) -> IntegrationId {
    IntegrationId::parse(name).unwrap()
}

pub fn device_name(number: usize) -> String {
    format!("d{number:04}")
}

pub fn link(device: &str) -> DeviceLink {
    named_link(device, &format!("c-{device}"))
}

pub fn named_link(device: &str, carrier_device: &str) -> DeviceLink {
    DeviceLink {
        device_id: DeviceId::parse(device).unwrap(),
        carrier_device_id: CarrierDeviceId::parse(carrier_device).unwrap(),
        sim_iccid: None,
    }
}

/// A time on the first of November 2026, to the microsecond.
pub fn at(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 1, 12, 0, second).unwrap() + chrono::Duration::microseconds(7)
}

pub fn cycle(month: u32, source: CycleSource) -> BillingCycle {
    let first = |month| Utc.with_ymd_and_hms(2026, month, 1, 0, 0, 0).unwrap();
    BillingCycle::new(first(month), first(month + 1), source).unwrap()
}

pub fn usage(bytes: u64) -> Usage {
    Usage {
        used: ByteCount::new(bytes).unwrap(),
        limit: None,
        cycle: None,
    }
}

/// An update that knows nothing.
pub fn nothing(device: &str) -> DeviceUpdate {
    DeviceUpdate {
        device_id: DeviceId::parse(device).unwrap(),
        carrier_device_id: link(device).carrier_device_id.as_str().into(),
        observed_at: at(0),
        usage: None,
        info: DeviceInfo::default(),
    }
}

pub fn used(device: &str, bytes: u64) -> DeviceUpdate {
    DeviceUpdate {
        usage: Some(usage(bytes)),
        ..nothing(device)
    }
}

/// An update that knows everything.
pub fn everything(device: &str, bytes: u64) -> DeviceUpdate {
    let cycle = Some(cycle(11, CycleSource::Reported));
    DeviceUpdate {
        usage: Some(Usage {
            cycle,
            ..usage(bytes)
        }),
        info: DeviceInfo {
            sim_status: Some(SimStatus::Active),
            network_status: Some(NetworkStatus::Connected),
            iccid: Some(format!("8944-{device}").into()),
        },
        ..nothing(device)
    }
}

pub fn batch(tenant: &str, id: &str, updates: Vec<DeviceUpdate>) -> UpdateBatch {
    UpdateBatch {
        tenant_id: self::tenant(tenant),
        integration_id: integration(id),
        epoch: None,
        updates,
    }
}
