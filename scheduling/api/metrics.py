"""/api/v1/metrics: the scheduler's counters, for Prometheus."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST

from computecloud.conf import conf
from computecloud.core.actor import Actor, expand_roles
from computecloud.http.clients import comes_from
from computecloud.http.views import ServiceViewSet
from scheduling import metrics
from scheduling.api.decisions import refuse_unknown


class MetricsViewSet(ServiceViewSet):
    """For administrators, and for whoever asks from ``metrics_networks``: Prometheus there needs no token."""

    service = "native"
    policy = {"show": "computecloud:metrics"}

    def who(self, raw: Any, rule_name: str) -> Actor | None:
        if "X-Auth-Token" not in raw.headers and comes_from(raw, conf().metrics_networks):
            return Actor(user_id="", user_name="metrics", roles=expand_roles({"admin"}))
        return super().who(raw, rule_name)

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR}, operation_id="metrics_show")
    def show(self, request: Any) -> HttpResponse:
        """In Prometheus' text format."""
        refuse_unknown(request._request.GET, set())
        return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)
