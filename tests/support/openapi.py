"""Whether an answer of our own API has the shape that its committed document promises."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi-native.yaml"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMMITTED.read_text())
    return found


@cache
def _validator(method: str, path: str, status: str) -> Any:
    answers = document()["paths"][path][method]["responses"]
    schema = answers[status]["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft4Validator({"components": _strict(document()["components"]), **_strict(schema)})


def _strict(schema: Any) -> Any:
    """OpenAPI's ``nullable`` as JSON Schema says it; what the document does not name may not be there."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    if found.pop("nullable", False):
        return {"anyOf": [found, {"type": "null"}]}
    return found


def conforms(method: str, path: str, answer: Any, status: int = 200) -> None:
    """Raises jsonschema_rs.ValidationError."""
    _validator(method, path, str(status)).validate(answer)
