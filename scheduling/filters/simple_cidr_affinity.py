"""Near an address on the hosts' own network."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import numpy as np

from scheduling.filters.base import HostFilter, where
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

DEFAULT = "/24"
Network = IPv4Network | IPv6Network


def network_of(request: PlacementRequest) -> Network | None:
    """The network of the hints ``build_near_host_ip`` and ``cidr``. Raises ValueError."""
    address = request.hints.get("build_near_host_ip")
    return ip_network(f"{address}{request.hints.get('cidr', DEFAULT)}", strict=False) if address else None


class SimpleCIDRAffinityFilter(HostFilter):
    """The host's own address is in the network of the hints ``build_near_host_ip`` and ``cidr`` (/24 without it)."""

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.hints.get("build_near_host_ip"))

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        network = network_of(request)
        if network is None:
            return np.ones(len(table), dtype=bool)

        def near(facts: dict[str, Any]) -> bool:
            return bool(facts["host_ip"]) and ip_address(facts["host_ip"]) in network

        return where(table, ("network", network), near)

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return f"its address is not in {network_of(request)}"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        return (
            f"none of the {int(considered.sum())} hosts left has an address in {network_of(request)}; "
            "a wider cidr would take in more"
        )
