"""A query over hosts, written by the client."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from scheduling.columns import IO_OPS, SERVERS, capabilities
from scheduling.filters.base import HostFilter
from scheduling.hints import query_of
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}

class JsonFilter(HostFilter):
    """The hint ``query``: ``[">=", "$free_ram_mb", 1024]``, with = < > <= >= in not or and, over capabilities.

    Off unless switched on: it lets clients learn how full hosts are.
    """

    needs = frozenset({SERVERS, IO_OPS})

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.hints.get("query"))

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        verdicts = _evaluate(table, query_of(request.hints))
        return np.fromiter((bool(one) for one in verdicts), dtype=bool, count=len(table))

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return f"is not what the hint query asks for: {_shown(request)}"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        return f"0 of {int(considered.sum())} hosts left are what the hint query asks for: {_shown(request)}"


def _shown(request: PlacementRequest) -> str:
    return orjson.dumps(query_of(request.hints)).decode()[:200]


def _evaluate(table: HostTable, query: list[Any]) -> list[bool]:
    """One truth per host: each term is a column first."""
    if not query:
        return [True] * len(table)
    name, *terms = query
    columns = [_term(table, term) for term in terms]
    rows = zip(*columns, strict=True) if columns else ((),) * len(table)
    return [apply(name, [value for value in row if value is not None]) for row in rows]


def _term(table: HostTable, term: Any) -> list[Any]:
    if isinstance(term, list):
        return _evaluate(table, term)
    if isinstance(term, str) and term.startswith("$"):
        return capabilities.values(table, term[1:].split("."))
    return [term] * len(table)


def apply(name: str, values: list[Any]) -> bool:
    """One operator on one host's values. Comparing what cannot be compared is false; so is comparing one value."""
    match name:
        case "and":
            return all(values)
        case "or":
            return any(values)
        case "not":
            return any(not value for value in values)
        case "in":
            return len(values) > 1 and values[0] in values[1:]
        case _:
            try:
                return len(values) > 1 and all(COMPARE[name](values[0], other) for other in values[1:])
            except TypeError:
                return False
