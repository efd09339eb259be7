//! `/api/v1/openapi.json` of the real program, held against what the program answers.

use serde_json::Value;

use super::api::{TOKEN, fleet, place, wait_for};
use super::served::{Served, bearer};

/// The document is made of the code; whether it says what the code answers is seen here.
#[test]
fn every_answer_is_as_the_served_document_says() {
    let place = place();
    let id = fleet(&place);
    let served = Served::by(&place);
    wait_for(&served, "/api/v1/totals", |totals| {
        totals["by_outcome"]["error"] == 1
    });
    let document = served.get("/api/v1/openapi.json").json();
    let mut questions = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap() {
            questions += 1;
            let asked = path.replace("{id}", &id);
            let method = method.to_uppercase();
            let headers = format!("{}Content-Length: 0\r\n", bearer(TOKEN));
            let answer = served.ask(&method, &asked, &headers);
            let status = answer.status.to_string();
            let schema = &told["responses"][&status]["content"]["application/json"]["schema"];
            assert!(
                schema.is_object(),
                "{method} {path}: {status} is not in the document"
            );
            assert_like(&document, schema, &answer.json());
        }
    }
    assert_eq!(questions, 8);
    let refused = served.get("/api/v1/integrations?limit=0");
    let problem = &document["paths"]["/api/v1/integrations"]["get"]["responses"]["400"];
    let schema = &problem["content"]["application/json"]["schema"];
    assert_like(&document, schema, &refused.json());
}

#[track_caller]
fn assert_like(document: &Value, schema: &Value, value: &Value) {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&whole).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {value}");
}

/// The words that a schema allows; `None`: not only a few.
fn words(document: &Value, schema: &Value) -> Option<Vec<String>> {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#')).unwrap();
        return words(document, schema);
    }
    for any in ["oneOf", "anyOf"] {
        let mut schemas = schema[any].as_array().into_iter().flatten();
        if let Some(words) = schemas.find_map(|schema| words(document, schema)) {
            return Some(words);
        }
    }
    let words = schema["enum"].as_array()?.iter();
    Some(
        words
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
    )
}

/// Every question's parameters: its path, their names, their schemas.
fn parameters(document: &Value) -> Vec<(&str, &str, &Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let told = methods["get"]["parameters"].as_array();
        let told = told.into_iter().flatten();
        for parameter in told.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            all.push((path.as_str(), name, &parameter["schema"]));
        }
    }
    all
}

#[test]
fn a_parameter_of_few_words_is_told_with_those_that_are_understood() {
    let place = place();
    let id = fleet(&place);
    let served = Served::by(&place);
    wait_for(&served, "/api/v1/totals", |totals| {
        totals["by_outcome"]["error"] == 1
    });
    let document = served.get("/api/v1/openapi.json").json();
    let mut of_few_words = Vec::new();
    for (path, name, schema) in parameters(&document) {
        let path = path.replace("{id}", &id);
        let nonsense = served.get(&format!("{path}?{name}=nonsense"));
        match words(&document, schema) {
            Some(words) => {
                assert_eq!(nonsense.status, 400, "{path} {name}");
                assert_eq!(
                    nonsense.json()["allowed"],
                    words.join(", "),
                    "{path} {name}"
                );
                of_few_words.push(name);
                for word in words {
                    let answer = served.get(&format!("{path}?{name}={word}"));
                    assert_eq!(answer.status, 200, "{path} {name} {word}");
                }
            }
            None if ["limit", "cursor"].contains(&name) => assert_eq!(nonsense.status, 400),
            None => assert_eq!(nonsense.status, 200, "{path} {name} is no free text"),
        }
        let empty = served.get(&format!("{path}?{name}="));
        assert_eq!(empty.status, 200, "{path} {name}: as if it were not given");
    }
    of_few_words.sort_unstable();
    assert_eq!(
        of_few_words,
        ["attention", "freshness", "outcome", "sort", "state"]
    );
}
