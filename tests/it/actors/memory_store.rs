//! A store in memory: for tests whose time is paused, where a real database's threads would be
//! outrun. It holds integrations without devices and remembers how syncs ended.

use std::sync::Mutex;
use std::time::Duration;

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
use tokio::time::Instant;

#[derive(Debug, Default)]
pub struct MemoryStore {
    pub rows: Mutex<Vec<IntegrationRow>>,
    /// When each sync began.
    pub began: Mutex<Vec<(IntegrationId, Instant)>>,
    /// How long reading an integration's devices takes, which is all that its sync does.
    pub reading_takes: Duration,
    /// Syncs that read now, and the most there ever were.
    pub reading: Mutex<(usize, usize)>,
    /// When each look at the integrations began.
    pub looks: Mutex<Vec<Instant>>,
    /// How long the answer to a look is on its way; it holds what was there before.
    pub looking_takes: Duration,
}

/// An account without devices, due at once.
pub fn row(id: &str) -> IntegrationRow {
    IntegrationRow {
        id: IntegrationId::parse(id).unwrap(),
        tenant_id: TenantId::parse("acme").unwrap(),
        carrier_name: "hologram".to_owned(),
        display_name: None,
        enabled: true,
        sync_enabled: true,
        sync_interval_minutes: 60,
        api_key: Some("key".into()),
        api_secret: None,
        api_base_url: None,
        account_id: None,
        config: serde_json::Value::Null,
        last_sync_at: None,
        last_success_at: None,
        last_sync_status: "never".to_owned(),
        last_sync_error: None,
    }
}

impl MemoryStore {
    pub fn of(rows: impl IntoIterator<Item = IntegrationRow>) -> Self {
        Self {
            rows: Mutex::new(rows.into_iter().collect()),
            ..Self::default()
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn engine(&self) -> &'static str {
        "memory"
    }

    async fn check(&self, _: bool) -> Result<(), StoreError> {
        Ok(())
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        self.looks.lock().unwrap().push(Instant::now());
        let rows = self.rows.lock().unwrap().clone();
        if !self.looking_takes.is_zero() {
            tokio::time::sleep(self.looking_takes).await;
        }
        Ok(rows)
    }

    async fn linked_devices(
        &self,
        _: &TenantId,
        integration: &IntegrationId,
    ) -> Result<LinkedDevices, StoreError> {
        let began = (integration.clone(), Instant::now());
        self.began.lock().unwrap().push(began);
        if !self.reading_takes.is_zero() {
            {
                let (now, most) = &mut *self.reading.lock().unwrap();
                *now += 1;
                *most = (*most).max(*now);
            }
            tokio::time::sleep(self.reading_takes).await;
            self.reading.lock().unwrap().0 -= 1;
        }
        Ok(LinkedDevices::default())
    }

    async fn stored_cycles(
        &self,
        _: &TenantId,
        _: &IntegrationId,
    ) -> Result<StoredCycles, StoreError> {
        Ok(StoredCycles::default())
    }

    async fn write(
        &self,
        batches: &[UpdateBatch],
    ) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError> {
        Ok(batches
            .iter()
            .map(|_| Ok(WriteReceipt::default()))
            .collect())
    }

    async fn record(
        &self,
        records: &[SyncRecord],
    ) -> Result<Vec<Result<(), NotRecorded>>, StoreError> {
        Ok(records.iter().map(|_| Ok(())).collect())
    }

    async fn runs(&self, _: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn count_calls(
        &self,
        counts: &[CallCount],
    ) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError> {
        Ok(counts.iter().map(|_| Ok(CountState::default())).collect())
    }

    async fn migrate(&self, _: Option<&str>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn add_integration(&self, _: &NewIntegration) -> Result<IntegrationId, StoreError> {
        unimplemented!("not needed")
    }

    async fn set_integration(
        &self,
        _: &IntegrationId,
        _: &IntegrationChange,
    ) -> Result<(), StoreError> {
        unimplemented!("not needed")
    }

    async fn replace_secret(&self, _: &SecretReplacement) -> Result<bool, StoreError> {
        unimplemented!("not needed")
    }

    async fn erase_traces(&self) -> Result<bool, StoreError> {
        unimplemented!("not needed")
    }

    async fn remove_integration(&self, _: &IntegrationId) -> Result<u64, StoreError> {
        unimplemented!("not needed")
    }

    async fn link_devices(
        &self,
        _: &IntegrationId,
        _: &[DeviceLink],
    ) -> Result<LinkReceipt, StoreError> {
        unimplemented!("not needed")
    }

    async fn freshness(
        &self,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<IntegrationFreshness>, StoreError> {
        unimplemented!("not needed")
    }

    async fn set_sync_enabled(&self, _: &IntegrationId, _: bool) -> Result<(), StoreError> {
        unimplemented!("not needed")
    }

    async fn devices(&self, _: &DeviceFilter) -> Result<Vec<DeviceRow>, StoreError> {
        unimplemented!("not needed")
    }

    async fn close(&self) {}
}
