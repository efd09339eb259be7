//! The fleet's database: one trait, two engines. Postgres for production, SQLite embedded.
//!
//! Knows rows and transactions; knows no carrier, no sync and no actor. Both engines keep the same
//! promises, held by one conformance suite (`tests/it/store/`).
//!
//! Every statement that touches a tenant's rows runs in a transaction confined to that tenant.

mod connect;
pub mod leases;
mod link_rules;
pub mod notices;
mod postgres;
pub mod queue;
mod relink;
pub mod retry;
mod schema;
mod sqlite;
mod write_plan;

use async_trait::async_trait;

use crate::budget::{CallCount, CountState};
use crate::device::{
    BillingCycle, CarrierDeviceId, CycleSource, DeviceId, Freshness, FreshnessCounts,
    IntegrationId, LinkedDevices, StoredCycles, TenantId, UpdateBatch, WriteReceipt,
};
use crate::integration::{IntegrationRow, SecretColumn};
use crate::runs::{RunFilter, RunRow, SyncRecord};

pub use connect::{
    StoreOptions, connect, leases as connect_leases, notices as connect_notices, reader, sole_use,
};
pub use sqlite::SoleUse;

/// A year: beyond it an interval is a typing error.
const MAX_INTERVAL_MINUTES: i64 = 365 * 24 * 60;

/// Why the database did not do it, named by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Cannot be reached, restarting, out of connections, locked, timed out: try again later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// Tables or columns are missing or of another type: run the migration.
    #[error("schema not migrated: {0}")]
    SchemaNotMigrated(String),
    /// A table holds a column of another type than the service needs: a person must decide.
    #[error("{0}")]
    SchemaConflict(String),
    /// The role may do too much or too little: the operator must change it.
    #[error("{0}")]
    Role(String),
    /// The request names something that is not there or is there already.
    #[error("{0}")]
    Invalid(String),
    /// The database refused the statement, or answered what it cannot: a defect.
    #[error("database error: {0}")]
    Rejected(String),
}

/// Another process owns the integration by now: nothing of this batch was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease of the integration has passed to another process")]
pub struct LeaseLost;

/// Why an outcome was not recorded, or calls were not booked, and never will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// The integration was removed.
    #[error("the integration is no longer there")]
    Gone,
    /// Another process owns the integration by now.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
}

/// A device to be linked to an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLink {
    /// Its name in the fleet's database; the row is made where it is missing.
    pub device_id: DeviceId,
    /// Its name at the carrier.
    pub carrier_device_id: CarrierDeviceId,
    /// The SIM's number, where it is known.
    pub sim_iccid: Option<String>,
}

/// What became of a set of links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkReceipt {
    /// Rows made.
    pub created: usize,
    /// Rows that existed and now have this link.
    pub updated: usize,
}

/// Fields of an integration to set; `None` leaves the stored value.
#[derive(Debug, Clone, Default)]
pub struct IntegrationChange {
    /// See [`IntegrationRow`].
    pub display_name: Option<String>,
    /// See [`IntegrationRow`].
    pub enabled: Option<bool>,
    /// See [`IntegrationRow`].
    pub sync_enabled: Option<bool>,
    /// See [`IntegrationRow`].
    pub sync_interval_minutes: Option<i64>,
    /// See [`IntegrationRow`].
    pub api_key: Option<secrecy::SecretString>,
    /// See [`IntegrationRow`].
    pub api_secret: Option<secrecy::SecretString>,
    /// See [`IntegrationRow`]; an empty text removes it.
    pub api_base_url: Option<String>,
    /// See [`IntegrationRow`]; an empty text removes it.
    pub account_id: Option<String>,
    /// See [`IntegrationRow`].
    pub config: Option<serde_json::Value>,
}

/// An integration to be made.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// `None`: the database names it.
    pub id: Option<IntegrationId>,
    /// The owner; the tenant's row is made where it is missing.
    pub tenant_id: TenantId,
    /// A name the registry knows.
    pub carrier_name: String,
    /// Everything else; `None` takes the column's default.
    pub fields: IntegrationChange,
}

/// A device as an operator lists it. `data_used_bytes` is exact; megabytes are for showing.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DeviceRow {
    /// Owner.
    pub tenant_id: TenantId,
    /// Name in the fleet's database.
    pub device_id: DeviceId,
    /// The account it is linked to.
    pub carrier_integration_id: Option<IntegrationId>,
    /// Name at the carrier.
    pub carrier_device_id: Option<String>,
    /// The SIM's number.
    pub sim_iccid: Option<String>,
    /// Word of [`crate::device::SimStatus`], as stored.
    pub sim_status: Option<String>,
    /// Word of [`crate::device::NetworkStatus`], as stored.
    pub network_status: Option<String>,
    /// Bytes used in the cycle.
    pub data_used_bytes: Option<i64>,
    /// Megabytes used in the cycle, two decimals.
    pub data_used_mb: Option<f64>,
    /// When usage was last known.
    pub data_used_updated_at: Option<chrono::DateTime<chrono::Utc>>,
    /// First instant of the cycle.
    pub billing_cycle_start: Option<chrono::DateTime<chrono::Utc>>,
    /// First instant after the cycle.
    pub billing_cycle_end: Option<chrono::DateTime<chrono::Utc>>,
    /// `reported` or `derived`.
    pub billing_cycle_source: Option<String>,
}

