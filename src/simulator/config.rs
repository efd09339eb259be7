//! What a simulator is made of. Every field has a default that makes a useful carrier.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    fault::Fault,
    fleet::{MAX_ACCOUNTS, most_devices},
};

/// How an organisation pays, which decides its billing cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Billing {
    /// 30 days from the moment a SIM was claimed: a cycle per SIM.
    #[default]
    Prepaid,
    /// The calendar month, the same for all.
    Invoiced,
}

/// One organisation and the key that opens it. Several organisations may share a key, as they do
/// where one user belongs to several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedAccount {
    /// The carrier's organisation id.
    pub org_id: u64,
    /// Password of HTTP Basic; the user name is always `apikey`.
    pub api_key: String,
    /// Size of the fleet.
    pub devices: u64,
    /// Decides the billing cycles.
    pub billing: Billing,
}

impl SimulatedAccount {
    /// The `number`-th account (from 1) of a demo, prepaid: organisation 1000 + number.
    #[must_use]
    pub fn numbered(number: u64, devices: u64) -> Self {
        let org_id = 1_000 + number;
        let api_key = format!("simulated-key-{org_id}");
        Self {
            org_id,
            api_key,
            devices,
            billing: Billing::Prepaid,
        }
    }
}

/// How long an answer takes: `fixed` plus an evenly spread part of `jitter`, drawn from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// The least an answer takes.
    pub fixed: Duration,
    /// What may come on top.
    pub jitter: Duration,
}

/// Settings of a [`Simulator`](super::Simulator).
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Decides every property of every device.
    pub seed: u64,
    /// The organisations.
    pub accounts: Vec<SimulatedAccount>,
    /// The carrier's calendar stands still at this instant, so that cycles and sessions do not
    /// move while they are compared. `None`: the moment the simulator starts.
    pub now: Option<DateTime<Utc>>,
    /// Steady rate allowed per API key; `None`: no limit.
    pub requests_per_second: Option<f64>,
    /// Calls a rested key may make at once. A client that keeps exactly the same bucket can still
    /// be refused, because calls arrive later than they were sent and not equally late: to prove
    /// that a client keeps its rate, allow one or two more here.
    pub burst: u32,
    /// Seconds announced as `Retry-After` with a 429; `None`: no such header, as documented.
    pub retry_after_seconds: Option<u64>,
    /// Time an answer takes.
    pub latency: Latency,
    /// Most rows of a `/devices` page; a larger `limit` is cut to it.
    pub max_device_page: usize,
    /// Share of devices that have two or three links.
    pub multi_link_percent: f64,
    /// Share of links with more than 100 sessions in each period: more than a default page.
    pub long_session_list_percent: f64,
    /// Bytes that every `LIVE` link uses per second of real time since the start; 0: none, so that
    /// the truth stands still.
    pub growth_bytes_per_second: u64,
    /// Faults in force from the start.
    pub faults: Vec<Fault>,
    /// Threads that answer.
    pub workers: usize,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: vec![SimulatedAccount::numbered(1, 1_000)],
            now: None,
            requests_per_second: None,
            burst: 5,
            retry_after_seconds: Some(5),
            latency: Latency::default(),
            max_device_page: 1_000,
            multi_link_percent: 5.0,
            long_session_list_percent: 5.0,
            growth_bytes_per_second: 0,
            faults: Vec::new(),
            workers: 1,
        }
    }
}

/// A setting that makes no carrier: which one, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidConfig(pub String);

impl SimulatorConfig {
    /// Refuses what cannot be simulated.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the setting, the value and what is allowed.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let wrong = |text: String| Err(InvalidConfig(text));
        if self.accounts.len() as u64 > MAX_ACCOUNTS {
            return wrong(format!(
                "{} accounts; at most {MAX_ACCOUNTS}",
                self.accounts.len()
            ));
        }
        let most_devices = most_devices(self.accounts.len());
        let mut organisations = HashSet::new();
        for account in &self.accounts {
            if account.devices > most_devices {
                return wrong(format!(
                    "{} devices; at most {most_devices}",
                    account.devices
                ));
            }
            if !organisations.insert(account.org_id) {
                return wrong(format!("organisation {} is there twice", account.org_id));
            }
        }
        if let Some(rate) = self.requests_per_second
            && !(rate.is_finite() && rate > 0.0)
        {
            return wrong(format!("{rate} requests per second; must be above 0"));
        }
        if self.burst == 0 || self.max_device_page == 0 || self.workers == 0 {
            return wrong("burst, page size and workers must be at least 1".to_owned());
        }
        for percent in [self.multi_link_percent, self.long_session_list_percent] {
            if !(0.0..=100.0).contains(&percent) {
                return wrong(format!("{percent} percent; must be from 0 to 100"));
            }
        }
        for fault in &self.faults {
            fault.validate().map_err(InvalidConfig)?;
        }
        Ok(())
    }
}
