//! A vendor's OpenAPI document, as `scripts/openapi/trim.py` reduced it: which operation a call is for, and
//! where call and answer depart from it. Knows no carrier and no file.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::{
    error::ValidationErrorKind,
    paths::{Location, LocationSegment},
};
use serde_json::{Map, Value, json};

use super::unknown;

/// How a call proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    Basic,
    /// Headers by lower-case name.
    Headers(Vec<(String, String)>),
    /// It buys the token that the others carry, so it cannot carry it; Basic credentials or none.
    Buying {
        basic: bool,
    },
}

/// A request as it goes out.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// The whole address without the query, not percent-encoded.
    pub(super) address: String,
    pub(super) query: Vec<(&'a str, &'a str)>,
    /// Media type and content.
    pub(super) body: Option<(&'a str, Value)>,
    pub(super) proof: &'a Proof,
}

/// What the document says about one call.
pub(super) struct Operation<'a>(&'a Value);

pub(super) struct Document {
    json: Value,
    /// Whether a host that the document does not name is right too: each operator has its own.
    is_any_host_right: bool,
}

impl Document {
    pub(super) fn new(json: Value, is_any_host_right: bool) -> Self {
        Self {
            json,
            is_any_host_right,
        }
    }

    /// The operation that a call is for, and what is wrong with the call.
    pub(super) fn check_call(&self, call: &Call<'_>) -> (Option<Operation<'_>>, BTreeSet<String>) {
        let Some((item, in_path)) = self.find(&call.address) else {
            return (None, BTreeSet::from(["no such path".into()]));
        };
        let operation = &item[call.method.to_ascii_lowercase()];
        if operation.is_null() {
            let wrong = format!("no method {} at this path", call.method);
            return (None, BTreeSet::from([wrong]));
        }
        let mut wrong = BTreeSet::new();
        self.check_parameters(operation, &in_path, call, &mut wrong);
        self.check_body(&operation["requestBody"], call, &mut wrong);
        if !self.is_proven(&operation["security"], call.proof) {
            wrong.insert("auth: not what the operation asks for".into());
        }
        (Some(Operation(operation)), wrong)
    }

    /// What is wrong with an answer; `None` where the document says nothing about its body.
    pub(super) fn check_answer(
        &self,
        operation: &Operation<'_>,
        status: &str,
        answer: &Value,
    ) -> Option<BTreeSet<String>> {
        let content = operation.0["responses"].get(status)?.get("content")?;
        let schema = content.get("application/json")?.get("schema")?;
        let mut wrong = self.errors(schema, answer);
        wrong.extend(unknown::keys(schema, answer, &|schema| {
            self.resolved(schema)
        }));
        Some(wrong)
    }

    /// The path with the fewest placeholders that fits, and what stands in them.
    fn find(&self, address: &str) -> Option<(&Value, Vec<(String, String)>)> {
        let paths = self.json["paths"].as_object()?;
        let fitting = paths.iter().filter_map(|(template, item)| {
            let bases = item["servers"].as_array()?.iter();
            let mut bases = bases.filter_map(|server| server["url"].as_str());
            let values =
                bases.find_map(|base| placeholders(template, self.below(base, address)?))?;
            Some((item, values))
        });
        fitting.min_by_key(|(_, values)| values.len())
    }

