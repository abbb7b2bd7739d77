"""Request bodies of the Network API: checked by JSON Schema, refused in Neutron's words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import jsonschema_rs

from computecloud.core.errors import Invalid
from computecloud.http.bodies import read_json
from computecloud.http.microversions import HashableSchema, Schema, VersionedSchema
from integrations.networks.errors import HTTPBadRequest

F = TypeVar("F", bound=Callable[..., Any])
READ_ONLY = {
    "id", "status", "created_at", "updated_at", "revision_number", "tags", "subnets", "network_id", "cidr",
    "ip_version", "project_id", "tenant_id", "ipv6_ra_mode", "ipv6_address_mode", "security_group_rules",
    "binding:vif_type", "binding:vif_details", "provider:network_type", "provider:physical_network",
    "provider:segmentation_id",
}  # fmt: skip


def accepts(schema: Schema) -> Callable[[F], F]:
    """The view method gets ``body``: the request's JSON, valid by the schema. Raises HTTPBadRequest."""
    compiled = HashableSchema(schema)

    def wrap(method: F) -> F:
        @wraps(method)
        def inner(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            body = _read(request)
            try:
                compiled.validator().validate(body)
            except jsonschema_rs.ValidationError as problem:
                raise HTTPBadRequest(_words(problem)) from None
            return method(self, request, *args, body=body, **kwargs)

        inner.accepts = VersionedSchema(schema)  # type: ignore[attr-defined]  # read by the contract tests
        return inner  # type: ignore[return-value]

    return wrap


def _read(request: Any) -> Any:
    try:
        return read_json(request)
    except Invalid as problem:
        raise HTTPBadRequest(str(problem)) from None


def _words(problem: jsonschema_rs.ValidationError) -> str:
    rule = str(problem.schema_path[-1]) if problem.schema_path else ""
    place = [str(part) for part in problem.instance_path]
    if rule == "additionalProperties":
        names = [str(name)[:60] for name in getattr(problem.kind, "unexpected", [])][:5]
        if len(place) == 1 and names and all(name in READ_ONLY for name in names):
            return f"Cannot update read-only attribute {', '.join(names)}"
        return f"Unrecognized attribute(s) '{', '.join(names)}'"
    if rule == "required":
        return f"Failed to parse request. Required attribute {problem.message[:200]}"
    attribute = ".".join(place[1:]) or (place[0] if place else "body")
    return f"Invalid input for {attribute}. Reason: {problem.message[:300]}."
