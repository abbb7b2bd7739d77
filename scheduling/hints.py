"""Scheduler hints that have a form of their own: a query over hosts, and a network of hosts. Pure, without NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import orjson

COMPARING = frozenset({"=", "<", ">", "<=", ">="})
COMBINING = frozenset({"in", "not", "or", "and"})
DEEPEST = 16
NEAR = "/24"


class BadHint(ValueError):
    """A hint cannot be read; the text says why."""


def query_of(hints: Mapping[str, Any]) -> list[Any]:
    """The hint ``query`` as a nested list, its operators known. Empty: nothing is asked. Raises BadHint."""
    query = hints.get("query") or []
    if isinstance(query, str):
        try:
            query = orjson.loads(query)
        except orjson.JSONDecodeError:
            raise BadHint("query is not JSON") from None
    if not isinstance(query, list):
        raise BadHint("query is not a list")
    _check(query, DEEPEST)
    return query


def _check(query: list[Any], deep: int) -> None:
    if deep == 0:
        raise BadHint(f"query is nested deeper than {DEEPEST} lists")
    if query and (not isinstance(query[0], str) or query[0] not in COMPARING | COMBINING):
        raise BadHint(f"query has an unknown operator: {str(query[0])[:40]}")
    for term in query[1:]:
        if isinstance(term, list):
            _check(term, deep - 1)


def network_of(hints: Mapping[str, Any]) -> IPv4Network | IPv6Network | None:
    """The network of the hints ``build_near_host_ip`` and ``cidr`` (/24 without it). Raises BadHint."""
    address = hints.get("build_near_host_ip")
    if not address:
        return None
    try:
        return ip_network(f"{address}{hints.get('cidr') or NEAR}", strict=False)
    except ValueError:
        raise BadHint(f"{address}{hints.get('cidr') or NEAR} is no network".replace("\n", " ")[:120]) from None


def servers_of(hints: Mapping[str, Any], name: str) -> list[str]:
    """The servers that ``same_host`` or ``different_host`` names: one id, or a list."""
    named = hints.get(name) or []
    return [named] if isinstance(named, str) else [str(one) for one in named]
