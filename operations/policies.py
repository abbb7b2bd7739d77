"""Who may see operations."""

from __future__ import annotations

from computecloud.http.policy import PUBLIC, READER, Rule

RULES = [
    Rule("computecloud:schema", PUBLIC, "Read the OpenAPI document", (("GET", "/api/v1/schema"),)),
    Rule("computecloud:operations:list", READER, "List operations", (("GET", "/api/v1/operations"),)),
    Rule("computecloud:operations:show", READER, "Show an operation", (("GET", "/api/v1/operations/{id}"),)),
]
