//! What is kept of a sync: how it ended, in its integration's row, and the run that it was, in a history of a
//! bounded length. Knows no SQL.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::device::{DeviceId, IntegrationId, TenantId};
use crate::integration::Outcome;
use crate::tenure::Epoch;

/// A device that was not brought up to date, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceFailure {
    /// The device.
    pub device_id: DeviceId,
    /// In words for an operator; holds no secret.
    pub reason: String,
}

/// The failing devices as a column holds them, in JSON. A NUL, which a carrier's words may hold, is in no JSON of
/// Postgres'.
#[must_use]
pub fn failures_to_json(failures: &[DeviceFailure]) -> String {
    let failure = |failure: &DeviceFailure| {
        let reason = failure.reason.replace('\0', "\u{FFFD}");
        serde_json::json!({ "device_id": failure.device_id.as_str(), "reason": reason })
    };
    serde_json::Value::from_iter(failures.iter().map(failure)).to_string()
}

/// The failing devices of a column; what cannot be read of it is left out.
#[must_use]
pub fn failures_from_json(text: &str) -> Vec<DeviceFailure> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let failure = |row: &serde_json::Value| {
        Some(DeviceFailure {
            device_id: DeviceId::parse(row.get("device_id")?.as_str()?).ok()?,
            reason: row.get("reason")?.as_str()?.to_owned(),
        })
    };
    rows.iter().filter_map(failure).collect()
}

/// The figures of a sync that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFigures {
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub elapsed: Duration,
    /// Linked devices.
    pub devices: usize,
    /// Devices whose row is committed with their usage known.
    pub synced: usize,
    /// Calls to the carrier, retries and purchases of tokens included.
    pub carrier_calls: u64,
    /// Time spent waiting for permits, of all calls together.
    pub throttled: Duration,
    /// The first failing devices.
    pub failures: Vec<DeviceFailure>,
}

impl RunFigures {
    /// When it ended.
    #[must_use]
    pub fn finished_at(&self) -> DateTime<Utc> {
        chrono::TimeDelta::from_std(self.elapsed)
            .ok()
            .and_then(|elapsed| self.started_at.checked_add_signed(elapsed))
            .unwrap_or(self.started_at)
    }

    /// Devices that were not brought up to date.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.devices.saturating_sub(self.synced)
    }

    /// Milliseconds spent waiting for permits.
    #[must_use]
    pub fn throttled_ms(&self) -> u64 {
        u64::try_from(self.throttled.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is stored about a sync once its rows are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRecord {
    /// The integration's owner; the transaction is confined to it.
    pub tenant_id: TenantId,
    /// Which integration.
    pub integration_id: IntegrationId,
    /// The lease it was synced under; with another one stored nothing is recorded.
    pub epoch: Option<Epoch>,
    /// Its figures, whose start becomes `last_sync_at`; `None`: it did not run, and is due at once.
    pub run: Option<RunFigures>,
    /// How it ended; `Success` also moves `last_success_at`.
    pub outcome: Outcome,
    /// Why, when it was not a success; without secrets.
    pub error: Option<String>,
}

impl SyncRecord {
    /// When the sync was started, if it was.
    #[must_use]
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        self.run.as_ref().map(|run| run.started_at)
    }
}

/// A run as it is stored and listed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RunRow {
    /// The integration.
    pub integration_id: IntegrationId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When its rows were committed.
    pub finished_at: DateTime<Utc>,
    /// `success`, `partial` or `error`.
    pub outcome: Outcome,
    /// Linked devices.
    pub devices: u64,
    /// Devices that were brought up to date.
    pub synced: u64,
    /// Devices that were not.
    pub failed: u64,
    /// Calls to the carrier, retries and purchases of tokens included.
    pub carrier_calls: u64,
    /// Milliseconds spent waiting for permits, of all calls together.
    pub throttled_ms: u64,
    /// Why it was not a success; without secrets.
    pub error: Option<String>,
    /// The first failing devices.
    pub failures: Vec<DeviceFailure>,
}

/// Which runs to list, the latest first.
#[derive(Debug, Clone)]
pub struct RunFilter {
    /// Only this tenant's.
    pub tenant_id: Option<TenantId>,
    /// Only this integration's.
    pub integration_id: Option<IntegrationId>,
    /// Only those that come after this one in the list.
    pub after: Option<RunKey>,
    /// At most this many.
    pub limit: u32,
}

/// What tells one run from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// The owner of its integration.
    pub tenant_id: TenantId,
    /// Its integration.
    pub integration_id: IntegrationId,
}

/// How much of the history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// No run that was started longer ago.
    pub keep: Duration,
    /// No more runs of one integration.
    pub per_integration: u32,
}

impl RunRow {
    /// Where the list goes on after it.
    #[must_use]
    pub fn key(&self) -> RunKey {
        RunKey {
            started_at: self.started_at,
            tenant_id: self.tenant_id.clone(),
            integration_id: self.integration_id.clone(),
        }
    }
}

impl Retention {
    /// Everything.
    pub const ALL: Self = Self {
        keep: Duration::MAX,
        per_integration: u32::MAX,
    };

    /// Runs that were started before are forgotten; `None`: none is that old.
    #[must_use]
    pub fn oldest_kept(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(chrono::TimeDelta::from_std(self.keep).ok()?)
    }
}
