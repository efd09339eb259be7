//! The check itself, on a small document: what it must see, and what it must let pass.

use serde_json::{Value, json};

use super::{
    compare::{Case, Found, Side, TokenCall, compare},
    document::{Document, Proof},
};

fn document() -> Document {
    let sims = json!({ "content": { "application/json": { "schema": {
        "type": "array", "items": { "$ref": "#/components/schemas/Sim" },
    } } } });
    let parameter = |name: &str, place: &str, required: bool, schema: Value| json!({ "name": name, "in": place, "required": required, "schema": schema });
    let servers = json!([{ "url": "https://api.example.com/v1" }]);
    let json = json!({
        "paths": {
            "/sims": { "servers": servers, "get": {
                "parameters": [
                    parameter("page", "query", true, json!({ "type": "integer", "minimum": 1 })),
                    parameter("status", "query", false, json!({ "type": "string", "enum": ["on", "off"] })),
                    parameter("since", "query", false, json!({ "type": "string", "format": "date-time" })),
                ],
                "responses": { "200": sims },
                "security": [{ "token": [] }],
            } },
            "/sims/{id}": { "servers": servers, "get": {
                "parameters": [parameter("id", "path", true, json!({ "type": "string", "pattern": "^H" }))],
                "responses": { "200": { "content": {} } },
                "security": [{ "token": [] }],
            } },
            "/export": { "servers": servers, "post": {
                "parameters": [],
                "requestBody": { "required": true, "content": { "application/json": { "schema": {
                    "type": "object", "properties": { "from": { "type": "integer" } },
                } } } },
                "responses": {},
                "security": [{ "token": [] }],
            } },
            "/auth": { "servers": servers, "post": {
                "parameters": [],
                "requestBody": { "required": true, "content": { "application/json": { "schema": {
                    "type": "object", "required": ["grant"], "properties": { "grant": { "type": "string" } },
                } } } },
                "responses": { "200": { "content": { "application/json": { "schema": {
                    "type": "object", "required": ["token"],
                } } } } },
                "security": [{ "basic": [] }],
            } },
        },
        "components": {
            "schemas": { "Sim": {
                "type": "object",
                "required": ["id"],
                "properties": { "id": { "type": "string" }, "bytes": { "type": ["integer", "null"] } },
            } },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "basic": { "type": "http", "scheme": "basic" },
            },
        },
    });
    Document::new(json, false)
}

fn side() -> Side {
    Side {
        base: "https://api.example.com/v1".into(),
        proof: Proof::Headers(vec![("authorization".into(), "Bearer t".into())]),
        token: None,
    }
}

fn compared(document: &Document, side: &Side, case: &Case) -> Found {
    compare(document, side, &side.base, case)
}

fn case(request: &str, answer: Value) -> Case {
    Case {
        requests: vec![request.into()],
        answers: vec![("get_x.1".into(), Some(answer))],
        ..Case::default()
    }
}

fn found(request: &str, answer: Value) -> Vec<String> {
    let found = compared(&document(), &side(), &case(request, answer));
    found.disagreements.into_iter().collect()
}

#[test]
fn a_call_and_an_answer_that_fit_pass_and_are_counted() {
    let request = "sims?page=2&status=on&since=2025-09-01T00:00:00Z";
    let found = compared(
        &document(),
        &side(),
        &case(request, json!([{ "id": "H1", "bytes": null }])),
    );
    assert_eq!(found.against(""), Vec::<String>::new());
    assert_eq!((found.requests, found.answers), (1, 1));
}

#[test]
fn every_fault_of_a_request_is_seen() {
    for (request, fault) in [
        (
            "sims?page=1&size=5",
            "request sims: query size: not a parameter",
        ),
        (
            "sims?page=two",
            "request sims: query page: value is not of type \"integer\"",
        ),
        (
            "sims?page=0",
            "request sims: query page: value is less than the minimum of 1",
        ),
        (
            "sims?page=1&status=lost",
            "request sims: query status: value is not one of \"on\" or \"off\"",
        ),
        (
            "sims?page=1&since=yesterday",
            "request sims: query since: value is not a \"date-time\"",
        ),
        ("sims", "request sims: query page: required, and missing"),
        ("devices?page=1", "request devices: no such path"),
        ("sims/H1/usage", "request sims/H1/usage: no such path"),
        ("sims/", "request sims/: no such path"),
        (
            "sims/D1",
            "request sims/D1: path id: value does not match \"^H\"",
        ),
        (
            "POST sims?page=1 {}",
            "request POST sims: no method POST at this path",
        ),
        (
            "POST export {\"from\":\"x\"}",
            "request POST export: body /from: value is not of type \"integer\"",
        ),
        (
            "POST export {\"form\":1}",
            "request POST export: body form: not a field",
        ),
        ("export", "request export: no method GET at this path"),
        (
            "POST export",
            "request POST export: body: required, and missing",
        ),
    ] {
        assert_eq!(found(request, json!([])), [fault], "{request}");
    }
}

#[test]
fn a_value_may_hold_what_parts_the_others() {
    let request = "sims?status=R&D plan & co&page=1";
    let fault = "request sims: query status: value is not one of \"on\" or \"off\"";
    assert_eq!(found(request, json!([])), [fault]);
}

