//! What a case asks with; `account.json` names what differs.

use std::fs;
use std::path::Path;

use carrier_sync::carriers::{Account, Answer, Context, LineId, PageSizes};
use carrier_sync::device::{BillingCycle, CarrierDeviceId, CycleSource};
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Given {
    api_key: String,
    api_secret: Option<String>,
    account_id: Option<String>,
    settings: Map<String, Value>,
    device: String,
    /// A number is a numbered line, a text a named one.
    line: Value,
    /// When the sync began.
    now: DateTime<Utc>,
    /// When every answer was asked for and had come; `now` unless said.
    sent_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
    /// The cycle that `get_usage` is asked for.
    cycle_start: DateTime<Utc>,
    cycle_end: DateTime<Utc>,
    /// Whether that cycle is also the one that most linked devices are in.
    is_common_cycle: bool,
    devices_per_page: u32,
    usage_per_page: u32,
    max_pages: u32,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            api_key: "a-key".into(),
            api_secret: None,
            account_id: Some("1".into()),
            settings: Map::new(),
            device: "1".into(),
            line: 5_608_542.into(),
            now: "2025-10-01T12:00:00Z".parse().unwrap(),
            sent_at: None,
            read_at: None,
            cycle_start: "2025-09-11T17:24:48Z".parse().unwrap(),
            cycle_end: "2025-10-11T17:24:43Z".parse().unwrap(),
            is_common_cycle: false,
            devices_per_page: 1000,
            usage_per_page: 5000,
            max_pages: 100,
        }
    }
}

impl Given {
    /// What a case asks with.
    pub(super) fn of(case: &Path) -> Self {
        match fs::read(case.join("account.json")) {
            Ok(json) => serde_json::from_slice(&json).unwrap(),
            Err(_) => Self::default(),
        }
    }

    pub(super) fn account(&self) -> Account {
        Account {
            api_key: self.api_key.clone().into(),
            api_secret: self.api_secret.clone().map(Into::into),
            account_id: self.account_id.clone(),
            settings: self.settings.clone(),
        }
    }

    pub(super) fn context<'a>(&self, account: &'a Account) -> Context<'a> {
        Context {
            account,
            pages: PageSizes {
                devices: self.devices_per_page,
                usage: self.usage_per_page,
                max_pages: self.max_pages,
            },
            now: self.now,
            common_cycle: self.is_common_cycle.then(|| self.cycle()),
        }
    }

    /// An answer as this case dates it.
    pub(super) fn answer<'a>(&self, body: &'a [u8], headers: &'a HeaderMap) -> Answer<'a> {
        Answer {
            body,
            headers,
            sent_at: self.sent_at.unwrap_or(self.now),
            read_at: self.read_at.unwrap_or(self.now),
        }
    }

    pub(super) fn device(&self) -> CarrierDeviceId {
        CarrierDeviceId::parse(&self.device).unwrap()
    }

    pub(super) fn line(&self) -> LineId {
        match &self.line {
            Value::String(name) => LineId::Text(name.as_str().into()),
            number => LineId::Number(number.as_u64().expect("a whole number")),
        }
    }

    pub(super) fn cycle(&self) -> BillingCycle {
        BillingCycle::new(self.cycle_start, self.cycle_end, CycleSource::Reported).unwrap()
    }
}
