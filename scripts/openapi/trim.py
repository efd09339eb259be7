#!/usr/bin/env python3
"""Reduces a vendor's OpenAPI document to what we use of it, as JSON Schema 2020-12.

    scripts/openapi/trim.py CARRIER DOCUMENT [DOCUMENT …] > tests/openapi/CARRIER.json

The operations come from operations.json beside this file, with the place each document is published at;
each must be in exactly one of the documents. Kept are facts: paths, parameters, schemas, servers, security.
Prose (descriptions, titles, examples) and extensions are dropped, so is every operation that we do not use.
OpenAPI 3.0 has a schema language of its own; its differences (`nullable`, `exclusiveMinimum: true`) are
translated, so that any validator of JSON Schema can read the result. YAML documents need PyYAML.
"""

import json
import pathlib
import sys

# What of a schema is kept, apart from what holds schemas itself.
PLAIN = (
    "type", "format", "enum", "const", "required", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems",
    "minProperties", "maxProperties",
)


def read(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if path.endswith(".json"):
        return json.loads(text)
    import yaml

    return yaml.safe_load(text)


def is_schema(name, value):
    """An example that slipped in between the properties is none."""
    return isinstance(value, dict) and (name != "example" or "type" in value or "$ref" in value)


def schema(old):
    if not isinstance(old, dict):
        return old
    new = {key: old[key] for key in PLAIN if key in old}
    if "$ref" in old:
        new["$ref"] = old["$ref"]
    for key in ("items", "not"):
        if key in old:
            new[key] = schema(old[key])
    if "additionalProperties" in old:
        new["additionalProperties"] = schema(old["additionalProperties"])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in old:
            new[key] = [schema(one) for one in old[key]]
    properties = old.get("properties", {})
    if properties:
        new["properties"] = {
            name: schema(value) for name, value in properties.items() if is_schema(name, value)
        }
    return without_quirks(old, new)


def without_quirks(old, new):
    """OpenAPI 3.0 to JSON Schema 2020-12."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(new.get(exclusive), bool):
            if new.pop(exclusive) and bound in new:
                new[exclusive] = new.pop(bound)
    if old.get("nullable") is True:
        if isinstance(new.get("type"), str):
            new["type"] = [new["type"], "null"]
            if "enum" in new and None not in new["enum"]:
                new["enum"] = [*new["enum"], None]
        elif new:
            new = {"anyOf": [new, {"type": "null"}]}
    return new


def content(old):
    """Schemas by media type; the same with a charset is the same."""
    return {
        media: {"schema": schema(body.get("schema", {}))}
        for media, body in old.get("content", {}).items()
        if ";" not in media
    }


def operation(document, path, item, old):
    parameters = [resolve(document, one) for one in item.get("parameters", []) + old.get("parameters", [])]
    new = {
        "parameters": [
            {
                "name": one["name"],
                "in": one["in"],
                "required": one.get("required", False),
                "schema": schema(one.get("schema", {})),
            }
            for one in parameters
        ],
        "responses": {
            # The specification wants a description; it may be empty.
            str(status): {"description": "", "content": content(resolve(document, answer))}
            for status, answer in old.get("responses", {}).items()
        },
        "security": old.get("security", document.get("security", [])),
    }
    if "requestBody" in old:
        body = resolve(document, old["requestBody"])
        new["requestBody"] = {"required": body.get("required", False), "content": content(body)}
    return new


def resolve(document, value):
    """A parameter, answer or body that is kept elsewhere in the document."""
    if "$ref" not in value:
        return value
    found = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def names(value):
    """Names of the schemas that this refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix("#/components/schemas/")
        value = value.values()
    elif not isinstance(value, list):
        return
    for one in value:
        yield from names(one)


def schemas(document, used):
    kept, wanted = {}, set(names(used))
    while wanted:
        name = wanted.pop()
        kept[name] = schema(document["components"]["schemas"][name])
        wanted |= set(names(kept[name])) - kept.keys()
    return kept


def servers(document):
    return [{"url": one["url"].rstrip("/")} for one in document.get("servers", [])]


def merge(into, new, what):
    for name, value in new.items():
        if into.setdefault(name, value) != value:
            sys.exit(f"two documents differ in {what} {name}")


def trimmed(carrier, wanted, documents):
    paths, kept, schemes = {}, {}, {}
    for entry in wanted["operations"]:
        method, path = entry.split(" ")
        holding = [one for one in documents if method.lower() in one["paths"].get(path, {})]
        if len(holding) != 1:
            sys.exit(f"{entry}: in {len(holding)} of the documents")
        document = holding[0]
        item = document["paths"][path]
        new = operation(document, path, item, item[method.lower()])
        paths.setdefault(path, {"servers": servers(document)})[method.lower()] = new
        merge(kept, schemas(document, new), "schema")
        all_schemes = document.get("components", {}).get("securitySchemes", {})
        used = {name for alternative in new["security"] for name in alternative}
        merge(schemes, {name: scheme(all_schemes[name]) for name in used}, "security scheme")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": carrier,
            "version": ", ".join(str(one["info"]["version"]) for one in documents),
            "x-from": wanted["from"],
        },
        "paths": paths,
        "components": {"schemas": kept, "securitySchemes": schemes},
    }


def scheme(old):
    new = {key: old[key] for key in ("type", "scheme", "in", "name", "flows") if key in old}
    for name, flow in new.get("flows", {}).items():
        new["flows"][name] = {**flow, "scopes": {}}
    return new


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    carrier, *documents = sys.argv[1:]
    wanted = json.loads(pathlib.Path(__file__).with_name("operations.json").read_text())[carrier]
    result = trimmed(carrier, wanted, [read(path) for path in documents])
    json.dump(result, sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
