//! One case: what it asks with, the answers it feeds, and what comes out.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use carrier_sync::{
    carriers::{Bulk, Carrier, DeviceRecord, ReadError, Request, Target, Walk},
    sync::{
        book::UsageBook,
        merge::{Merged, add_detail, merge, sum_parts},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{entries, given::Given};

/// The functions a file can be named after, in the order a sync calls them.
pub(crate) const FUNCTIONS: [&str; 10] = [
    "read_token",
    "probe",
    "get_bulk_usage",
    "get_bulk_device_info",
    "get_device_info",
    "get_detail_0",
    "get_detail_1",
    "get_detail_2",
    "get_detail_3",
    "get_usage",
];

/// The details among them, by their place.
const DETAILS: [&str; 4] = [
    "get_detail_0",
    "get_detail_1",
    "get_detail_2",
    "get_detail_3",
];

/// What came out of a case, in the shape of `expected.json`. Empty parts are left out.
#[derive(Default)]
pub(crate) struct Outcome {
    token: Option<Value>,
    requests: Vec<String>,
    devices: Vec<Value>,
    usage: Option<Value>,
    unreadable: Vec<String>,
    unmapped: Vec<String>,
    notices: Vec<String>,
    errors: BTreeMap<&'static str, String>,
}

impl Outcome {
    pub(crate) fn into_json(self) -> Value {
        let mut json = Map::new();
        json.insert("requests".into(), json!(self.requests));
        let mut add = |name: &str, value: Value, is_empty: bool| {
            if !is_empty {
                json.insert(name.into(), value);
            }
        };
        add("token", json!(self.token), self.token.is_none());
        add("devices", json!(self.devices), self.devices.is_empty());
        add("usage", json!(self.usage), self.usage.is_none());
        add(
            "unreadable",
            json!(self.unreadable),
            self.unreadable.is_empty(),
        );
        add("unmapped", json!(self.unmapped), self.unmapped.is_empty());
        add("notices", json!(self.notices), self.notices.is_empty());
        add("errors", json!(self.errors), self.errors.is_empty());
        Value::Object(json)
    }

    /// Walks to the end, feeding the answers; gives the records and whether all were read.
    fn walk<T>(
        &mut self,
        function: &'static str,
        walk: &mut dyn Walk<T>,
        answers: &mut Answers<'_>,
    ) -> (Vec<T>, bool) {
        let mut records = Vec::new();
        while let Some(request) = walk.request() {
            self.requests.push(text_of(&request));
            let (body, headers) = answers.next(function);
            let answer = answers.given.answer(&body, &headers);
            match walk.read(&answer) {
                Ok(page) => {
                    records.extend(page.records);
                    self.unreadable.extend(page.unreadable);
                    self.unmapped.extend(page.unmapped);
                    self.notices.extend(page.notices);
                }
                Err(error) => {
                    let again = walk.request();
                    assert!(
                        again.is_none_or(|again| again == request),
                        "an error moves no walk on"
                    );
                    self.errors.insert(function, text_of_error(&error));
                    return (records, false);
                }
            }
        }
        (records, true)
    }
}

fn text_of_error(error: &ReadError) -> String {
    let kind = match error {
        ReadError::Malformed(_) => "malformed",
        ReadError::Rejected(_) => "rejected",
        ReadError::Throttled(_) => "throttled",
    };
    format!("{kind}: {error}")
}

/// Method, path, query and body as a reader of the case expects them; the client does the percent-encoding.
fn text_of(request: &Request) -> String {
    let mut text = match &request.to {
        Target::Below(path) => path.join("/"),
        Target::Download(url) => format!("download {}", url.0),
    };
    for (place, (name, value)) in request.query.iter().enumerate() {
        let separator = if place == 0 { '?' } else { '&' };
        text.push_str(&format!("{separator}{name}={value}"));
    }
    match &request.body {
        Some(body) => format!("POST {text} {body}"),
        None => text,
    }
}

pub(crate) fn run(carrier: &dyn Carrier, case: &Path) -> Outcome {
    let given = Given::of(case);
    let account = given.account();
    let context = given.context(&account);
    let mut answers = Answers::of(case, &given);
    let mut out = Outcome::default();
    let mut book = UsageBook::default();
    let mut devices: Vec<DeviceRecord> = Vec::new();
    if answers.has("read_token") {
        let (body, headers) = answers.next("read_token");
        match carrier.read_token(&given.answer(&body, &headers)) {
            Ok(token) => out.token = Some(token_json(&token)),
            Err(error) => drop(out.errors.insert("read_token", text_of_error(&error))),
        }
    }
    if answers.has("probe") {
        let mut walk = carrier.probe(context);
        devices.extend(out.walk("probe", &mut *walk, &mut answers).0);
    }
    if answers.has("get_bulk_usage") {
        let mut report = carrier.get_bulk_usage(context).expect("a usage report");
        book = UsageBook::of(report.scope);
        let (rows, is_read) = out.walk("get_bulk_usage", &mut *report.walk, &mut answers);
        book.extend(rows);
        if is_read && out.unreadable.is_empty() {
            book.complete();
        }
    }
    if answers.has("get_bulk_device_info") {
        let mut walk = listing(carrier.get_bulk_device_info(context));
        devices.extend(out.walk("get_bulk_device_info", &mut *walk, &mut answers).0);
    }
    if answers.has("get_device_info") {
        let mut walk = carrier.get_device_info(context, &given.device());
        devices.extend(out.walk("get_device_info", &mut *walk, &mut answers).0);
    }
    for (place, function) in DETAILS.into_iter().enumerate() {
        if answers.has(function) {
            let mut walk = carrier.get_detail(context, place, &given.device());
            for detail in out.walk(function, &mut *walk, &mut answers).0 {
                join(&mut devices, detail);
            }
        }
    }
    if answers.has("get_usage") {
        let (device, line) = (given.device(), given.line());
        let walk = carrier.get_usage(context, (&device, &line), &given.cycle());
        let mut walk = walk.expect("a call for the usage of a line");
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

/// A detail of a device that is there, or all that is known of one.
fn join(devices: &mut Vec<DeviceRecord>, detail: DeviceRecord) {
    match devices
        .iter_mut()
        .find(|known| known.device == detail.device)
    {
        Some(known) => add_detail(known, detail),
        None => devices.push(detail),
    }
}

/// The token of a file is no secret.
fn token_json(token: &carrier_sync::carriers::Token) -> Value {
    let headers = token.headers.iter();
    let headers: Map<_, _> = headers
        .map(|(name, value)| (name.to_string(), json!(value.expose_secret())))
        .collect();
    let seconds = token.lifetime.map(|lifetime| lifetime.as_secs());
    json!({ "headers": headers, "lifetime_s": seconds, "account": token.account })
}

fn listing<T>(bulk: Bulk<T>) -> Box<dyn Walk<T>> {
    match bulk {
        Bulk::Listing(walk) => walk,
        Bulk::PerDevice => panic!("no listing for this account"),
    }
}

/// `used` is a number, or the text of the gap. Fields that are not known are left out.
fn device_json(record: DeviceRecord, book: &UsageBook) -> Value {
    let (device, also) = (record.device.clone(), record.also.clone());
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
        ("also", json!(also)),
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
struct Answers<'a> {
    files: BTreeMap<&'static str, VecDeque<(u32, PathBuf)>>,
    given: &'a Given,
}

impl<'a> Answers<'a> {
    fn of(case: &Path, given: &'a Given) -> Self {
        let mut answers: BTreeMap<_, VecDeque<(u32, PathBuf)>> = BTreeMap::new();
        let paths = entries(case);
        let stray = stray_headers(&paths);
        assert!(stray.is_empty(), "headers of no answer: {stray:?}");
        for path in paths {
            let name = path.file_name().unwrap().to_str().unwrap();
            if matches!(
                name,
                "expected.json" | "account.json" | "openapi.txt" | "manifest.toml"
            ) || name.ends_with(".headers")
            {
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
        Self {
            files: answers,
            given,
        }
    }

    fn has(&self, function: &str) -> bool {
        self.files.contains_key(function)
    }

    fn next(&mut self, function: &str) -> (Vec<u8>, HeaderMap) {
        let (_, path) = self
            .files
            .get_mut(function)
            .and_then(VecDeque::pop_front)
            .unwrap_or_else(|| panic!("{function} asks for more pages than there are files"));
        let headers = fs::read_to_string(path.with_extension("headers")).unwrap_or_default();
        (fs::read(path).unwrap(), headers_of(&headers))
    }

    fn assert_consumed(&self) {
        let left: Vec<_> = self.files.values().flatten().collect();
        assert!(left.is_empty(), "answers that nobody asked for: {left:?}");
    }
}

/// Files of headers beside which there is no answer of that name.
pub(crate) fn stray_headers(paths: &[PathBuf]) -> Vec<&PathBuf> {
    let is_headers = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "headers");
    let is_answer = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(parse_name).is_some()
    };
    let is_answered = |headers: &PathBuf| {
        let mut answers = paths.iter().filter(|path| is_answer(path));
        answers.any(|path| path.with_extension("headers") == *headers)
    };
    let all = paths.iter().filter(|path| is_headers(path));
    all.filter(|headers| !is_answered(headers)).collect()
}

/// `Name: value`, a line each.
pub(crate) fn headers_of(text: &str) -> HeaderMap {
    let line = |line: &str| {
        let (name, value) = line.split_once(':').expect("Name: value");
        let name: HeaderName = name.trim().parse().unwrap();
        (name, HeaderValue::from_str(value.trim()).unwrap())
    };
    text.lines().map(line).collect()
}

/// `get_usage.2.json` → (`get_usage`, 2); without a number it is the first.
pub(crate) fn parse_name(name: &str) -> Option<(&'static str, u32)> {
    let (stem, ending) = name.rsplit_once('.')?;
    if !matches!(ending, "json" | "html" | "txt" | "csv") {
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
