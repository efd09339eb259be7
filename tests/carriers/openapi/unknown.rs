//! Keys of an answer that its schema does not know. No validator tells them, for a schema is open unless it says
//! otherwise; yet a name that is misspelt alike in our code and in our answers shows in no other way.

use std::collections::BTreeSet;

use serde_json::Value;

/// Schemas that hold schemas side by side.
const SIDE_BY_SIDE: [&str; 3] = ["allOf", "oneOf", "anyOf"];

/// Every unknown key by its place, places in lists as `*`: once for all rows of a page. Where a schema lists no
/// properties, or allows others, every key is known. `resolve` follows a reference.
pub(super) fn keys<'a>(
    schema: &'a Value,
    answer: &Value,
    resolve: &impl Fn(&'a Value) -> &'a Value,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    look(&[schema], answer, "", resolve, &mut found);
    found
}

fn look<'a>(
    schemas: &[&'a Value],
    value: &Value,
    place: &str,
    resolve: &impl Fn(&'a Value) -> &'a Value,
    found: &mut BTreeSet<String>,
) {
    let mut all = Vec::new();
    for schema in schemas {
        alternatives(resolve(schema), resolve, &mut all);
    }
    if let Some(rows) = value.as_array() {
        let items: Vec<&Value> = all
            .iter()
            .filter_map(|schema| schema.get("items"))
            .collect();
        for row in rows {
            look(&items, row, &format!("{place}/*"), resolve, found);
        }
    }
    let is_open = |schema: &&Value| {
        let others = &schema["additionalProperties"];
        *others == true || others.is_object()
    };
    let properties: Vec<&Value> = all
        .iter()
        .filter_map(|schema| schema.get("properties"))
        .collect();
    let Some(object) = value.as_object().filter(|_| !properties.is_empty()) else {
        return;
    };
    for (name, value) in object {
        let known: Vec<&Value> = properties.iter().filter_map(|all| all.get(name)).collect();
        if known.is_empty() && !all.iter().any(is_open) {
            found.insert(format!("{place}/{name}: not a field"));
        }
        look(&known, value, &format!("{place}/{name}"), resolve, found);
    }
}

/// The schema, and whatever stands side by side in it: a key that one of them knows is known.
fn alternatives<'a>(
    schema: &'a Value,
    resolve: &impl Fn(&'a Value) -> &'a Value,
    all: &mut Vec<&'a Value>,
) {
    all.push(schema);
    for part in SIDE_BY_SIDE
        .iter()
        .filter_map(|name| schema[*name].as_array())
    {
        for schema in part {
            alternatives(resolve(schema), resolve, all);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: &Value, answer: &Value) -> Vec<String> {
        Vec::from_iter(keys(schema, answer, &|schema| schema))
    }

    #[test]
    fn a_key_that_no_schema_of_its_place_knows_is_told_once_for_all_rows() {
        let schema = json!({ "items": { "properties": {
            "id": {}, "sim": { "properties": { "iccid": {} } },
        } } });
        let answer = json!([{ "id": 1, "sim": { "icid": 1 } }, { "di": 1 }, { "di": { "x": 1 } }]);
        let unknown = ["/*/di: not a field", "/*/sim/icid: not a field"];
        assert_eq!(found(&schema, &answer), unknown);
    }

    #[test]
    fn any_of_the_schemas_side_by_side_may_know_a_key() {
        let schema = json!({ "properties": { "a": {} }, "allOf": [
            { "properties": { "b": {} } },
            { "oneOf": [{ "properties": { "c": { "properties": { "d": {} } } } }] },
        ] });
        let answer = json!({ "a": 1, "b": 2, "c": { "d": 3, "e": 4 }, "f": 5 });
        assert_eq!(
            found(&schema, &answer),
            ["/c/e: not a field", "/f: not a field"]
        );
    }

    #[test]
    fn a_schema_that_lists_nothing_or_allows_others_knows_every_key() {
        let answer = json!({ "x": { "y": 1 } });
        for schema in [
            json!({}),
            json!({ "type": "object" }),
            json!({ "properties": { "a": {} }, "additionalProperties": { "type": "object" } }),
            json!({ "properties": { "a": {} }, "additionalProperties": true }),
        ] {
            assert_eq!(found(&schema, &answer), [""; 0], "{schema}");
        }
    }
}
