"""Who may read why the scheduler chose, and ask it what it would do."""

from __future__ import annotations

from computecloud.http.policy import ADMIN, READER, Rule

_DECISION = "/api/v1/decisions/{id}"
RULES = [
    Rule("computecloud:decisions:list", READER, "List placement decisions", (("GET", "/api/v1/decisions"),)),
    Rule("computecloud:decisions:show", READER, "Show a placement decision", (("GET", _DECISION),)),
    Rule("computecloud:decisions:hosts", READER, "List what became of each host", (("GET", f"{_DECISION}/hosts"),)),
    Rule("computecloud:decisions:why-not", READER, "Ask why not another host", (("GET", f"{_DECISION}/why-not"),)),
    Rule(
        "computecloud:decisions:host-names",
        ADMIN,
        "Read hosts by their names; others get names that hold within one decision",
    ),
]
