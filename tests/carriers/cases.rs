//! Every carrier's `testdata/<case>/` through its real walks and the real merge.
//!
//! A case is a folder; a new case is a new folder and no code:
//!
//! | file | holds |
//! |---|---|
//! | `get_bulk_usage.1.json`, `.2.json` … | the answers to that function's requests, in order |
//! | `get_bulk_device_info.1.json` …, `get_device_info.json`, `get_usage.1.json` …, `probe.1.json` | likewise |
//! | `read_token.json` | the answer of the token endpoint |
//! | `get_detail_0.json`, `get_detail_1.json` … | the answer to the detail at that place of the capabilities |
//! | `get_….1.headers` (optional) | the headers of that answer, `Name: value` a line |
//! | `account.json` (optional) | what differs from [`given::Given::default`] |
//! | `manifest.toml` (custom carriers) | the carrier's description |
//! | `openapi.txt` (optional) | where it may depart from the vendor's document: `openapi.rs` |
//! | `expected.json` | what must come out |
//!
//! Functions without files are not called. The ending of an answer says what the carrier sent
//! (`.json`, `.html`, `.txt`, `.csv`). A file that is not understood or not asked for fails the case.
//!
//! In `expected.json` a device is what listing, single call and details say of it together, in that order;
//! a request other than a GET begins with its method, and its body follows in the end.

pub(crate) mod case;
mod damage;
mod given;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use carrier_sync::carriers::{Carrier, custom::Custom, registry::carriers};
use serde_json::Value;

use self::case::{parse_name, run, stray_headers};

pub(crate) fn folder(carrier: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/carriers")
        .join(carrier)
}

pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

pub(crate) fn cases(carrier: &dyn Carrier) -> Vec<PathBuf> {
    let cases = entries(&folder(carrier.code()).join("testdata"));
    assert!(!cases.is_empty(), "{}: testdata is empty", carrier.code());
    cases
}

/// The carrier of a case: a custom one is described in the case's own manifest.
fn dialect(carrier: &'static dyn Carrier, case: &Path) -> &'static dyn Carrier {
    let file = case.join("manifest.toml");
    match fs::read_to_string(&file) {
        Ok(text) => Custom::of(&file.display().to_string(), &text)
            .unwrap_or_else(|mistakes| panic!("{mistakes:?}")),
        Err(_) => carrier,
    }
}

#[test]
fn every_documented_answer_becomes_what_its_case_says() {
    let mut wrong = Vec::new();
    for carrier in carriers() {
        for case in cases(*carrier) {
            let carrier = dialect(*carrier, &case);
            let outcome = catch_unwind(AssertUnwindSafe(|| run(carrier, &case).into_json()));
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
        for part in [
            "mod.rs",
            "wire.rs",
            "normalise.rs",
            "README.md",
            "sample.toml",
            "testdata",
        ] {
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

#[test]
fn headers_that_belong_to_no_answer_are_told_apart() {
    let names = [
        "get_usage.1.json",
        "get_usage.1.headers",
        "get_usage.2.headers",
        "get_device_info.headers",
        "get_device_info.json",
        "expected.json",
        "expected.headers",
    ];
    let paths = names.map(PathBuf::from);
    assert_eq!(stray_headers(&paths), [&paths[2], &paths[6]]);
}
