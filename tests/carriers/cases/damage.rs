//! Answers of random bytes, and good answers damaged: whatever a carrier sends, we come back.

use std::{fs, sync::LazyLock};

use carrier_sync::{
    carriers::{Answer, Bulk, Carrier, registry::carriers},
    sync::{
        book::UsageBook,
        merge::{merge, sum_parts},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{cases, entries, given::Given};

/// Every answer of every case with the carrier it belongs to.
static ANSWERS: LazyLock<Vec<(&'static dyn Carrier, Vec<u8>)>> = LazyLock::new(|| {
    let read = |carrier: &&'static dyn Carrier| {
        let files = cases(*carrier).into_iter().flat_map(|case| entries(&case));
        files
            .map(|path| (*carrier, fs::read(path).unwrap()))
            .collect::<Vec<_>>()
    };
    carriers().iter().flat_map(read).collect()
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

/// Any answer to any function, through merge and sum: the only promise is to come back.
fn survive(carrier: &dyn Carrier, body: &[u8]) {
    let given = Given::default();
    let account = given.account();
    let context = given.context(&account);
    let answer = Answer::of(body, given.now());
    let _ = carrier.read_token(&answer);
    let _ = carrier.is_throttling(400, body);
    let _ = carrier.refuses_credentials(400, body);
    let mut book = UsageBook::default();
    if let Some(mut report) = carrier.get_bulk_usage(context) {
        book = UsageBook::of(report.scope);
        let page = report.walk.read(&answer);
        book.extend(page.map(|page| page.records).unwrap_or_default());
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
        let page = walk.read(&answer);
        for record in page.map(|page| page.records).unwrap_or_default() {
            let _ = merge(record, &book);
        }
    }
    let (device, line) = (given.device(), given.line());
    if let Some(mut usage) = carrier.get_usage(context, (&device, &line), &given.cycle()) {
        let page = usage.read(&answer);
        let _ = sum_parts(&line, page.map(|page| page.records).unwrap_or_default());
    }
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
            (any::<prop::sample::Index>(), any::<u8>(), 0..12_u8), 1..9),
    ) {
        let (carrier, body) = which.get(&ANSWERS);
        let mut body = body.clone();
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
        survive(*carrier, &body);
    }

    #[test]
    fn no_value_in_the_wrong_place_panics(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((0..60_usize, strange()), 1..4),
    ) {
        let (carrier, body) = which.get(&ANSWERS);
        if let Ok(mut answer) = serde_json::from_slice::<Value>(body) {
            for (mut nth, value) in changes {
                replace(&mut answer, &mut nth, &value);
            }
            survive(*carrier, answer.to_string().as_bytes());
        }
    }
}
