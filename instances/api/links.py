"""Links inside Compute answers: to a thing, and to the next page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from computecloud.http.pagination import next_link, public_link

Link = dict[str, str]


def thing_links(collection: str, identifier: str) -> list[Link]:
    """``self`` (with the version in the path) and ``bookmark`` (without it)."""
    place = f"{collection}/{quote(identifier)}"
    return [
        {"rel": "self", "href": public_link(f"/compute/v2.1/{place}")},
        {"rel": "bookmark", "href": public_link(f"/compute/{place}")},
    ]


def next_links(request: Any, names: Sequence[str], limit: int, asked: bool) -> list[Link]:
    """The link to the next page, when this one is full. ``names``: the rows' markers; ``asked``: a limit was sent."""
    if not names or len(names) < limit:
        return []
    return [{"rel": "next", "href": next_link(request, names[-1], limit if asked else None)}]
