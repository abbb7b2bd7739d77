"""``/os-hosts``: the older call on hosts, until 2.42."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Unsupported
from computecloud.http.answers import answer
from computecloud.http.microversions import available
from computecloud.http.views import ServiceViewSet, accepts, query
from hosts.models import Host
from instances import fleet
from instances.api.queries import Params, last
from instances.api.schemas.machines import UPDATE_HOST
from instances.api.schemas.types import STRING
from instances.models.instance import Instance


def resource(host: str, project: str, cpu: int, memory_mb: int, disk_gb: int) -> dict[str, Any]:
    return {"resource": {"host": host, "project": project, "cpu": cpu, "memory_mb": memory_mb, "disk_gb": disk_gb}}


def by_project(host: Host) -> dict[str, tuple[int, int, int]]:
    """Sums of the servers' flavors on a host, for each project."""
    sums: dict[str, tuple[int, int, int]] = {}
    rows = Instance.objects.alive().on(host.pk).order_by("project_id")
    for project_id, vcpus, ram, disk, more in rows.values_list(
        "project_id", "vcpus", "ram_mb", "disk_gb", "ephemeral_gb"
    ):
        cpu, memory, space = sums.get(project_id, (0, 0, 0))
        sums[project_id] = (cpu + vcpus, memory + ram, space + disk + more)
    return sums


class HostViewSet(ServiceViewSet):
    """Hosts, for administrators. Power and maintenance of machines are not ours to do."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-hosts:list",
        "retrieve": "os_compute_api:os-hosts:show",
        "update": "os_compute_api:os-hosts:update",
        "reboot": "os_compute_api:os-hosts:reboot",
        "shutdown": "os_compute_api:os-hosts:shutdown",
        "startup": "os_compute_api:os-hosts:start",
    }

    @available(until="2.42")
    @query({"zone": STRING})
    def list(self, request: Any, params: Params) -> HttpResponse:
        zone = last(params, "zone")
        rows = [row for row in fleet.services() if not row.is_disabled and (not zone or row.zone == zone)]
        return answer({"hosts": [{"host_name": row.host, "service": row.topic, "zone": row.zone} for row in rows]})

    @available(until="2.42")
    def retrieve(self, request: Any, name: str) -> HttpResponse:
        host = fleet.find_host(name)
        has = fleet.figures_of([host.pk]).get(host.pk, fleet.Figures())
        sums = by_project(host)
        most = tuple(sum(column) for column in zip(*sums.values(), strict=True)) or (0, 0, 0)
        shown = [
            resource(name, "(total)", has.vcpus, has.ram_mb, has.disk_gb),
            resource(name, "(used_now)", has.vcpus_used, has.ram_mb_used, has.disk_gb_used),
            resource(name, "(used_max)", *most),
        ]
        return answer({"host": shown + [resource(name, project_id, *sums[project_id]) for project_id in sums]})

    @available(until="2.42")
    @accepts(UPDATE_HOST)
    def update(self, request: Any, name: str, body: dict[str, Any]) -> HttpResponse:
        fleet.find_host(name)
        if "maintenance_mode" in body:
            raise Unsupported("Feature 'maintenance_mode' is not supported; drain the host instead.")
        disabled = body["status"].lower() == "disable"
        fleet.change_compute(name, fleet.COMPUTE, is_disabled=disabled, disabled_reason="")
        return answer({"host": name, "status": "disabled" if disabled else "enabled"})

    def _power(self, name: str) -> HttpResponse:
        fleet.find_host(name)
        raise Unsupported("Turning hosts on and off is not supported.")

    @available(until="2.42")
    def reboot(self, request: Any, name: str) -> HttpResponse:
        return self._power(name)

    @available(until="2.42")
    def shutdown(self, request: Any, name: str) -> HttpResponse:
        return self._power(name)

    @available(until="2.42")
    def startup(self, request: Any, name: str) -> HttpResponse:
        return self._power(name)
