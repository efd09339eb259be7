//! A carrier in code and the same one in a manifest: the same answers must come out the same.

use carrier_sync::carriers::{custom::Custom, registry};
use serde_json::{Map, Value};

use crate::cases::{case::run, cases, folder};

/// Cases whose answers are of a shape that only code can know; each with what differs.
const ONLY_IN_CODE: &[(&str, &str)] = &[
    ("bare_list", "a refusal in another shape"),
    (
        "broken_row",
        "a repeated key makes a row unreadable; in a manifest the later one counts",
    ),
    (
        "every_live_session",
        "sessions in the listing, which documents none",
    ),
    (
        "forms_of_status",
        "a status that is a word where an object is documented",
    ),
    (
        "iccid_forms",
        "a SIM's number sent as a number of 20 digits, more than 64 bits hold",
    ),
    (
        "number_that_no_type_holds",
        "1e999 costs its field; in a manifest its page",
    ),
];

/// What a sync would make of it. Words of errors and oddities are each form's own; that there are some is not.
fn essence(outcome: &Value) -> Value {
    let mut essence = Map::new();
    for key in ["requests", "devices", "usage"] {
        if let Some(value) = outcome.get(key) {
            essence.insert(key.to_owned(), value.clone());
        }
    }
    let errors = outcome.get("errors").and_then(Value::as_object);
    let failed: Vec<&String> = errors
        .map(|errors| errors.keys().collect())
        .unwrap_or_default();
    let unreadable = outcome
        .get("unreadable")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    essence.insert("failed".to_owned(), serde_json::json!(failed));
    essence.insert("unreadable".to_owned(), unreadable.into());
    Value::Object(essence)
}

#[test]
fn telnyx_in_a_manifest_says_what_telnyx_in_code_says() {
    let file = folder("").join("../../config/manifests/telnyx.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let manifest = Custom::of("telnyx.toml", &text).unwrap();
    let code = registry::find("telnyx").unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in cases(code) {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        if ONLY_IN_CODE.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let expected = essence(&run(code, &case).into_json());
        let actual = essence(&run(manifest, &case).into_json());
        compared += 1;
        if actual != expected {
            wrong.push(format!(
                "{name}:\n  code     {expected}\n  manifest {actual}"
            ));
        }
    }
    assert!(compared >= 29, "{compared} cases");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
