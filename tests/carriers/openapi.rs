//! Our requests and `testdata` answers against the vendors' own OpenAPI documents, where there are any.
//!
//! `tests/openapi/<carrier>.json` is what `scripts/openapi/trim.py` keeps of a vendor's document. Checked are of
//! each case the requests of `expected.json` (address, method, query, body, authorization) and the JSON answers,
//! their unknown keys too; and one walk over each simulated carrier that has a document (`simulated.rs`).
//! A disagreement is a mistake of ours, or it is a line of `testdata/<case>/openapi.txt`:
//!
//! ```text
//! answer get_bulk_usage.1: data_total_billed: value is not of types "null", "number"
//! # wrong on purpose: no carrier ever sent this
//! answer get_detail_0: /volume: value is not of type "number"
//! request v2/sims: query size
//! ```
//!
//! After the subject stands a part of the error's text. What comes before the comment `# wrong on purpose` is a
//! difference between the document and what is told elsewhere, and the carrier's README lists its text.

mod checker;
mod compare;
mod document;
mod folder;
mod simulated;
mod unknown;

use std::{collections::BTreeSet, fs, path::Path, path::PathBuf};

use carrier_sync::carriers::{Carrier, registry::carriers};

use self::{
    compare::{Case, Found, compare, lines_of},
    document::Document,
};
use crate::cases;

/// Carriers whose hosts no document can name: each operator runs its own.
const ANY_HOST: &[&str] = &["cisco"];

/// What the comment begins with, below which the lines are about answers that nobody ever sent.
const ON_PURPOSE: &str = "# wrong on purpose";

/// Where a carrier's README lists what its document says otherwise.
const HEADING: &str = "## Where the OpenAPI document disagrees";

fn document(carrier: &str) -> Option<Document> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
    let json = fs::read(folder.join(format!("{carrier}.json"))).ok()?;
    let json = serde_json::from_slice(&json).expect("a document");
    Some(Document::new(json, ANY_HOST.contains(&carrier)))
}

/// Cases with what was found in each; none where no case has an account that the carrier accepts.
fn found(carrier: &dyn Carrier, document: &Document) -> Vec<(PathBuf, Case, Found)> {
    let folders = cases::cases(carrier);
    let Some(side) = folder::side(carrier, &folders) else {
        return Vec::new();
    };
    let compared = folders.into_iter().map(|path| {
        let base = folder::base(carrier, &path).unwrap_or_else(|| side.base.clone());
        let case = Case::read(&path);
        let found = compare(document, &side, &base, &case);
        (path, case, found)
    });
    compared.collect()
}

fn each_documented() -> impl Iterator<Item = (&'static dyn Carrier, Document)> {
    let all = carriers().iter();
    all.filter_map(|carrier| Some((*carrier, document(carrier.code())?)))
}

#[test]
fn requests_and_answers_are_as_the_vendors_documents_say_or_as_listed() {
    let mut wrong = Vec::new();
    for (carrier, document) in each_documented() {
        let found = found(carrier, &document);
        let (requests, answers) =
            found
                .iter()
                .fold((0, 0), |(requests, answers), (_, _, found)| {
                    (requests + found.requests, answers + found.answers)
                });
        if requests == 0 || answers == 0 {
            wrong.push(format!(
                "{}: {requests} requests and {answers} answers were checked; one case at least (`probe`) needs \
                 credentials of the right kind in its account.json",
                carrier.code()
            ));
        }
        for (path, case, found) in found {
            let lines = found.against(&case.accepted);
            wrong.extend(
                lines
                    .iter()
                    .map(|line| format!("{}: {line}", path.display())),
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{} lines:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_document_is_held_against_a_carrier() {
    let checked: Vec<&str> = each_documented()
        .map(|(carrier, _)| carrier.code())
        .collect();
    for path in cases::entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(checked.contains(&name), "{name} is no carrier's document");
    }
}

#[test]
fn every_readme_lists_where_the_document_disagrees() {
    let mut missing = BTreeSet::new();
    for (carrier, document) in each_documented() {
        let readme = fs::read_to_string(cases::folder(carrier.code()).join("README.md")).unwrap();
        let section = readme.split(HEADING).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        for (_, case, _) in found(carrier, &document) {
            let real = case.accepted.split(ON_PURPOSE).next().unwrap_or_default();
            let texts = lines_of(real).filter_map(|line| line.split_once(": "));
            let texts = texts
                .map(|(_, text)| text)
                .filter(|text| !section.contains(*text));
            missing.extend(texts.map(|text| format!("{}: `{text}`", carrier.code())));
        }
    }
    let missing: Vec<String> = missing.into_iter().collect();
    assert!(
        missing.is_empty(),
        "below \"{HEADING}\":\n{}",
        missing.join("\n")
    );
}

/// Writes each unlisted disagreement as a first line into its case, to be judged and put where it belongs, and
/// takes out the lines that no longer hold: `cargo test --test carriers openapi -- --ignored`.
#[test]
#[ignore = "writes into src/carriers"]
fn write_down_what_disagrees() {
    for (carrier, document) in each_documented() {
        for (path, case, found) in found(carrier, &document) {
            let unlisted = found.unlisted(&case.accepted);
            let stale = found.stale(&case.accepted);
            let kept = case
                .accepted
                .lines()
                .filter(|line| !stale.contains(&line.trim()));
            let lines: Vec<&str> = unlisted.into_iter().chain(kept).collect();
            let list = path.join("openapi.txt");
            if lines_of(&lines.join("\n")).next().is_some() {
                fs::write(list, lines.join("\n") + "\n").unwrap();
            } else if list.exists() {
                fs::remove_file(list).unwrap();
            }
        }
    }
}
