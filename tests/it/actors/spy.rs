//! A store that hands everything on to another, remembers it, and can hold writes up or break.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carrier_sync::budget::{CallCount, CountState};
use carrier_sync::device::{
    IntegrationId, LinkedDevices, StoredCycles, TenantId, UpdateBatch, WriteReceipt,
};
use carrier_sync::integration::IntegrationRow;
use carrier_sync::runs::{RunFilter, RunRow, SyncRecord};
use carrier_sync::store::{
    DeviceFilter, DeviceLink, DeviceRow, IntegrationChange, IntegrationFreshness, LeaseLost,
    LinkReceipt, NewIntegration, NotRecorded, SecretReplacement, Store, StoreError,
};
use tokio::sync::Semaphore;

/// What the service asked of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A sync began.
    Devices(IntegrationId),
    /// A transaction: rows per batch, with the batch's tenant.
    Write(Vec<(TenantId, usize)>),
    /// A sync ended.
    Record(SyncRecord),
}

type Breaks = Box<dyn Fn(&Asked) -> bool + Send + Sync>;

pub struct Spy {
    inner: Arc<dyn Store>,
    asked: Mutex<Vec<Asked>>,
    /// Panics when this says so.
    breaks: Mutex<Breaks>,
    /// A transaction needs a permit to begin.
    pub writes: Semaphore,
}

impl std::fmt::Debug for Spy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spy")
    }
}

impl Spy {
    pub fn on(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            asked: Mutex::default(),
            breaks: Mutex::new(Box::new(|_| false)),
            writes: Semaphore::new(1_000_000),
        })
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The rows per batch of every transaction so far.
    pub fn transactions(&self) -> Vec<Vec<usize>> {
        let rows = |asked| match asked {
            Asked::Write(batches) => Some(batches.into_iter().map(|(_, rows)| rows).collect()),
            _ => None,
        };
        self.asked().into_iter().filter_map(rows).collect()
    }

    /// Panics from now on where `breaks` says so.
    pub fn break_when(&self, breaks: impl Fn(&Asked) -> bool + Send + Sync + 'static) {
        *self.breaks.lock().unwrap() = Box::new(breaks);
    }

    /// Lets no transaction begin.
    pub async fn hold_writes(&self) {
        let all = u32::try_from(self.writes.available_permits()).unwrap();
        self.writes.acquire_many(all).await.unwrap().forget();
    }

    pub fn release_writes(&self) {
        self.writes.add_permits(1_000);
    }

    fn note(&self, asked: Asked) {
        let breaks = self.breaks.lock().unwrap()(&asked);
        self.asked.lock().unwrap().push(asked);
        assert!(!breaks, "the store broke, as told");
    }
}

#[async_trait]
impl Store for Spy {
    fn engine(&self) -> &'static str {
        self.inner.engine()
    }

    async fn check(&self, allow_privileged_role: bool) -> Result<(), StoreError> {
        self.inner.check(allow_privileged_role).await
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        self.inner.integrations().await
    }

    async fn linked_devices(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<LinkedDevices, StoreError> {
        self.note(Asked::Devices(integration.clone()));
        self.inner.linked_devices(tenant, integration).await
    }

    async fn stored_cycles(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<StoredCycles, StoreError> {
        self.inner.stored_cycles(tenant, integration).await
    }

    async fn write(
        &self,
        batches: &[UpdateBatch],
    ) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
        let rows = batches
            .iter()
            .map(|batch| (batch.tenant_id.clone(), batch.updates.len()));
        self.note(Asked::Write(rows.collect()));
        self.writes.acquire().await.unwrap().forget();
        self.inner.write(batches).await
    }

    async fn record(
        &self,
        records: &[SyncRecord],
    ) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
        for record in records {
            self.note(Asked::Record(record.clone()));
        }
        self.inner.record(records).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        self.inner.runs(filter).await
    }

    async fn count_calls(
        &self,
        counts: &[CallCount],
    ) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
        self.inner.count_calls(counts).await
    }

    async fn ask_to_sync(&self, id: &IntegrationId) -> Result<bool, StoreError> {
        self.inner.ask_to_sync(id).await
    }

    async fn migrate(&self, service_role: Option<&str>) -> Result<(), StoreError> {
        self.inner.migrate(service_role).await
    }

    async fn add_integration(&self, new: &NewIntegration) -> Result<IntegrationId, StoreError> {
        self.inner.add_integration(new).await
    }

    async fn set_integration(
        &self,
        id: &IntegrationId,
        change: &IntegrationChange,
    ) -> Result<(), StoreError> {
        self.inner.set_integration(id, change).await
    }

    async fn replace_secret(&self, change: &SecretReplacement) -> Result<bool, StoreError> {
        self.inner.replace_secret(change).await
    }

    async fn erase_traces(&self) -> Result<bool, StoreError> {
        self.inner.erase_traces().await
    }

    async fn remove_integration(&self, id: &IntegrationId) -> Result<u64, StoreError> {
        self.inner.remove_integration(id).await
    }

    async fn link_devices(
        &self,
        integration: &IntegrationId,
        links: &[DeviceLink],
    ) -> Result<LinkReceipt, StoreError> {
        self.inner.link_devices(integration, links).await
    }

    async fn freshness(
        &self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<IntegrationFreshness>, StoreError> {
        self.inner.freshness(now).await
    }

    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), StoreError> {
        self.inner.set_sync_enabled(id, sync_enabled).await
    }

    async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<DeviceRow>, StoreError> {
        self.inner.devices(filter).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
