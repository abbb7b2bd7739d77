"""The host can run what the image says of itself."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "i686"}


def _wanted(request: PlacementRequest) -> tuple[str | None, str | None, str | None]:
    properties = request.image_properties
    arch = properties.get("hw_architecture") or properties.get("architecture")
    hypervisor = properties.get("img_hv_type") or properties.get("hypervisor_type")
    machine = properties.get("hw_machine_type")
    return (ARCHITECTURES.get(arch, arch) if arch else None), (hypervisor.lower() if hypervisor else None), machine


class ImagePropertiesFilter(HostFilter):
    """Architecture, hypervisor type and machine type wanted by the image against those of the host."""

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        arch, hypervisor, machine = _wanted(request)
        if arch is None and hypervisor is None and machine is None:
            return np.ones(len(table), dtype=bool)
        return np.fromiter((self._refusal(table, request, row) is None for row in range(len(table))), bool, len(table))

    @staticmethod
    def _refusal(table: HostTable, request: PlacementRequest, row: int) -> str | None:
        arch, hypervisor, machine = _wanted(request)
        facts = table.facts[row]
        if arch is not None and arch != facts["arch"]:
            return f"image wants architecture {arch}, host has {facts['arch']}"
        if hypervisor is not None and hypervisor not in (facts["hypervisor_type"].lower(),):
            return f"image wants hypervisor {hypervisor}, host has {facts['hypervisor_type']}"
        if machine is not None and facts["machine_types"] and machine not in facts["machine_types"]:
            return f"image wants machine type {machine}, which the host does not have"
        return None

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return self._refusal(table, request, row) or "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        rows = np.flatnonzero(considered)
        return self.reason(table, request, int(rows[0])) if len(rows) else "no host suits the image's properties"
