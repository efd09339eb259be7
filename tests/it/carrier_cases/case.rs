//! One case: what it asks with, the answers it feeds, and what comes out.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use carrier_sync::{
    carriers::{Account, Bulk, Carrier, DeviceRecord, LineId, PageSizes, ReadError, Request, Walk},
    device::{BillingCycle, CarrierDeviceId, CycleSource},
    sync::{
        book::UsageBook,
        merge::{Merged, merge, sum_parts},
    },
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::entries;

/// The functions a file can be named after, in the order a sync calls them.
const FUNCTIONS: [&str; 5] = [
    "probe",
    "get_bulk_usage",
    "get_bulk_device_info",
    "get_device_info",
    "get_usage",
];

/// What a case asks with; `account.json` names what differs.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Given {
    account_id: Option<String>,
    device: String,
    line: u64,
    cycle_start: DateTime<Utc>,
    cycle_end: DateTime<Utc>,
    devices_per_page: u32,
    usage_per_page: u32,
    max_pages: u32,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            account_id: Some("1".into()),
            device: "1".into(),
            line: 5_608_542,
            cycle_start: "2025-09-11T17:24:48Z".parse().unwrap(),
            cycle_end: "2025-10-11T17:24:43Z".parse().unwrap(),
            devices_per_page: 1000,
            usage_per_page: 5000,
            max_pages: 100,
        }
    }
}

impl Given {
    pub(super) fn account(&self) -> Account {
        Account {
            api_key: "a-key".to_owned().into(),
            api_secret: None,
            account_id: self.account_id.clone(),
        }
    }

    pub(super) fn pages(&self) -> PageSizes {
        PageSizes {
            devices: self.devices_per_page,
            usage: self.usage_per_page,
            max_pages: self.max_pages,
        }
    }

    pub(super) fn device(&self) -> CarrierDeviceId {
        CarrierDeviceId::parse(&self.device).unwrap()
    }

    pub(super) fn line(&self) -> LineId {
        LineId::Number(self.line)
    }

    pub(super) fn cycle(&self) -> BillingCycle {
        BillingCycle::new(self.cycle_start, self.cycle_end, CycleSource::Reported).unwrap()
    }
}

/// What came out of a case, in the shape of `expected.json`. Empty parts are left out.
#[derive(Default)]
pub(super) struct Outcome {
    requests: Vec<String>,
    devices: Vec<Value>,
    usage: Option<Value>,
    unreadable: Vec<String>,
    unmapped: Vec<String>,
    errors: BTreeMap<&'static str, String>,
}

impl Outcome {
    pub(super) fn into_json(self) -> Value {
        let mut json = Map::new();
        json.insert("requests".into(), json!(self.requests));
        let mut add = |name: &str, value: Value, is_empty: bool| {
            if !is_empty {
                json.insert(name.into(), value);
            }
        };
        add("devices", json!(self.devices), self.devices.is_empty());
        add("usage", json!(self.usage), self.usage.is_none());
        add(
            "unreadable",
            json!(self.unreadable),
            self.unreadable.is_empty(),
        );
        add("unmapped", json!(self.unmapped), self.unmapped.is_empty());
        add("errors", json!(self.errors), self.errors.is_empty());
        Value::Object(json)
    }

    /// Walks to the end, feeding the answers; gives the records and whether all were read.
    fn walk<T>(
        &mut self,
        function: &'static str,
        walk: &mut dyn Walk<T>,
        answers: &mut Answers,
    ) -> (Vec<T>, bool) {
        let mut records = Vec::new();
        while let Some(request) = walk.request() {
            self.requests.push(text_of(&request));
            match walk.read(&answers.next(function)) {
                Ok(page) => {
                    records.extend(page.records);
                    self.unreadable.extend(page.unreadable);
                    self.unmapped.extend(page.unmapped);
                }
                Err(error) => {
                    let again = walk.request();
                    assert!(
                        again.is_none_or(|again| again == request),
                        "an error moves no walk on"
                    );
                    let kind = match &error {
                        ReadError::Malformed(_) => "malformed",
                        ReadError::Rejected(_) => "rejected",
                        ReadError::Throttled(_) => "throttled",
                    };
                    self.errors.insert(function, format!("{kind}: {error}"));
                    return (records, false);
                }
            }
        }
        (records, true)
    }
}

/// Path and query as a reader of the case expects them; the client does the percent-encoding.
fn text_of(request: &Request) -> String {
    let mut text = request.path.join("/");
    for (place, (name, value)) in request.query.iter().enumerate() {
        let separator = if place == 0 { '?' } else { '&' };
        text.push_str(&format!("{separator}{name}={value}"));
    }
    text
}

