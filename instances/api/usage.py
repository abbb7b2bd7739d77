"""``/os-simple-tenant-usage`` and ``/os-instance_usage_audit_log``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse

from computecloud.core.clock import utcnow
from computecloud.core.errors import Invalid
from computecloud.http.answers import answer
from computecloud.http.pagination import limit_of
from computecloud.http.policy import authorize
from computecloud.http.views import ServiceViewSet, query
from instances import fleet, usage
from instances.api.links import next_links
from instances.api.queries import Params, last
from instances.api.schemas.types import LIMIT, STRING, Schema

Links = list[dict[str, str]]
FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")
SHOW_QUERY: dict[str, Schema] = {"start": STRING, "end": STRING, "limit": LIMIT, "marker": STRING}
LIST_QUERY: dict[str, Schema] = {**SHOW_QUERY, "detailed": STRING}


def moment(text: str | None, default: datetime) -> datetime:
    """One of the forms Nova reads, as UTC. Raises Invalid."""
    if not text:
        return default
    for form in FORMATS:
        try:
            return datetime.strptime(text[:40], form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Invalid("Invalid datetime string: Datetime is in invalid format")


def first(params: Params, name: str) -> str | None:
    return params[name][0] if params.get(name) else None


def asked_period(params: Params) -> usage.Period:
    """From ``start`` to ``end``, not beyond now; without both an empty one, as Nova answers. Raises Invalid."""
    now = utcnow()
    start, stop = moment(first(params, "start"), now), moment(first(params, "end"), now)
    if start > stop or (start == stop and "start" in params):
        raise Invalid("Invalid start time. The start time cannot occur after the end time.")
    return usage.Period(start, min(stop, now), now)


class UsageViewSet(ServiceViewSet):
    """Use over a period: of every project for administrators, of one's own for the others."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-simple-tenant-usage:list",
        "retrieve": "os_compute_api:os-simple-tenant-usage:show",
    }

    @query(LIST_QUERY, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        period, detailed = asked_period(params), last(params, "detailed") == "1"
        found, links = self._page(request, params, period, None)
        body: dict[str, Any] = {"tenant_usages": usage.summaries(found, period, detailed=detailed)}
        return answer(body | ({"tenant_usages_links": links} if links else {}))

    @query(SHOW_QUERY, strict_since="2.75")
    def retrieve(self, request: Any, project_id: str, params: Params) -> HttpResponse:
        authorize(self.actor, "os_compute_api:os-simple-tenant-usage:show", project_id)
        period = asked_period(params)
        found, links = self._page(request, params, period, project_id)
        nothing = usage.nothing(project_id, period, detailed=True)
        [summary] = usage.summaries(found, period, detailed=True) or [nothing]
        return answer({"tenant_usage": summary} | ({"tenant_usage_links": links} if links else {}))

    def _page(self, request: Any, params: Params, period: usage.Period, project_id: str | None) -> tuple[Any, Links]:
        if request.api_version < (2, 40):
            return usage.rows(period, project_id, None, None), []
        limit = limit_of(params)
        found = usage.rows(period, project_id, limit, last(params, "marker"))
        return found, next_links(request, [row.id for row in found], limit, "limit" in params)


def month_before(when: datetime) -> tuple[datetime, datetime]:
    """The last calendar month that was over at a time: what Nova audits by default."""
    end = when.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = end.replace(year=end.year - 1, month=12) if end.month == 1 else end.replace(month=end.month - 1)
    return begin, end


def audit_log(when: datetime) -> dict[str, Any]:
    """Nova's log of its usage notifications. There are none here, so no host has run them."""
    begin, end = month_before(when)
    names = sorted(row.host for row in fleet.services() if row.binary == fleet.COMPUTE)
    done = "ALL" if not names else f"0 of {len(names)}"
    return {
        "period_beginning": f"{begin:%Y-%m-%d %H:%M:%S}",
        "period_ending": f"{end:%Y-%m-%d %H:%M:%S}",
        "num_hosts": len(names),
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": len(names),
        "hosts_not_run": names,
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": f"{done} hosts done. 0 errors.",
        "log": {},
    }


class AuditLogViewSet(ServiceViewSet):
    """Nova's periodic usage notifications, of which this cloud sends none: the report says so."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-instance-usage-audit-log:list",
        "retrieve": "os_compute_api:os-instance-usage-audit-log:show",
    }

    @query({}, strict_since="2.102")
    def list(self, request: Any, params: Params) -> HttpResponse:
        return answer({"instance_usage_audit_logs": audit_log(utcnow())})

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, before: str, params: Params) -> HttpResponse:
        for form in ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S"):
            try:
                when = datetime.strptime(before[:40], form).replace(tzinfo=UTC)
            except ValueError:
                continue
            return answer({"instance_usage_audit_log": audit_log(when)})
        raise Invalid(f"Invalid timestamp for date {before[:100]}")
