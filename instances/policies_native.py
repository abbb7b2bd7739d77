"""Who may ask the scheduler what it would do, in our own API."""

from __future__ import annotations

from computecloud.http.policy import ADMIN, MEMBER, READER, Rule

_PLACEMENTS = "/api/v1/placements"
RULES = [
    Rule(
        "computecloud:placements:what-if",
        MEMBER,
        "Ask whether servers would fit, where, and what would make them fit",
        (("POST", f"{_PLACEMENTS}/what-if"),),
    ),
    Rule(
        "computecloud:placements:suppose-hosts",
        ADMIN,
        "Suppose hosts down or back or with other ratios in a what-if, and read hosts by their names",
    ),
    Rule(
        "computecloud:placements:why-not",
        ADMIN,
        "Ask every filter about a server, or a server to be, on one host",
        (("POST", f"{_PLACEMENTS}/why-not"),),
    ),
    Rule(
        "computecloud:capacity",
        READER,
        "See how many more servers of each flavor fit; members within their quota",
        (("GET", "/api/v1/capacity"),),
    ),
]
