"""``/os-hypervisors``: hosts and what they have. By number until 2.52, by UUID from 2.53; figures until 2.87."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpResponse

from computecloud.core.clock import utcnow
from computecloud.core.errors import Invalid, NotFound
from computecloud.core.ids import is_uuid
from computecloud.http.answers import answer
from computecloud.http.microversions import Field, VersionedShape, available
from computecloud.http.pagination import limit_of
from computecloud.http.views import ServiceViewSet, query
from hosts.models import Host
from instances import fleet
from instances.api.links import next_links
from instances.api.queries import Params, last, only_since
from instances.api.schemas.machines import HYPERVISOR_QUERY
from instances.api.schemas.types import QUERY_BOOLEAN, truth


class HypervisorNotFound(NotFound):
    message = "Hypervisor with ID '{hypervisor_id}' could not be found."


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """A host with its figures; ``servers`` None: they were not asked for."""

    host: Host
    figures: fleet.Figures = field(default_factory=fleet.Figures)
    servers: list[dict[str, str]] | None = None


def uptime(host: Host, now: datetime) -> str | None:
    """Since when the host's agent has been at work, in the manner of the uptime command. None when it is down."""
    since = host.agent.registered_at
    if not host.is_up or since is None:
        return None
    minutes = max(int((now - since).total_seconds()), 0) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f" {now:%H:%M:%S} up {f'{days} days, ' if days else ''}{hours:2d}:{minutes:02d} (its agent)"


def service_of(row: Hypervisor, by_uuid: bool) -> dict[str, Any]:
    return {
        "id": row.host.pk if by_uuid else row.host.number,
        "host": row.host.name,
        "disabled_reason": row.host.disabled_reason or None,
    }


class BriefShape(VersionedShape):
    """A hypervisor in a list."""

    fields = {
        "id": (Field("host.number", until="2.52"), Field("host.id", since="2.53")),
        "hypervisor_hostname": Field("host.name"),
        "state": Field(lambda row, _: "up" if row.host.is_up else "down"),
        "status": Field(lambda row, _: "disabled" if row.host.is_disabled else "enabled"),
    }


class FullShape(VersionedShape):
    """A hypervisor in detail. The text of ``cpu_info`` becomes an object at 2.28."""

    fields = {
        **BriefShape.fields,
        "hypervisor_type": Field("host.hypervisor_type"),
        "hypervisor_version": Field("host.hypervisor_version"),
        "host_ip": Field("host.underlay_address"),
        "service": (
            Field(lambda row, _: service_of(row, False), until="2.52"),
            Field(lambda row, _: service_of(row, True), since="2.53"),
        ),
        "vcpus": Field("figures.vcpus", until="2.87"),
        "vcpus_used": Field("figures.vcpus_used", until="2.87"),
        "memory_mb": Field("figures.ram_mb", until="2.87"),
        "memory_mb_used": Field("figures.ram_mb_used", until="2.87"),
        "free_ram_mb": Field("figures.ram_mb_free", until="2.87"),
        "local_gb": Field("figures.disk_gb", until="2.87"),
        "local_gb_used": Field("figures.disk_gb_used", until="2.87"),
        "free_disk_gb": Field("figures.disk_gb_free", until="2.87"),
        "disk_available_least": Field("host.disk_free_gb", until="2.87"),
        "current_workload": Field(lambda row, _: 0, until="2.87"),
        "running_vms": Field("host.running_vms", until="2.87"),
        "cpu_info": (
            Field(lambda row, _: orjson.dumps(row.host.cpu_info).decode(), until="2.27"),
            Field("host.cpu_info", since="2.28", until="2.87"),
        ),
        "uptime": Field(lambda row, now: uptime(row.host, now), since="2.88"),
    }


def gather(hosts: Sequence[Host], *, figures: bool, servers: bool) -> list[Hypervisor]:
    """Hosts with what is to be shown of them: one query for each kind, not for each host."""
    ids = [host.pk for host in hosts]
    all_figures = fleet.figures_of(ids) if figures else {}
    all_servers = fleet.servers_on(ids) if servers else {}
    return [
        Hypervisor(host, all_figures.get(host.pk, fleet.Figures()), all_servers.get(host.pk) if servers else None)
        for host in hosts
    ]


def matching(pattern: str) -> list[Host]:
    """Hosts whose name holds a text. Raises NotFound when there are none."""
    found = list(fleet.living().filter(name__icontains=pattern).select_related("agent"))
    if not found:
        raise NotFound(f"No hypervisor matching '{pattern[:255]}' could be found.")
    return found


def one_value(params: Params) -> None:
    """From 2.53 each field may be sent once. Raises Invalid."""
    for name, values in params.items():
        if len(values) > 1:
            raise Invalid(f"Invalid input for query parameters {name}. It was sent more than once.")


def find(request: Any, hypervisor_id: str) -> Host:
    """A hypervisor by the id of the request's version. Raises Invalid, HypervisorNotFound."""
    if request.api_version >= (2, 53):
        if not is_uuid(hypervisor_id):
            raise Invalid(f"Invalid uuid {hypervisor_id[:100]}")
        rows = fleet.living().filter(pk=hypervisor_id)
    else:
        if not hypervisor_id.isdecimal() or len(hypervisor_id) > 9:
            raise HypervisorNotFound(hypervisor_id=hypervisor_id[:255])
        rows = fleet.living().filter(number=int(hypervisor_id))
    host = rows.select_related("agent").first()
    if host is None:
        raise HypervisorNotFound(hypervisor_id=hypervisor_id)
    return host


