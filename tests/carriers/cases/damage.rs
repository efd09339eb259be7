//! Answers of random bytes, and good answers damaged: whatever a carrier sends, we come back.

use std::{fs, path::PathBuf, sync::LazyLock};

use carrier_sync::{
    carriers::{Answer, Bulk, Carrier, Walk, registry::carriers},
    sync::{
        book::UsageBook,
        merge::{merge, sum_parts},
    },
};
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    case::{headers_of, parse_name},
    cases, dialect, entries,
    given::Given,
};

/// Answers that a walk is fed before it is left: what it has kept of one is joined to the next.
const ANSWERS_OF_A_WALK: usize = 4;

/// An answer of a case, and whom it is fed to.
struct Told {
    carrier: &'static dyn Carrier,
    given: Given,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Every answer of every case with the carrier that the case is about: a custom one is its own manifest's.
static ANSWERS: LazyLock<Vec<Told>> = LazyLock::new(|| {
    let all = carriers().iter();
    let all = all.flat_map(|carrier| cases(*carrier).into_iter().map(|case| (*carrier, case)));
    let read = |(carrier, case): (&'static dyn Carrier, PathBuf)| {
        let files = entries(&case).into_iter();
        let files =
            files.filter(|path| parse_name(path.file_name().unwrap().to_str().unwrap()).is_some());
        let told = |path: PathBuf| Told {
            carrier: dialect(carrier, &case),
            given: Given::of(&case),
            headers: headers_of(
                &fs::read_to_string(path.with_extension("headers")).unwrap_or_default(),
            ),
            body: fs::read(path).unwrap(),
        };
        files.map(told).collect::<Vec<_>>()
    };
    all.flat_map(read).collect()
});

/// Values that have no business where they are put.
fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{}]])),
        Just(json!(true)),
        Just(json!("\u{0}\u{1f4f6} 0000-00-00 00:00:00")),
        Just(json!("-262143-01-01T00:00:00Z")),
        Just(json!("9999-12-31 23:59:59")),
        Just(json!("0000-01-01 00:00:00")),
        any::<u64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number.to_string())),
        any::<f64>().prop_map(|number| json!(number)),
    ]
}

/// Puts `strange` in place of the value that comes `nth` in reading order.
fn replace(value: &mut Value, nth: &mut usize, strange: &Value) {
    if *nth == 0 {
        *value = strange.clone();
    }
    *nth = nth.wrapping_sub(1);
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace(item, nth, strange)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|item| replace(item, nth, strange)),
        _ => {}
    }
}

/// Feeds a walk these answers in turn, for as long as it asks.
fn feed<T>(walk: &mut dyn Walk<T>, answers: [&Answer<'_>; 2]) -> Vec<T> {
    let mut records = Vec::new();
    for answer in answers.iter().cycle().take(ANSWERS_OF_A_WALK) {
        if walk.request().is_none() {
            break;
        }
        if let Ok(page) = walk.read(answer) {
            records.extend(page.records);
        }
    }
    records
}

/// Any answer to any function, through merge and sum: the only promise is to come back.
fn survive(told: &Told, body: &[u8]) {
    let (carrier, given) = (told.carrier, &told.given);
    let account = given.account();
    let context = given.context(&account);
    let damaged = given.answer(body, &told.headers);
    let answers = [&damaged, &given.answer(&told.body, &told.headers)];
    let _ = carrier.read_token(&damaged);
    let _ = carrier.is_throttling(400, body);
    let _ = carrier.refuses_credentials(400, body);
    let mut book = UsageBook::default();
    if let Some(mut report) = carrier.get_bulk_usage(context) {
        book = UsageBook::of(report.scope);
        book.extend(feed(&mut *report.walk, answers));
        book.complete();
    }
    let mut walks = vec![
        carrier.probe(context),
        carrier.get_device_info(context, &given.device()),
    ];
    if let Bulk::Listing(walk) = carrier.get_bulk_device_info(context) {
        walks.push(walk);
    }
    for detail in 0..carrier.capabilities().details.len() {
        walks.push(carrier.get_detail(context, detail, &given.device()));
    }
    for mut walk in walks {
        for record in feed(&mut *walk, answers) {
            let _ = merge(record, &book);
        }
    }
    let (device, line) = (given.device(), given.line());
    if let Some(mut usage) = carrier.get_usage(context, (&device, &line), &given.cycle()) {
        let _ = sum_parts(&line, feed(&mut *usage, answers));
    }
}

/// A case's answers that nothing has damaged are understood: else the damaged ones would prove nothing.
#[test]
fn every_carrier_understands_answers_that_are_fed_here() {
    for carrier in carriers() {
        let mut answers = ANSWERS.iter();
        let is_read = answers.any(|told| {
            let account = told.given.account();
            let answer = told.given.answer(&told.body, &told.headers);
            let Bulk::Listing(mut walk) = told
                .carrier
                .get_bulk_device_info(told.given.context(&account))
            else {
                return false;
            };
            told.carrier.code() == carrier.code()
                && !feed(&mut *walk, [&answer, &answer]).is_empty()
        });
        assert!(is_read, "{}: no listing is read", carrier.code());
    }
}

proptest! {
    #[test]
    fn no_answer_of_random_bytes_panics(
        which in any::<prop::sample::Index>(),
        body in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        survive(which.get(&ANSWERS), &body);
    }

    #[test]
    fn no_damaged_answer_panics(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<u8>(), 0..12_u8), 1..9),
    ) {
        let told = which.get(&ANSWERS);
        let mut body = told.body.clone();
        for (place, byte, kind) in damage {
            if body.is_empty() {
                break;
            }
            let at = place.index(body.len());
            match kind {
                0..4 => body[at] = byte,
                4..8 => body.insert(at, byte),
                8..11 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        survive(told, &body);
    }

    #[test]
    fn no_value_in_the_wrong_place_panics(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((0..60_usize, strange()), 1..4),
    ) {
        let told = which.get(&ANSWERS);
        if let Ok(mut answer) = serde_json::from_slice::<Value>(&told.body) {
            for (mut nth, value) in changes {
                replace(&mut answer, &mut nth, &value);
            }
            survive(told, answer.to_string().as_bytes());
        }
    }
}