/// A secret to be stored in another form: sealed, or sealed with another key.
#[derive(Debug, Clone)]
pub struct SecretReplacement {
    /// The integration's owner; the transaction is confined to it.
    pub tenant_id: TenantId,
    /// Whose secret.
    pub integration_id: IntegrationId,
    /// Which of them.
    pub column: SecretColumn,
    /// The text as it was read.
    pub stored: secrecy::SecretString,
    /// The text to be stored in its place.
    pub replacement: secrecy::SecretString,
}

/// Which devices to list, in pages ordered by tenant and device.
#[derive(Debug, Clone, Default)]
pub struct DeviceFilter {
    /// Only this tenant's.
    pub tenant_id: Option<TenantId>,
    /// Only those linked to this integration, by a name at its carrier: only these does its index hold.
    pub integration_id: Option<IntegrationId>,
    /// Only those that the operator's words are a part of: of the id, the name at the carrier or the ICCID,
    /// whatever the case of their letters.
    pub search: Option<String>,
    /// Only linked ones of this freshness, where fresh is what was read since then.
    pub freshness: Option<(Freshness, chrono::DateTime<chrono::Utc>)>,
    /// Only those after this one.
    pub after: Option<(TenantId, DeviceId)>,
    /// At most this many; must be above zero.
    pub limit: u32,
}

/// A row that cannot be understood as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its id, where at least that can be read.
    pub id: Option<String>,
    /// What is wrong with it; holds no secret.
    pub reason: String,
}

impl UnreadableRow {
    fn tell_all(rows: &[Self]) {
        for Self { id, reason } in rows {
            tracing::warn!(
                integration.id = id,
                reason,
                "integration row left out: unreadable"
            );
        }
    }
}

/// How fresh the devices of an integration are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationFreshness {
    /// Which.
    pub integration_id: IntegrationId,
    /// Its linked devices.
    pub devices: FreshnessCounts,
}