    fn below<'a>(&self, base: &str, address: &'a str) -> Option<&'a str> {
        if !self.is_any_host_right {
            return address.strip_prefix(base);
        }
        path_of(address).strip_prefix(path_of(base))
    }

    fn check_parameters(
        &self,
        operation: &Value,
        in_path: &[(String, String)],
        call: &Call<'_>,
        wrong: &mut BTreeSet<String>,
    ) {
        let parameters = operation["parameters"].as_array().expect("parameters");
        for parameter in parameters {
            let name = parameter["name"].as_str().expect("a parameter's name");
            let place = parameter["in"].as_str().expect("a parameter's place");
            let values: Vec<&str> = match place {
                "path" => values_of(in_path.iter().map(|(n, v)| (n.as_str(), v.as_str())), name),
                "query" => values_of(call.query.iter().copied(), name),
                "header" => headers(call.proof, name),
                other => panic!("parameters in {other} are not checked"),
            };
            if values.is_empty() && parameter["required"] == true {
                wrong.insert(format!("{place} {name}: required, and missing"));
            }
            for value in values {
                let schema = &parameter["schema"];
                let errors = self.errors(schema, &self.typed(schema, value));
                wrong.extend(
                    errors
                        .iter()
                        .map(|error| format!("{place} {name}: {error}")),
                );
            }
        }
        for (name, _) in &call.query {
            let is_known = |known: &Value| known["name"] == *name && known["in"] == "query";
            if !parameters.iter().any(is_known) {
                wrong.insert(format!("query {name}: not a parameter"));
            }
        }
    }

    fn check_body(&self, expected: &Value, call: &Call<'_>, wrong: &mut BTreeSet<String>) {
        let Some((media, body)) = &call.body else {
            if expected["required"] == true {
                wrong.insert("body: required, and missing".into());
            }
            return;
        };
        let Some(schema) = expected["content"].get(*media) else {
            wrong.insert(format!("body: {media} is not asked for"));
            return;
        };
        let schema = &schema["schema"];
        let errors = self.errors(schema, body);
        wrong.extend(errors.iter().map(|error| format!("body {error}")));
        let known = &self.resolved(schema)["properties"];
        let unknown = body.as_object().into_iter().flat_map(Map::keys);
        let unknown = unknown.filter(|name| known.get(name.as_str()).is_none());
        wrong.extend(unknown.map(|name| format!("body {name}: not a field")));
    }

    /// Whether one of the alternatives is sent whole; no alternative, no proof needed.
    fn is_proven(&self, alternatives: &Value, proof: &Proof) -> bool {
        let alternatives = alternatives.as_array().expect("security");
        let schemes = &self.json["components"]["securitySchemes"];
        let is_sent = |name: &String| is_sent(&schemes[name], proof);
        alternatives.is_empty()
            || alternatives
                .iter()
                .filter_map(Value::as_object)
                .any(|all| all.keys().all(is_sent))
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(place) => {
                let found = self.json.pointer(place.trim_start_matches('#'));
                self.resolved(found.expect("a schema of the document"))
            }
            None => schema,
        }
    }

    /// A text of a path or query as the value it stands for.
    fn typed(&self, schema: &Value, text: &str) -> Value {
        let schema = self.resolved(schema);
        let is = |kind: &str| {
            let types = &schema["type"];
            types == kind
                || types
                    .as_array()
                    .is_some_and(|all| all.contains(&json!(kind)))
        };
        if is("array") {
            let items = text.split(',');
            return items
                .map(|item| self.typed(&schema["items"], item))
                .collect();
        }
        if is("integer") || is("number") || is("boolean") {
            return serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        }
        json!(text)
    }

    /// What the validator says, values left out, places in lists as `*`: once for all rows of a page.
    fn errors(&self, schema: &Value, value: &Value) -> BTreeSet<String> {
        let whole = json!({ "allOf": [schema], "components": self.json["components"] });
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&whole)
            .expect("a schema");
        let mut texts = BTreeSet::new();
        let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for error in validator.iter_errors(value) {
            let place = place_of(error.instance_path());
            if let ValidationErrorKind::Required { property } = error.kind() {
                let name = property.as_str().unwrap_or_default().to_owned();
                missing.entry(place).or_default().insert(name);
            } else {
                texts.insert(format!("{place}{}", error.masked()));
            }
        }
        for (place, names) in missing {
            let names = Vec::from_iter(names).join(", ");
            texts.insert(format!("{place}required, and missing: {names}"));
        }
        texts
    }
}

fn place_of(path: &Location) -> String {
    let steps = path.into_iter().map(|step| match step {
        LocationSegment::Index(_) => "/*".to_owned(),
        LocationSegment::Property(name) => format!("/{name}"),
    });
    let place: String = steps.collect();
    if place.is_empty() {
        place
    } else {
        place + ": "
    }
}

/// Whether what a security scheme asks for is sent.
fn is_sent(scheme: &Value, proof: &Proof) -> bool {
    let header = |name: &str, prefix: &str| {
        headers(proof, name)
            .iter()
            .any(|value| value.len() > prefix.len() && value.starts_with(prefix))
    };
    let kind = (scheme["type"].as_str(), scheme["scheme"].as_str());
    match (kind, proof) {
        ((Some("http"), Some("basic")), Proof::Buying { basic }) => *basic,
        (_, Proof::Buying { .. }) => true,
        ((Some("http"), Some("basic")), _) => {
            *proof == Proof::Basic || header("authorization", "Basic ")
        }
        ((Some("http"), Some("bearer")) | (Some("oauth2"), _), _) => {
            header("authorization", "Bearer ")
        }
        ((Some("apiKey"), _), _) if scheme["in"] == "header" => {
            header(scheme["name"].as_str().expect("a header's name"), "")
        }
        _ => panic!("{scheme} is not checked"),
    }
}

fn headers<'a>(proof: &'a Proof, name: &str) -> Vec<&'a str> {
    match proof {
        Proof::Headers(sent) => sent
            .iter()
            .filter(|(sent, _)| sent.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect(),
        Proof::Basic if name.eq_ignore_ascii_case("authorization") => vec!["Basic …"],
        Proof::Basic | Proof::Buying { .. } => Vec::new(),
    }
}

fn values_of<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, name: &str) -> Vec<&'a str> {
    all.filter(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .collect()
}

/// What comes after scheme and host.
fn path_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

/// `/sims/{sim_id}` and `/sims/8942` → `sim_id` = `8942`; `None` where they do not fit.
fn placeholders(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (wanted, given): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != given.len() {
        return None;
    }
    let mut values = Vec::new();
    for (wanted, given) in wanted.into_iter().zip(given) {
        match wanted.split_once('{') {
            Some((before, rest)) => {
                let (name, after) = rest.split_once('}').expect("a closed placeholder");
                let value = given.strip_prefix(before)?.strip_suffix(after)?;
                if value.is_empty() {
                    return None;
                }
                values.push((name.to_owned(), value.to_owned()));
            }
            None if wanted == given => {}
            None => return None,
        }
    }
    Some(values)
}
