//! A store that remembers: every row that was acknowledged, every outcome that was recorded, every
//! refusal. It hands each call to the real one and changes nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carrier_sync::budget::{CallCount, CountState};
use carrier_sync::device::{
    DeviceId, IntegrationId, LinkedDevices, StoredCycles, TenantId, UpdateBatch, WriteReceipt,
};
use carrier_sync::integration::IntegrationRow;
use carrier_sync::runs::{RunFilter, RunRow, SyncRecord};
use carrier_sync::store::{
    DeviceFilter, DeviceLink, DeviceRow, IntegrationChange, IntegrationFreshness, LeaseLost,
    LinkReceipt, NewIntegration, NotRecorded, SecretReplacement, Store, StoreError,
};
use chrono::{DateTime, Utc};

/// An outcome and when it was in the database.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub record: SyncRecord,
    pub at: DateTime<Utc>,
}

#[derive(Debug)]
pub struct Witness {
    store: Arc<dyn Store>,
    acknowledged: Mutex<BTreeSet<(TenantId, DeviceId)>>,
    records: Mutex<Vec<Recorded>>,
    refusals: Mutex<Vec<String>>,
}

impl Witness {
    pub fn of(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            store,
            acknowledged: Mutex::default(),
            records: Mutex::default(),
            refusals: Mutex::default(),
        })
    }

    /// Devices whose row was acknowledged as committed.
    pub fn acknowledged(&self) -> BTreeSet<(TenantId, DeviceId)> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Outcomes in the database.
    pub fn records(&self) -> Vec<Recorded> {
        self.records.lock().unwrap().clone()
    }

    /// Why transactions were refused.
    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lock().unwrap().clone()
    }

    fn heard<T>(&self, told: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &told {
            self.refusals.lock().unwrap().push(error.to_string());
        }
        told
    }
}

#[async_trait]
impl Store for Witness {
    fn engine(&self) -> &'static str {
        self.store.engine()
    }

    async fn check(&self, allow_privileged_role: bool) -> Result<(), StoreError> {
        self.store.check(allow_privileged_role).await
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        self.store.integrations().await
    }

    async fn linked_devices(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<LinkedDevices, StoreError> {
        self.heard(self.store.linked_devices(tenant, integration).await)
    }

    async fn stored_cycles(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<StoredCycles, StoreError> {
        self.heard(self.store.stored_cycles(tenant, integration).await)
    }

    async fn write(
        &self,
        batches: &[UpdateBatch],
    ) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
        let answers = self.heard(self.store.write(batches).await)?;
        let mut acknowledged = self.acknowledged.lock().unwrap();
        for (batch, receipt) in batches.iter().zip(&answers) {
            let Ok(receipt) = receipt else { continue };
            let failed: BTreeSet<_> = receipt.failures.iter().map(|f| &f.device_id).collect();
            let written = batch.updates.iter().map(|update| &update.device_id);
            let written = written.filter(|device| !failed.contains(device));
            acknowledged.extend(written.map(|device| (batch.tenant_id.clone(), device.clone())));
        }
        Ok(answers)
    }

    async fn record(
        &self,
        records: &[SyncRecord],
    ) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
        let answers = self.heard(self.store.record(records).await)?;
        let recorded = records
            .iter()
            .zip(&answers)
            .filter(|(_, told)| told.is_ok());
        let at = Utc::now();
        let recorded = recorded.map(|(record, _)| Recorded {
            record: record.clone(),
            at,
        });
        self.records.lock().unwrap().extend(recorded);
        Ok(answers)
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        self.store.runs(filter).await
    }

    async fn count_calls(
        &self,
        counts: &[CallCount],
    ) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
        self.heard(self.store.count_calls(counts).await)
    }

    async fn migrate(&self, service_role: Option<&str>) -> Result<(), StoreError> {
        self.store.migrate(service_role).await
    }

    async fn add_integration(&self, new: &NewIntegration) -> Result<IntegrationId, StoreError> {
        self.store.add_integration(new).await
    }

    async fn set_integration(
        &self,
        id: &IntegrationId,
        change: &IntegrationChange,
    ) -> Result<(), StoreError> {
        self.store.set_integration(id, change).await
    }

    async fn replace_secret(&self, change: &SecretReplacement) -> Result<bool, StoreError> {
        self.store.replace_secret(change).await
    }

    async fn erase_traces(&self) -> Result<bool, StoreError> {
        self.store.erase_traces().await
    }

    async fn remove_integration(&self, id: &IntegrationId) -> Result<u64, StoreError> {
        self.store.remove_integration(id).await
    }

    async fn link_devices(
        &self,
        integration: &IntegrationId,
        links: &[DeviceLink],
    ) -> Result<LinkReceipt, StoreError> {
        self.store.link_devices(integration, links).await
    }

    async fn freshness(
        &self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<IntegrationFreshness>, StoreError> {
        self.store.freshness(now).await
    }

    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), StoreError> {
        self.store.set_sync_enabled(id, sync_enabled).await
    }

    async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<DeviceRow>, StoreError> {
        self.store.devices(filter).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
