"""Who may read why the scheduler chose, ask it what it would do, and change its rules."""

from __future__ import annotations

from computecloud.http.policy import ADMIN, READER, Rule

_DECISION = "/api/v1/decisions/{id}"
_RULES = "/api/v1/scheduler"
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
    Rule("computecloud:scheduler:show", ADMIN, "Show which filters and weighers are in force", (("GET", _RULES),)),
    Rule("computecloud:scheduler:update", ADMIN, "Put other filters and weighers in force", (("PUT", _RULES),)),
    Rule("computecloud:scheduler:reset", ADMIN, "Put those of the settings back in force", (("DELETE", _RULES),)),
    Rule("computecloud:scheduler:revisions", ADMIN, "List who changed them", (("GET", f"{_RULES}/revisions"),)),
    Rule(
        "computecloud:placements:replay",
        ADMIN,
        "Decide stored placements again under other rules",
        (("POST", "/api/v1/placements/replay"),),
    ),
    Rule("computecloud:metrics", ADMIN, "Read the scheduler's counters", (("GET", "/api/v1/metrics"),)),
]
