"""``/diagnostics`` and ``/topology`` of a server: what its hypervisor counts, and how it lies on its host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from computecloud.core.clock import utcnow
from computecloud.http.answers import answer
from computecloud.http.microversions import available
from computecloud.http.policy import allows
from computecloud.http.views import ServiceViewSet, query
from instances import servers, topology
from instances.actions.diagnostics import Diagnostics
from instances.api.queries import Params
from instances.models import Instance

Told = Mapping[str, Any]
SEES_HOST = "compute:server:topology:host:index"


class DiagnosticsViewSet(ServiceViewSet):
    """A question to the server's host. Until 2.47 in libvirt's own words, from 2.48 in Nova's."""

    service = "compute"
    policy = {"list": Diagnostics.rule}

    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        told = Diagnostics.ask(self.actor, server, request.request_id)
        return answer(_standard(told, server) if request.api_version >= (2, 48) else _plain(told))


def _plain(told: Told) -> dict[str, int]:
    """``cpu0_time``, ``vda_read``, ``tap…_rx``, ``memory-actual``: nanoseconds, bytes, KiB."""
    found: dict[str, int] = {f"cpu{number}_time": time for number, time in enumerate(told["cpu_times_ns"])}
    for disk in told["disks"]:
        name = disk["device"]
        found |= {f"{name}_read_req": disk["read_requests"], f"{name}_read": disk["read_bytes"]}
        found |= {f"{name}_write_req": disk["write_requests"], f"{name}_write": disk["write_bytes"]}
        found[f"{name}_errors"] = disk["errors"]
    for nic in told["nics"]:
        for way in ("rx", "tx"):
            found[f"{nic['device']}_{way}"] = nic[f"{way}_bytes"]
            found |= {f"{nic['device']}_{way}_{what}": nic[f"{way}_{what}"] for what in ("packets", "errors", "drop")}
    found["memory"] = told["memory_mb"] * 1024
    return found | {f"memory-{name}": value for name, value in told["memory_kb"].items()}


def _standard(told: Told, server: Instance) -> dict[str, Any]:
    """Nova's driver field knows no driver of ours but libvirt; what is simulated says so as its hypervisor."""
    uptime = int((utcnow() - server.launched_at).total_seconds()) if server.launched_at else None
    return {
        "state": "running",
        "driver": "libvirt",
        "hypervisor": told["hypervisor"],
        "hypervisor_os": "linux",
        "uptime": uptime,
        "config_drive": server.config_drive,
        "num_cpus": len(told["cpu_times_ns"]),
        "num_nics": len(told["nics"]),
        "num_disks": len(told["disks"]),
        "memory_details": {"maximum": told["memory_mb"], "used": told["memory_used_mb"]},
        "cpu_details": [
            {"id": number, "time": time, "utilisation": None} for number, time in enumerate(told["cpu_times_ns"])
        ],
        "disk_details": [_disk(disk) for disk in told["disks"]],
        "nic_details": [_nic(nic) for nic in told["nics"]],
    }


def _disk(disk: Told) -> dict[str, Any]:
    same = ("read_bytes", "read_requests", "write_bytes", "write_requests")
    return {name: disk[name] for name in same} | {"errors_count": disk["errors"]}


def _nic(nic: Told) -> dict[str, Any]:
    shown: dict[str, Any] = {"mac_address": nic["mac"]}
    for way in ("rx", "tx"):
        shown |= {f"{way}_octets": nic[f"{way}_bytes"], f"{way}_rate": None}
        shown |= {f"{way}_{what}": nic[f"{way}_{what}"] for what in ("packets", "errors", "drop")}
    return shown


class TopologyViewSet(ServiceViewSet):
    """The server's NUMA cells; where they lie on the host is for administrators."""

    service = "compute"
    policy = {"list": "compute:server:topology:index"}

    @available("2.78")
    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        cells, page_kb = topology.of(server)
        return answer({"nodes": [_cell(cell, allows(self.actor, SEES_HOST)) for cell in cells], "pagesize_kb": page_kb})


def _cell(cell: topology.Cell, sees_host: bool) -> dict[str, Any]:
    """No processor is pinned by number yet: hosts with cells are simulated ones."""
    shown = {"vcpu_set": sorted(cell.processors), "siblings": [], "memory_mb": cell.ram_mb}
    return shown | ({"host_node": cell.host_cell, "cpu_pinning": {}} if sees_host else {})