pub(super) fn run(carrier: &dyn Carrier, case: &Path) -> Outcome {
    let given: Given = match fs::read(case.join("account.json")) {
        Ok(json) => serde_json::from_slice(&json).unwrap(),
        Err(_) => Given::default(),
    };
    let (account, pages) = (given.account(), given.pages());
    let mut answers = Answers::of(case);
    let mut out = Outcome::default();
    let mut book = UsageBook::default();
    let mut devices: Vec<DeviceRecord> = Vec::new();
    if answers.has("probe") {
        let mut walk = carrier.probe(&account, pages);
        devices.extend(out.walk("probe", &mut *walk, &mut answers).0);
    }
    if answers.has("get_bulk_usage") {
        let mut walk = listing(carrier.get_bulk_usage(&account, pages));
        book.extend(out.walk("get_bulk_usage", &mut *walk, &mut answers).0);
    }
    if answers.has("get_bulk_device_info") {
        let mut walk = listing(carrier.get_bulk_device_info(&account, pages));
        devices.extend(out.walk("get_bulk_device_info", &mut *walk, &mut answers).0);
    }
    if answers.has("get_device_info") {
        let mut walk = carrier.get_device_info(&account, &given.device());
        devices.extend(out.walk("get_device_info", &mut *walk, &mut answers).0);
    }
    if answers.has("get_usage") {
        let (device, line) = (given.device(), given.line());
        let mut walk = carrier.get_usage(&account, (&device, &line), &given.cycle(), pages);
        let (parts, is_complete) = out.walk("get_usage", &mut *walk, &mut answers);
        out.usage = is_complete.then(|| match sum_parts(&given.line(), parts) {
            Ok(used) => json!(used.bytes()),
            Err(gap) => json!(gap.to_string()),
        });
    }
    answers.assert_consumed();
    out.devices = devices
        .into_iter()
        .map(|record| device_json(record, &book))
        .collect();
    out
}

fn listing<T>(bulk: Bulk<T>) -> Box<dyn Walk<T>> {
    match bulk {
        Bulk::Listing(walk) => walk,
        Bulk::PerDevice => panic!("no listing for this account"),
    }
}

/// `used` is a number, or the text of the gap. Fields that are not known are left out.
fn device_json(record: DeviceRecord, book: &UsageBook) -> Value {
    let device = record.device.clone();
    let lines: Vec<String> = record
        .lines
        .iter()
        .map(|line| line.line.to_string())
        .collect();
    let Merged {
        info, usage, cycle, ..
    } = merge(record, book);
    let mut json = Map::new();
    json.insert("device".into(), json!(device));
    json.insert("lines".into(), json!(lines));
    let (used, limit) = match usage {
        Ok(usage) => (
            json!(usage.used.bytes()),
            usage.limit.map(|limit| limit.bytes()),
        ),
        Err(gap) => (json!(gap.to_string()), None),
    };
    json.insert("used".into(), used);
    let cycle = cycle.map(
        |cycle| json!({ "start": cycle.start(), "end": cycle.end(), "source": cycle.source() }),
    );
    for (name, value) in [
        ("limit", json!(limit)),
        ("cycle", json!(cycle)),
        ("sim_status", json!(info.sim_status)),
        ("network_status", json!(info.network_status)),
        ("iccid", json!(info.iccid)),
    ] {
        if !value.is_null() {
            json.insert(name.into(), value);
        }
    }
    Value::Object(json)
}

/// The answer files of a case, in the order of their numbers.
struct Answers(BTreeMap<&'static str, VecDeque<(u32, PathBuf)>>);

impl Answers {
    fn of(case: &Path) -> Self {
        let mut answers: BTreeMap<_, VecDeque<(u32, PathBuf)>> = BTreeMap::new();
        for path in entries(case) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if matches!(name, "expected.json" | "account.json") {
                continue;
            }
            let (function, number) = parse_name(name)
                .unwrap_or_else(|| panic!("{}: not the name of an answer", path.display()));
            answers
                .entry(function)
                .or_default()
                .push_back((number, path));
        }
        for (function, files) in &mut answers {
            files.make_contiguous().sort();
            let numbers: Vec<u32> = files.iter().map(|(number, _)| *number).collect();
            let wanted: Vec<u32> = (1..).take(files.len()).collect();
            assert_eq!(numbers, wanted, "{}: pages of {function}", case.display());
        }
        Self(answers)
    }

    fn has(&self, function: &str) -> bool {
        self.0.contains_key(function)
    }

    fn next(&mut self, function: &str) -> Vec<u8> {
        let (_, path) = self
            .0
            .get_mut(function)
            .and_then(VecDeque::pop_front)
            .unwrap_or_else(|| panic!("{function} asks for more pages than there are files"));
        fs::read(path).unwrap()
    }

    fn assert_consumed(&self) {
        let left: Vec<_> = self.0.values().flatten().collect();
        assert!(left.is_empty(), "answers that nobody asked for: {left:?}");
    }
}

/// `get_usage.2.json` → (`get_usage`, 2); without a number it is the first.
pub(super) fn parse_name(name: &str) -> Option<(&'static str, u32)> {
    let (stem, ending) = name.rsplit_once('.')?;
    if !matches!(ending, "json" | "html" | "txt") {
        return None;
    }
    let (function, number) = match stem.split_once('.') {
        Some((function, number)) => (function, number.parse().ok()?),
        None => (stem, 1),
    };
    FUNCTIONS
        .into_iter()
        .find(|known| *known == function)
        .map(|known| (known, number))
}
