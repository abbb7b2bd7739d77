"""The smallest JSON value that fits a schema, so that a walk over all routes gets past the check of bodies."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

Schema = dict[str, Any]
UUID = "11111111-2222-4333-8444-555555555555"
NAMES = (UUID, "a1", "http://example.org/", "10.0.0.0/24", "10.0.0.9", "2026-01-01T00:00:00Z", "fa:16:3e:00:00:09")


def sample(schema: Schema | bool, root: Schema | None = None) -> Any:
    """One value. Required properties only; of alternatives the first; formats and short patterns by trial."""
    if isinstance(schema, bool):
        return {}
    root = root or schema
    if "$ref" in schema:
        return sample(_resolve(schema["$ref"], root), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("oneOf", "anyOf"):
        if key in schema and "properties" not in schema:
            merged = {name: value for name, value in schema.items() if name != key} | schema[key][0]
            return sample(merged, root)
    if "allOf" in schema and "type" not in schema:
        return sample({k: v for part in schema["allOf"] for k, v in part.items()}, root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_kind(kind[0] if isinstance(kind, list) else kind, schema, root)


def _resolve(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found  # type: ignore[no-any-return]


def _of_kind(kind: str, schema: Schema, root: Schema) -> Any:
    if kind == "object":
        return _object(schema, root)
    if kind == "array":
        return [sample(schema.get("items", {}), root)] * schema.get("minItems", 0)
    if kind == "string":
        return _text(schema)
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in schema else 1)
    return {"boolean": True, "null": None}[kind]


def _object(schema: Schema, root: Schema) -> dict[str, Any]:
    properties = schema.get("properties", {})
    wanted = list(schema.get("required", []))
    for alternatives in (schema.get("oneOf", []), schema.get("anyOf", [])):
        wanted += [name for name in (alternatives[0].get("required", []) if alternatives else []) if name not in wanted]
    if schema.get("minProperties", 0) > len(wanted):
        wanted += [name for name in properties if name not in wanted][: schema["minProperties"] - len(wanted)]
    found = {name: sample(properties.get(name, {"type": "string"}), root) for name in wanted}
    if schema.get("minProperties", 0) > len(found):
        more = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties", {}))
        found["a1"] = sample(more if isinstance(more, dict) and more else {"type": "string"}, root)
    return found


def _text(schema: Schema) -> str:
    shortest = "a" * max(1, schema.get("minLength", 1))
    check = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return next((one for one in (shortest, *NAMES) if check.is_valid(one)), shortest)
