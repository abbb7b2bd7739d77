"""Near an address on the hosts' own network."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import numpy as np

from scheduling.filters.base import HostFilter, where
from scheduling.hints import network_of
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class SimpleCIDRAffinityFilter(HostFilter):
    """The host's own address is in the network of the hints ``build_near_host_ip`` and ``cidr`` (/24 without it)."""

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.hints.get("build_near_host_ip"))

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        network = network_of(request.hints)
        if network is None:
            return np.ones(len(table), dtype=bool)

        def near(facts: dict[str, Any]) -> bool:
            return bool(facts["host_ip"]) and ip_address(facts["host_ip"]) in network

        return where(table, ("network", network), near)

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return f"its address is not in {network_of(request.hints)}"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        return (
            f"none of the {int(considered.sum())} hosts left has an address in {network_of(request.hints)}; "
            "a wider cidr would take in more"
        )