/// The fleet's database.
///
/// The first group is what the service needs; the second is administration, which on Postgres needs
/// more rights than the service's role has.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// `postgres` or `sqlite`.
    fn engine(&self) -> &'static str;

    /// Whether tables and columns are as the service needs them, and the role is bound by row-level
    /// security (`allow_privileged_role`: any role will do).
    async fn check(&self, allow_privileged_role: bool) -> Result<(), StoreError>;

    /// Every integration of every tenant, ordered by id, whatever its state.
    /// One that cannot be understood is left out, with a warning: it must not cost the others.
    async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError>;

    /// The same for whoever tells people of them: those left out are answered and not logged.
    async fn all_integrations(
        &self,
    ) -> Result<(Vec<IntegrationRow>, Vec<UnreadableRow>), StoreError> {
        Ok((self.integrations().await?, Vec::new()))
    }

    /// The integration's devices (`carrier_device_id IS NOT NULL`), those whose usage is oldest first,
    /// never-read ones before all.
    async fn linked_devices(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<LinkedDevices, StoreError>;

    /// The billing cycles of the integration's devices as they are stored, where both bounds are.
    async fn stored_cycles(
        &self,
        tenant: &TenantId,
        integration: &IntegrationId,
    ) -> Result<StoredCycles, StoreError>;

    /// Writes the batches in one transaction and answers after its commit, one answer per batch, in
    /// their order. A row that breaks a constraint, or is gone or linked elsewhere, is left out and
    /// told; a batch of a former owner is left out whole.
    ///
    /// # Errors
    /// Nothing was written; the same batches can be written again.
    async fn write(
        &self,
        batches: &[UpdateBatch],
    ) -> Result<Vec<Result<WriteReceipt, LeaseLost>>, StoreError>;

    /// Records how syncs ended, with the runs that they were, in one transaction, forgets runs that are no longer
    /// kept ([`StoreOptions::runs`]), and answers after its commit, one answer per
    /// record, in their order.
    ///
    /// # Errors
    /// Nothing was recorded; the same records can be recorded again.
    async fn record(
        &self,
        records: &[SyncRecord],
    ) -> Result<Vec<Result<(), NotRecorded>>, StoreError>;

    /// A page of the history of syncs, the latest first.
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError>;

    /// Changes counts of calls, in one transaction, and answers after its commit, one answer per change,
    /// in their order. Forgets days that no budget looks at any more.
    ///
    /// # Errors
    /// Nothing was changed; the same changes can be made again.
    async fn count_calls(
        &self,
        counts: &[CallCount],
    ) -> Result<Vec<Result<CountState, NotRecorded>>, StoreError>;

    /// Lets an integration sync on its timer, or not; `Invalid` when there is none of this id.
    async fn set_sync_enabled(
        &self,
        id: &IntegrationId,
        sync_enabled: bool,
    ) -> Result<(), StoreError>;

    /// Tells every process that listens to notices to sync this integration now, if it has it. `false` where
    /// none can hear it (SQLite: there is one process; a pooler); nobody answers either way.
    async fn ask_to_sync(&self, _: &IntegrationId) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Creates what is missing, adopts what is there, and (Postgres) grants `service_role` what the
    /// service needs. Nothing is changed when a present column has another type.
    async fn migrate(&self, service_role: Option<&str>) -> Result<(), StoreError>;

    /// Adds an integration and names it.
    async fn add_integration(&self, new: &NewIntegration) -> Result<IntegrationId, StoreError>;

    /// Changes an integration; `Invalid` when there is none of this id.
    async fn set_integration(
        &self,
        id: &IntegrationId,
        change: &IntegrationChange,
    ) -> Result<(), StoreError>;

    /// Stores a secret in another form, but only where the stored text is still the one that was read:
    /// what someone else has set meanwhile stays. Answers whether it did.
    async fn replace_secret(&self, change: &SecretReplacement) -> Result<bool, StoreError>;

    /// Sees that texts which were replaced no longer lie in the database's own files. `false` where
    /// the engine leaves that to its administrator (Postgres: `VACUUM FULL`, the WAL, backups).
    async fn erase_traces(&self) -> Result<bool, StoreError>;

    /// Removes an integration; its devices stay, unlinked. Answers how many were.
    async fn remove_integration(&self, id: &IntegrationId) -> Result<u64, StoreError>;

    /// Links devices to an integration, all or none. `Invalid` when a `carrier_device_id` already
    /// belongs to another device of the integration, or a device to another integration.
    async fn link_devices(
        &self,
        integration: &IntegrationId,
        links: &[DeviceLink],
    ) -> Result<LinkReceipt, StoreError>;

    /// How fresh at `now` the linked devices of each integration are ([`crate::device::freshness`]); an
    /// integration without linked devices is not among them. Reads every device.
    async fn freshness(
        &self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<IntegrationFreshness>, StoreError>;

    /// A page of devices. One that cannot be understood is left out, with a warning, and made up for: a page with
    /// less on it than the filter's limit is the last.
    async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<DeviceRow>, StoreError>;

    /// Closes every connection; later calls fail with `Unavailable`.
    async fn close(&self);
}

impl IntegrationChange {
    /// Refuses what no engine may store, in the same words for both.
    fn validate(&self) -> Result<(), StoreError> {
        match self.sync_interval_minutes {
            Some(minutes) if !(1..=MAX_INTERVAL_MINUTES).contains(&minutes) => {
                Err(StoreError::Invalid(format!(
                    "sync interval of {minutes} minutes: 1 to {MAX_INTERVAL_MINUTES} are allowed"
                )))
            }
            _ => Ok(()),
        }
    }
}

impl DeviceFilter {
    fn after_text(&self) -> Option<(String, String)> {
        let (tenant, device) = self.after.as_ref()?;
        Some((tenant.to_string(), device.to_string()))
    }

    fn validate(&self) -> Result<(), StoreError> {
        match self.limit {
            0 => Err(StoreError::Invalid(
                "a page of 0 devices: 1 or more are allowed".into(),
            )),
            _ => Ok(()),
        }
    }
}

/// The `config` of an integration. A text that is no JSON, or nested too deep to be read, is kept as a
/// JSON string: the row stays, and is refused as "not an object" where it is used.
fn config_from_column(text: Option<String>) -> serde_json::Value {
    text.map_or(serde_json::Value::Null, |text| {
        serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
    })
}

fn unknown_integration(id: &IntegrationId) -> StoreError {
    StoreError::Invalid(format!("there is no integration {id}"))
}

/// A cycle as its columns have it; bounds that are none leave the device without one.
fn push_cycle(
    cycles: &mut StoredCycles,
    carrier_device_id: &str,
    (start, end): (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>),
    source: Option<&str>,
) {
    let source = match source {
        Some("reported") => CycleSource::Reported,
        _ => CycleSource::Derived,
    };
    if let Some(cycle) = BillingCycle::new(start, end, source) {
        cycles.insert(carrier_device_id, cycle);
    }
}

/// A row whose own name is not one is left out with a warning: it must not cost the others.
fn push_linked(
    devices: &mut LinkedDevices,
    tenant: &TenantId,
    names: (&str, &str),
    was_read: bool,
) {
    if let Err(error) = devices.push(names.0, names.1) {
        tracing::warn!(tenant.id = %tenant, %error, "device row left out");
    }
    if !was_read {
        devices.none_was_read_yet();
    }
}