#[test]
fn every_fault_of_an_answer_is_seen_once_for_all_rows() {
    let rows = json!([{ "id": 1 }, { "id": "H1" }, { "id": 2 }]);
    let text = "answer get_x.1: /*/id: value is not of type \"string\"";
    assert_eq!(found("sims?page=1", rows), [text]);
    let text = "answer get_x.1: /*: required, and missing: id";
    assert_eq!(found("sims?page=1", json!([{}, {}])), [text]);
    let text = "answer get_x.1: /*/byts: not a field";
    assert_eq!(
        found("sims?page=1", json!([{ "id": "1", "byts": 1 }])),
        [text]
    );
    let text = "answer get_x.1: value is not of type \"array\"";
    assert_eq!(found("sims?page=1", json!({})), [text]);
}

#[test]
fn an_answer_that_the_document_does_not_describe_is_not_counted_as_checked() {
    let found = compared(&document(), &side(), &case("sims/H1", json!({})));
    assert_eq!((found.requests, found.answers), (1, 0));
}

#[test]
fn a_call_that_proves_itself_in_another_way_than_asked_is_seen() {
    let key = Proof::Headers(vec![("x-key".into(), "k".into())]);
    for proof in [Proof::Basic, key, Proof::Headers(Vec::new())] {
        let side = Side { proof, ..side() };
        let found = compared(&document(), &side, &case("sims?page=1", json!([])));
        assert_eq!(
            found.against(""),
            ["disagrees: request sims: auth: not what the operation asks for"]
        );
    }
}

#[test]
fn another_host_or_base_path_is_seen() {
    for base in ["https://other.example.com/v1", "https://api.example.com/v2"] {
        let side = Side {
            base: base.into(),
            ..side()
        };
        let found = compared(&document(), &side, &case("sims?page=1", json!([])));
        assert_eq!(found.against(""), ["disagrees: request sims: no such path"]);
    }
}

#[test]
fn keys_in_headers_are_all_wanted_and_a_placeholder_may_be_part_of_a_step() {
    let json = json!({
        "paths": { "/v{version}/sims": {
            "servers": [{ "url": "https://pod1.example.com/api" }],
            "get": { "parameters": [], "responses": {}, "security": [{ "key": [], "token": [] }] },
        } },
        "components": { "securitySchemes": {
            "key": { "type": "apiKey", "in": "header", "name": "X-Key" },
            "token": { "type": "apiKey", "in": "header", "name": "X-Token" },
        } },
    });
    let faults = |sent: &[&str], base: &str| {
        let sent = sent
            .iter()
            .map(|name| ((*name).to_owned(), "secret".to_owned()));
        let side = Side {
            base: base.into(),
            proof: Proof::Headers(sent.collect()),
            ..side()
        };
        let any_host = Document::new(json.clone(), true);
        compared(&any_host, &side, &case("sims", json!([]))).against("")
    };
    let base = "https://pod7.example.net/api/v1";
    assert!(faults(&["x-key", "x-token"], base).is_empty());
    let fault = "disagrees: request sims: auth: not what the operation asks for";
    assert_eq!(faults(&["x-key"], base), [fault]);
    let fault = "disagrees: request sims: no such path";
    for base in [
        "https://pod7.example.net/api",
        "https://pod7.example.net/api/v",
    ] {
        assert_eq!(faults(&["x-key", "x-token"], base), [fault], "{base}");
    }
}

#[test]
fn the_call_that_buys_a_token_is_checked_too() {
    let buying = |basic: bool, body: Value, answer: Value| {
        let token = TokenCall {
            address: "https://api.example.com/v1/auth".into(),
            proof: Proof::Buying { basic },
            media: "application/json",
            body,
        };
        let side = Side {
            token: Some(token),
            ..side()
        };
        let case = Case {
            token_answer: Some(answer),
            ..Case::default()
        };
        Vec::from_iter(compared(&document(), &side, &case).disagreements)
    };
    let (body, answer) = (json!({ "grant": "g" }), json!({ "token": "t" }));
    assert!(buying(true, body.clone(), answer.clone()).is_empty());
    let text = "request read_token: auth: not what the operation asks for";
    assert_eq!(buying(false, body.clone(), answer.clone()), [text]);
    let text = "request read_token: body required, and missing: grant";
    assert_eq!(buying(true, json!({}), answer), [text]);
    let text = "answer read_token: required, and missing: token";
    assert_eq!(buying(true, body, json!({})), [text]);
}

#[test]
fn what_is_listed_passes_and_a_line_that_is_stale_does_not() {
    let found = compared(
        &document(),
        &side(),
        &case("sims?page=1&size=5", json!([{ "id": 1 }])),
    );
    let listed = "# why\nrequest sims: query size\nanswer get_x.1: /*/id: value is not of type\n";
    assert_eq!(found.against(listed), Vec::<String>::new());
    let stale = format!("{listed}answer get_x.1: /*/bytes\n");
    assert_eq!(
        found.against(&stale),
        ["listed, and does not disagree: answer get_x.1: /*/bytes"]
    );
    assert_eq!(found.against("request sims: query size").len(), 1);
    // Nothing is accepted for another answer, nor by a line without a text.
    assert_eq!(
        found
            .against("answer get_x.11: /*/id\nanswer get_x.1: ")
            .len(),
        4
    );
}
