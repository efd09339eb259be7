//! Every carrier's `testdata/<case>/` through its real walks and the real merge.
//!
//! A case is a folder; a new case is a new folder and no code:
//!
//! | file | holds |
//! |---|---|
//! | `get_bulk_usage.1.json`, `.2.json` … | the answers to that function's requests, in order |
//! | `get_bulk_device_info.1.json` …, `get_device_info.json`, `get_usage.1.json` …, `probe.1.json` | likewise |
//! | `account.json` (optional) | what differs from [`Given::default`] |
//! | `expected.json` | what must come out |
//!
//! Functions without files are not called. The ending of an answer says what the carrier sent
//! (`.json`, `.html`, `.txt`). A file that is not understood or not asked for fails the case.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use carrier_sync::{
    carriers::{
        Account, Bulk, Carrier, DeviceRecord, PageSizes, ReadError, Request, Walk,
        registry::carriers,
    },
    device::{BillingCycle, CarrierDeviceId, CycleSource},
    sync::{
        book::UsageBook,
        merge::{Merged, UsageGap, merge, sum_parts},
    },
};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

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
struct Given {
    account_id: Option<String>,
    device: String,
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
            cycle_start: "2025-09-11T17:24:48Z".parse().unwrap(),
            cycle_end: "2025-10-11T17:24:43Z".parse().unwrap(),
            devices_per_page: 1000,
            usage_per_page: 5000,
            max_pages: 100,
        }
    }
}

impl Given {
    fn account(&self) -> Account {
        Account {
            api_key: "a-key".to_owned().into(),
            api_secret: None,
            account_id: self.account_id.clone(),
        }
    }

    fn pages(&self) -> PageSizes {
        PageSizes {
            devices: self.devices_per_page,
            usage: self.usage_per_page,
            max_pages: self.max_pages,
        }
    }

    fn device(&self) -> CarrierDeviceId {
        CarrierDeviceId::parse(&self.device).unwrap()
    }

    fn cycle(&self) -> BillingCycle {
        BillingCycle::new(self.cycle_start, self.cycle_end, CycleSource::Reported).unwrap()
    }
}

/// What came out of a case, in the shape of `expected.json`. Empty parts are left out.
#[derive(Default)]
struct Outcome {
    requests: Vec<String>,
    devices: Vec<Value>,
    usage: Option<Value>,
    unreadable: Vec<String>,
    unmapped: Vec<String>,
    errors: BTreeMap<&'static str, String>,
}

impl Outcome {
    fn into_json(self) -> Value {
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
                    assert!(walk.request().is_none(), "an error ends the walk");
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
fn parse_name(name: &str) -> Option<(&'static str, u32)> {
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

fn run(carrier: &dyn Carrier, case: &Path) -> Outcome {
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
        let mut walk = carrier.get_usage(&account, &given.device(), &given.cycle(), pages);
        let (parts, is_complete) = out.walk("get_usage", &mut *walk, &mut answers);
        out.usage = is_complete.then(|| match sum_parts(parts) {
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
    let Merged { info, usage, cycle } = merge(record, book);
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

fn folder(carrier: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/carriers")
        .join(carrier)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn cases(carrier: &dyn Carrier) -> Vec<PathBuf> {
    let cases = entries(&folder(carrier.code()).join("testdata"));
    assert!(!cases.is_empty(), "{}: testdata is empty", carrier.code());
    cases
}

#[test]
fn every_documented_answer_becomes_what_its_case_says() {
    let mut wrong = Vec::new();
    for carrier in carriers() {
        for case in cases(*carrier) {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(*carrier, &case).into_json()));
            let Ok(actual) = outcome else {
                wrong.push(format!("{}: see above", case.display()));
                continue;
            };
            let expected = fs::read(case.join("expected.json")).unwrap_or_default();
            let expected: Value = serde_json::from_slice(&expected).unwrap_or_default();
            if actual != expected {
                let actual = serde_json::to_string_pretty(&actual).unwrap();
                wrong.push(format!("{}: came out as\n{actual}", case.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_carrier_folder_is_complete_and_registered() {
    let registered: Vec<&str> = carriers().iter().map(|carrier| carrier.code()).collect();
    let root = folder("");
    let folders = entries(&root).into_iter().filter(|path| path.is_dir());
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(
            registered.contains(&name),
            "{name} is not in src/carriers/registry.rs"
        );
        for part in ["mod.rs", "wire.rs", "normalise.rs", "README.md", "testdata"] {
            assert!(folder.join(part).exists(), "{name} lacks {part}");
        }
    }
}

#[test]
fn a_file_name_that_is_no_answer_is_told_apart() {
    assert_eq!(parse_name("get_usage.2.json"), Some(("get_usage", 2)));
    assert_eq!(
        parse_name("get_device_info.json"),
        Some(("get_device_info", 1))
    );
    for wrong in [
        "get_usag.1.json",
        "get_usage.x.json",
        "notes.md",
        "get_usage.1.json~",
        ".json",
    ] {
        assert_eq!(parse_name(wrong), None, "{wrong}");
    }
}

/// Every answer of every case with the carrier it belongs to.
fn bodies() -> Vec<(&'static dyn Carrier, Vec<u8>)> {
    let mut bodies = Vec::new();
    for carrier in carriers() {
        for path in cases(*carrier).iter().flat_map(|case| entries(case)) {
            bodies.push((*carrier, fs::read(path).unwrap()));
        }
    }
    bodies
}

/// Any answer to any function, through merge and sum: the only promise is to come back.
fn survive(carrier: &dyn Carrier, body: &[u8]) {
    let given = Given::default();
    let (account, pages) = (given.account(), given.pages());
    let mut book = UsageBook::default();
    if let Ok(page) = listing(carrier.get_bulk_usage(&account, pages)).read(body) {
        book.extend(page.records);
    }
    let mut walks = vec![
        carrier.probe(&account, pages),
        carrier.get_device_info(&account, &given.device()),
    ];
    if let Bulk::Listing(walk) = carrier.get_bulk_device_info(&account, pages) {
        walks.push(walk);
    }
    for mut walk in walks {
        let records = walk.read(body).map(|page| page.records).unwrap_or_default();
        for record in records {
            let _ = merge(record, &book);
        }
    }
    let mut usage = carrier.get_usage(&account, &given.device(), &given.cycle(), pages);
    let sum: Option<Result<_, UsageGap>> =
        usage.read(body).ok().map(|page| sum_parts(page.records));
    drop(sum);
}

proptest! {
    #[test]
    fn no_answer_of_random_bytes_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        for carrier in carriers() {
            survive(*carrier, &body);
        }
    }

    #[test]
    fn no_damaged_answer_panics(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let bodies = bodies();
        let (carrier, body) = which.get(&bodies);
        let mut body = body.clone();
        for (place, byte, kind) in damage {
            if body.is_empty() {
                break;
            }
            let at = place.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        survive(*carrier, &body);
    }
}
