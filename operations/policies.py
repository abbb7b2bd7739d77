"""Who may see operations."""

from __future__ import annotations

from computecloud.http.policy import READER, Rule

RULES = [
    Rule("computecloud:operations:list", READER, "List operations", (("GET", "/api/v1/operations"),)),
    Rule("computecloud:operations:show", READER, "Show an operation", (("GET", "/api/v1/operations/{id}"),)),
]
