"""Shapes of questions to the scheduler in our own API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers
from rest_framework_dataclasses.serializers import DataclassSerializer

from computecloud.core.ids import new_hex
from computecloud.http.microversions import HashableSchema
from instances import what_if
from instances.capacity import FlavorRoom
from scheduling.explanation import FunnelStep, funnel_of
from scheduling.host_names import HostNames
from scheduling.relaxation import Change, Remedy
from scheduling.turns import Turn

_NAMES = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255}, "maxItems": 1000}
_MORE = {"type": "integer", "minimum": 0, "maximum": 2**31}
_SIZE = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_SPECS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 255}, "maxProperties": 128}
SUPPOSE = HashableSchema(
    {
        "type": "object",
        "properties": {
            "quota": {
                "type": "object",
                "properties": dict.fromkeys(what_if.QUOTAS, _MORE),
                "additionalProperties": False,
            },
            "flavor": {
                "type": "object",
                "properties": {
                    "vcpus": {**_SIZE, "minimum": 1},
                    "ram_mb": {**_SIZE, "minimum": 1},
                    "disk_gb": _SIZE,
                    "ephemeral_gb": _SIZE,
                    "swap_mb": _SIZE,
                    "extra_specs": _SPECS,
                },
                "additionalProperties": False,
            },
            "hosts_down": _NAMES,
            "hosts_up": _NAMES,
            "ratios": {
                "type": "array",
                "maxItems": 50,
                "items": {
                    "type": "object",
                    "required": ["aggregate", "resource_class", "ratio"],
                    "properties": {
                        "aggregate": {"type": "string", "maxLength": 255},
                        "resource_class": {"type": "string", "maxLength": 255},
                        "ratio": {"type": "number", "minimum": 0, "maximum": 1000},
                    },
                    "additionalProperties": False,
                },
            },
        },
        "additionalProperties": False,
    }
)
QUESTION = HashableSchema(
    {
        "type": "object",
        "required": ["host"],
        "properties": {
            "host": {"type": "string", "minLength": 1, "maxLength": 255},
            "server_id": {"type": "string", "minLength": 1, "maxLength": 64},
            "server": {"type": "object"},
            "os:scheduler_hints": {"type": "object"},
            "OS-SCH-HNT:scheduler_hints": {"type": "object"},
        },
        "additionalProperties": False,
    }
)


@dataclass(frozen=True, slots=True)
class Landing:
    """Where one of the servers would go, in turn; ``fault`` says why nowhere."""

    number: int
    host: str | None
    zone: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Quota:
    """``admitted``: servers that quota lets in, from ``min_count`` to the count. ``changes`` together are enough."""

    fits: bool
    admitted: int
    problem: str | None
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``would_fit``: all that quota lets in find a host and their ports; servers of one request are placed together or
    not at all. ``fitting``: so many would find a host in turn. ``equals``: hosts among which the first one's
    is drawn. ``most``: how many such servers would fit on the hosts, quota or not. ``remedies``: for the first server
    without a host; each was tried."""

    would_fit: bool
    asked: int
    quota: Quota
    fitting: int
    most: int
    landings: list[Landing]
    equals: list[str]
    blocked_by: str | None
    fault: str | None
    network_problem: str | None
    remedies: list[Remedy]
    funnel: list[FunnelStep]
    wrote: bool

    @classmethod
    def of(cls, told: what_if.Answer, *, in_full: bool) -> WhatIf:
        names = HostNames(new_hex(), told.table.ids, told.table.names, in_full=in_full)
        homeless = told.homeless
        shown = (homeless or told.turns[0]).verdict
        return cls(
            would_fit=told.would_fit,
            asked=told.wanted.count,
            quota=Quota(not told.quota_problem, told.admitted, told.quota_problem or None, told.quota_remedies),
            fitting=told.fitting,
            most=told.most,
            landings=[_landing(number, turn, names) for number, turn in enumerate(told.turns, 1)],
            equals=[names.of(told.table.ids[row]) for row in told.equals[:50]],
            blocked_by=homeless.verdict.blocked_by or None if homeless else None,
            fault=names.told(homeless.verdict.fault) if homeless else None,
            network_problem=told.network_problem or None,
            remedies=told.remedies,
            funnel=funnel_of(shown, told.table.ids, names),
            wrote=False,
        )


def _landing(number: int, turn: Turn, names: HostNames) -> Landing:
    if not turn.hosts:
        return Landing(number, None, None, names.told(turn.verdict.fault))
    return Landing(number, names.of(turn.hosts[0].id), turn.hosts[0].zone, None)


class WhatIfSerializer(DataclassSerializer[WhatIf]):
    class Meta:
        dataclass = WhatIf


@dataclass(frozen=True, slots=True)
class Capacity:
    """``next``: the next page, or null."""

    items: list[FlavorRoom]
    next: str | None


class CapacitySerializer(DataclassSerializer[Capacity]):
    class Meta:
        dataclass = Capacity


class RatioSerializer(serializers.Serializer[Any]):
    aggregate = serializers.CharField(help_text="Its name.")
    resource_class = serializers.CharField()
    ratio = serializers.FloatField(min_value=0, max_value=1000)


class FlavorAsSerializer(serializers.Serializer[Any]):
    """Figures that replace the flavor's."""

    vcpus = serializers.IntegerField(required=False, min_value=1)
    ram_mb = serializers.IntegerField(required=False, min_value=1)
    disk_gb = serializers.IntegerField(required=False, min_value=0)
    ephemeral_gb = serializers.IntegerField(required=False, min_value=0)
    swap_mb = serializers.IntegerField(required=False, min_value=0)
    extra_specs: Any = serializers.DictField(child=serializers.CharField(), required=False)


class SupposeSerializer(serializers.Serializer[Any]):
    """``hosts_down``, ``hosts_up`` and ``ratios``: administrators only."""

    quota: Any = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="So much more of: " + ", ".join(what_if.QUOTAS),
    )
    flavor = FlavorAsSerializer(required=False)
    hosts_down: Any = serializers.ListField(child=serializers.CharField(), required=False)
    hosts_up: Any = serializers.ListField(child=serializers.CharField(), required=False)
    ratios: Any = RatioSerializer(many=True, required=False)


class WhatIfBodySerializer(serializers.Serializer[Any]):
    """The body of ``POST /compute/v2.1/servers`` at the microversion of the request's headers, and ``suppose``."""

    server: Any = serializers.DictField()
    suppose = SupposeSerializer(required=False)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "os:scheduler_hints": serializers.DictField(required=False)}


class WhyNotBodySerializer(serializers.Serializer[Any]):
    """``server_id`` or ``server`` (the body of a create), and the host's name or id."""

    host = serializers.CharField()
    server_id = serializers.CharField(required=False)
    server: Any = serializers.DictField(required=False)
