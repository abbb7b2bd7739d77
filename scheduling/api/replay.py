"""/api/v1/placements/replay: what other filters or weights would have done with the placements of a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework_dataclasses.serializers import DataclassSerializer

from computecloud.core.errors import Invalid
from computecloud.http.answers import answer
from computecloud.http.microversions import VersionedSchema
from computecloud.http.views import ServiceViewSet, accepts
from scheduling import configuration
from scheduling.api.rules import CHANGE
from scheduling.models import Decision
from scheduling.models.decision import DecisionQuerySet
from scheduling.replay import Outcome, replay
from scheduling.rules import Rules

MOST = 10_000
TIME = {"type": "string", "maxLength": 40}
BODY = VersionedSchema(
    {
        "type": "object",
        "properties": {
            "created_after": TIME,
            "created_before": TIME,
            "trigger": {"type": "string", "maxLength": 32},
            "project_id": {"type": "string", "maxLength": 64},
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
            "filters": CHANGE["properties"]["filters"],
            "weighers": CHANGE["properties"]["weighers"],
            "host_subset_size": {"type": "integer", "minimum": 1, "maximum": 10_000},
        },
        "additionalProperties": False,
    }
)


class OutcomeSerializer(DataclassSerializer[Outcome]):
    class Meta:
        dataclass = Outcome


class ReplaySerializer(serializers.Serializer[Any]):
    """Which decisions, newest first, and under which rules: what is left out is as it is in force now."""

    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    trigger = serializers.CharField(required=False)
    project_id = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST, default=1000)
    filters = serializers.ListField(child=serializers.CharField(), required=False, help_text="Names, in order.")
    weighers = serializers.DictField(child=serializers.FloatField(), required=False, help_text="Name → multiplier.")
    host_subset_size = serializers.IntegerField(required=False, min_value=1)


class ReplayViewSet(ServiceViewSet):
    """Back-tests. Nothing is written."""

    service = "native"
    policy = {"replay": "computecloud:placements:replay"}

    @extend_schema(request=ReplaySerializer, responses=OutcomeSerializer)
    @accepts(BODY)
    def replay(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        """How many winners change, failures gained and lost, spread before and after."""
        chosen = decisions(body).order_by("-id")[: body.get("limit", 1000)]
        return answer(replay(chosen.iterator(chunk_size=200), rules_of(body)))


def decisions(body: dict[str, Any]) -> DecisionQuerySet:
    """Those that the body names. Raises Invalid."""
    rows = Decision.objects.all()
    if "created_after" in body:
        rows = rows.since(_moment(body["created_after"]))
    if "created_before" in body:
        rows = rows.before(_moment(body["created_before"]))
    if "trigger" in body:
        rows = rows.filter(trigger=body["trigger"])
    if "project_id" in body:
        rows = rows.filter(project_id=body["project_id"])
    return rows


def rules_of(body: dict[str, Any]) -> Rules:
    """The rules in force with those of the body in their place. Raises UnknownRule."""
    rules = configuration.in_force()
    if "filters" in body:
        rules = replace(rules, filters=configuration.build(0, body["filters"], None).filters)
    if "weighers" in body:
        rules = replace(rules, weighers=configuration.build(0, None, body["weighers"]).weighers)
    return replace(rules, subset_size=body.get("host_subset_size", rules.subset_size))


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or not is_aware(moment):
        raise Invalid(f"{text[:40]} is no time as ISO 8601 writes it, with its zone.")
    return moment