def page(request: Any, params: Params) -> tuple[list[Host], int]:
    """One page of hosts by number; everything before 2.33. Raises Invalid for a marker that is not there."""
    rows = fleet.living().select_related("agent")
    if request.api_version < (2, 33):
        return list(rows), 0
    limit = limit_of(params)
    if (marker := last(params, "marker")) is not None:
        by_uuid = request.api_version >= (2, 53)
        known = {str(key if by_uuid else number): number for key, number in rows.values_list("pk", "number")}
        if marker not in known:
            raise Invalid(f"marker [{marker[:255]}] not found")
        rows = rows.filter(number__gt=known[marker])
    return list(rows[:limit]), limit


class HypervisorViewSet(ServiceViewSet):
    """Hypervisors, for administrators."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-hypervisors:list",
        "list_detail": "os_compute_api:os-hypervisors:list-detail",
        "retrieve": "os_compute_api:os-hypervisors:show",
        "statistics": "os_compute_api:os-hypervisors:statistics",
        "search": "os_compute_api:os-hypervisors:search",
        "servers": "os_compute_api:os-hypervisors:servers",
        "uptime": "os_compute_api:os-hypervisors:uptime",
    }

    @query(HYPERVISOR_QUERY, strict_since="2.53")
    def list(self, request: Any, params: Params) -> HttpResponse:
        return self._list(request, params, BriefShape)

    @query(HYPERVISOR_QUERY, strict_since="2.53")
    def list_detail(self, request: Any, params: Params) -> HttpResponse:
        return self._list(request, params, FullShape)

    def _list(self, request: Any, params: Params, shape: type[VersionedShape]) -> HttpResponse:
        only_since("2.33", request, params, "limit", "marker")
        only_since("2.53", request, params, "hypervisor_hostname_pattern", "with_servers")
        if request.api_version >= (2, 53):
            one_value(params)
        with_servers = truth(last(params, "with_servers") or False)
        pattern = last(params, "hypervisor_hostname_pattern")
        if pattern is not None:
            if "limit" in params or "marker" in params:
                raise Invalid(
                    "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported."
                )
            hosts, limit = matching(pattern), 0
        else:
            hosts, limit = page(request, params)
        rows = gather(hosts, figures=shape is FullShape, servers=with_servers)
        body: dict[str, Any] = {"hypervisors": [self._shown(request, row, shape) for row in rows]}
        if limit and (
            links := next_links(request, [self._key(request, host) for host in hosts], limit, "limit" in params)
        ):
            body["hypervisors_links"] = links
        return answer(body)

    def _key(self, request: Any, host: Host) -> str:
        return host.pk if request.api_version >= (2, 53) else str(host.number)

    def _shown(self, request: Any, row: Hypervisor, shape: type[VersionedShape]) -> dict[str, Any]:
        """Servers are shown when asked for: until 2.74 only where there are some."""
        shown = shape.render(row, request.api_version, utcnow())
        if row.servers or (row.servers is not None and request.api_version >= (2, 75)):
            shown["servers"] = row.servers
        return shown

    @query({"with_servers": QUERY_BOOLEAN}, strict_since="2.53")
    def retrieve(self, request: Any, hypervisor_id: str, params: Params) -> HttpResponse:
        only_since("2.53", request, params, "with_servers")
        one_value(params)
        host = find(request, hypervisor_id)
        [row] = gather([host], figures=True, servers=truth(last(params, "with_servers") or False))
        return answer({"hypervisor": self._shown(request, row, FullShape)})

    @available(until="2.87")
    def uptime(self, request: Any, hypervisor_id: str) -> HttpResponse:
        host = find(request, hypervisor_id)
        told = uptime(host, utcnow())
        if told is None:
            raise Invalid(f"Compute service of {host.name} is unavailable at this time.")
        return answer({"hypervisor": BriefShape.render(Hypervisor(host), request.api_version) | {"uptime": told}})

    @available(until="2.52")
    def search(self, request: Any, hypervisor_id: str) -> HttpResponse:
        rows = gather(matching(hypervisor_id), figures=False, servers=False)
        return answer({"hypervisors": [self._shown(request, row, BriefShape) for row in rows]})

    @available(until="2.52")
    def servers(self, request: Any, hypervisor_id: str) -> HttpResponse:
        rows = gather(matching(hypervisor_id), figures=False, servers=True)
        return answer({"hypervisors": [self._shown(request, row, BriefShape) for row in rows]})

    @available(until="2.87")
    def statistics(self, request: Any) -> HttpResponse:
        """Sums over the enabled hosts."""
        rows = gather(list(fleet.living().filter(is_disabled=False)), figures=True, servers=False)
        words = {
            "vcpus": "vcpus", "vcpus_used": "vcpus_used", "memory_mb": "ram_mb", "memory_mb_used": "ram_mb_used",
            "free_ram_mb": "ram_mb_free", "local_gb": "disk_gb", "local_gb_used": "disk_gb_used",
            "free_disk_gb": "disk_gb_free",
        }  # fmt: skip
        sums = {word: sum(getattr(row.figures, name) for row in rows) for word, name in words.items()}
        sums |= {
            "count": len(rows),
            "running_vms": sum(row.host.running_vms for row in rows),
            "disk_available_least": sum(row.host.disk_free_gb for row in rows),
            "current_workload": 0,
        }
        return answer({"hypervisor_statistics": sums})
