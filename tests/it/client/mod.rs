//! The HTTP client against real sockets: every promise of `src/client/`, seen from the carrier's end.

mod body;
mod deadline;
mod downloads;
mod egress;
mod identity;
mod rebinding;
mod redirect;
mod retry;
mod secrets;
mod status;
mod throttle;
mod token;
mod token_carrier;
mod token_secrets;
mod traffic;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use carrier_sync::budget::CallBudget;
use carrier_sync::carriers::{Bulk, DeviceRecord, Page, PageSizes};
use carrier_sync::client::{
    AllowedHosts, CallError, CallMeter, CarrierLimits, Limits, RateLimit, Tier, Tokens, Transport,
    TransportConfig, traffic::Uncounted,
};
use carrier_sync::clock::Clock;
use carrier_sync::device::{CarrierDeviceId, IntegrationId, TenantId};
use carrier_sync::integration::IntegrationRow;
use carrier_sync::secrets::Opener;
use carrier_sync::sync::{CarrierSettings, JobBuilder, Misconfigured, SyncJob, SyncPolicy};
use carrier_sync::tenure::Tenure;
use chrono::{DateTime, TimeZone, Utc};
use tokio::time::timeout;

/// What no output may ever hold.
pub const KEY: &str = "canary-4f9a0c77";

/// Every call of these tests ends well before.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// A clock that stands still, so that a `Retry-After` date means an exact wait.
#[derive(Debug, Clone, Copy)]
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
    }
}

/// Settings of a client; the default is quick and forgiving of loopback.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub allow_private_hosts: bool,
    pub max_attempts: u32,
    pub timeout: Duration,
    pub max_body_bytes: usize,
    pub throttle_pause: Duration,
    pub max_concurrency: usize,
    pub requests_per_second: f64,
    pub windows: &'static [&'static str],
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            allow_private_hosts: true,
            max_attempts: 3,
            timeout: Duration::from_secs(20),
            max_body_bytes: 1 << 20,
            throttle_pause: Duration::from_millis(1_500),
            max_concurrency: 4,
            requests_per_second: 1e6,
            windows: &[],
        }
    }
}

impl Setup {
    /// One attempt, so that the first failure is the answer.
    pub fn once() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// The process's half of a client: accounts built by it share connections and limits.
    pub fn builder(self) -> JobBuilder {
        let rate = |requests_per_second| RateLimit {
            requests_per_second,
            burst: NonZeroU32::new(1_000_000).unwrap(),
        };
        let settings = CarrierSettings {
            limits: CarrierLimits {
                account: Tier {
                    rate: RateLimit {
                        burst: NonZeroU32::MIN,
                        ..rate(self.requests_per_second)
                    },
                    windows: self
                        .windows
                        .iter()
                        .map(|window| window.parse().unwrap())
                        .collect(),
                },
                host: rate(1e6).into(),
                classes: BTreeMap::new(),
                host_classes: BTreeMap::new(),
                max_concurrency: self.max_concurrency,
            },
            timeout: self.timeout,
            max_attempts: self.max_attempts,
            pages: PageSizes {
                devices: 10,
                usage: 10,
                max_pages: 5,
            },
            policy: SyncPolicy {
                slice_calls: 0,
                device_info_every: 1,
                max_calls: 100,
                budget: CallBudget::default(),
                max_fallback_calls: 10,
                max_concurrency: self.max_concurrency,
                max_batch_rows: 100,
                max_outstanding_batches: 3,
            },
        };
        let transport = Transport::new(TransportConfig {
            connect_timeout: Duration::from_secs(5),
            max_body_bytes: self.max_body_bytes,
            allow_private_hosts: self.allow_private_hosts,
            throttle_pause: self.throttle_pause,
            max_retry_after: Duration::from_secs(3600),
        });
        JobBuilder {
            manifests: carrier_sync::manifests::Manifests::default(),
            transport: transport.unwrap(),
            limits: Limits::default(),
            tokens: Tokens::default(),
            clock: Arc::new(Stopped),
            carriers: BTreeMap::from([("hologram".to_owned(), settings)]).into(),
            opener: Opener::default(),
            allowed_hosts: AllowedHosts::default(),
            traffic: Arc::new(Uncounted),
        }
    }

    /// A client of its own for the account with [`KEY`].
    pub fn account(self, base_url: &str) -> SyncJob {
        account(&self.builder(), base_url, KEY)
    }
}

/// The account that `key` opens.
pub fn account(builder: &JobBuilder, base_url: &str, key: &str) -> SyncJob {
    try_account(builder, base_url, key).unwrap_or_else(|error| panic!("{error}"))
}

pub fn try_account(
    builder: &JobBuilder,
    base_url: &str,
    key: &str,
) -> Result<SyncJob, Misconfigured> {
    builder.build(&hologram_row(base_url, key), Tenure::sole())
}

pub fn hologram_row(base_url: &str, key: &str) -> IntegrationRow {
    IntegrationRow {
        id: IntegrationId::parse("i-1").unwrap(),
        tenant_id: TenantId::parse("t-1").unwrap(),
        carrier_name: "hologram".to_owned(),
        display_name: None,
        enabled: true,
        sync_enabled: true,
        sync_interval_minutes: 60,
        api_key: Some(key.into()),
        api_secret: None,
        api_base_url: Some(base_url.to_owned()),
        account_id: Some("1001".to_owned()),
        config: serde_json::Value::Null,
        last_sync_at: None,
        last_success_at: None,
        last_sync_status: "never".to_owned(),
        last_sync_error: None,
    }
}

/// Makes one call: the first page of the account's listing.
pub async fn call(job: &SyncJob) -> Result<Page<DeviceRecord>, CallError> {
    call_within(job, &CallMeter::new(100)).await
}

/// As [`call`], counted by `meter`.
pub async fn call_within(
    job: &SyncJob,
    meter: &CallMeter,
) -> Result<Page<DeviceRecord>, CallError> {
    let Bulk::Listing(mut walk) = job.carrier.get_bulk_device_info(job.context()) else {
        panic!("an account with an id has a listing");
    };
    // A broken deadline must end the test, not hang it.
    let page = timeout(LONGEST_CALL, job.client.next_page(&mut *walk, meter)).await;
    let page = page.expect("the call comes to an end")?;
    Ok(page.expect("a walk begins with a request"))
}

/// Asks for one device.
pub async fn call_for(job: &SyncJob, device: &str) -> Result<Page<DeviceRecord>, CallError> {
    let device = CarrierDeviceId::parse(device).unwrap();
    let mut walk = job.carrier.get_device_info(job.context(), &device);
    let page = job
        .client
        .next_page(&mut *walk, &CallMeter::new(100))
        .await?;
    Ok(page.expect("a walk begins with a request"))
}
