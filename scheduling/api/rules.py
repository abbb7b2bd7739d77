"""/api/v1/scheduler: which filters and weighers are in force, changed at run time; and who changed them when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from computecloud.core.context import request_id
from computecloud.http.answers import answer
from computecloud.http.native import ReadViewSet
from computecloud.http.views import ServiceViewSet, accepts
from scheduling import configuration
from scheduling.configuration import LARGEST
from scheduling.models import RuleSet
from scheduling.rules import Rules

NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
CHANGE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "filters": {"type": "array", "items": NAME, "maxItems": 64, "uniqueItems": True},
        "weighers": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": -LARGEST, "maximum": LARGEST},
            "maxProperties": 64,
        },
        "reason": {"type": "string", "maxLength": 255},
        "revision": {"type": "integer", "minimum": 0, "maximum": 2**31 - 2},
    },
    "additionalProperties": False,
}


class FilterSerializer(serializers.Serializer[Any]):
    """A filter that may be in force. ``position``: from 0; null when it is not."""

    name = serializers.CharField()
    position = serializers.IntegerField(allow_null=True)
    description = serializers.CharField()


class WeigherSerializer(serializers.Serializer[Any]):
    """A weigher that may be in force. ``multiplier``: null when it is not."""

    name = serializers.CharField()
    multiplier = serializers.FloatField(allow_null=True)
    aggregate_key = serializers.CharField(help_text="Key of aggregate metadata that sets another multiplier.")
    description = serializers.CharField()


class RulesSerializer(serializers.Serializer[Any]):
    """What is in force, in order, then what else could be. ``revision`` 0: never changed at run time."""

    revision = serializers.IntegerField()
    is_default = serializers.BooleanField(help_text="As the settings say.")
    problems = serializers.ListField(child=serializers.CharField(), help_text="Wrong names in the settings.")
    filters = FilterSerializer(many=True)
    weighers = WeigherSerializer(many=True)


class RulesChangeSerializer(serializers.Serializer[Any]):
    """What to put in force. Filters or weighers that are left out are those of the settings."""

    filters = serializers.ListField(child=serializers.CharField(), required=False, help_text="Names, in order.")
    weighers = serializers.DictField(child=serializers.FloatField(), required=False, help_text="Name → multiplier.")
    reason = serializers.CharField(required=False, max_length=255)
    revision = serializers.IntegerField(required=False, help_text="The one you saw: 409 when it was changed meanwhile.")


class RevisionSerializer(serializers.ModelSerializer[RuleSet]):
    """One change. ``filters`` or ``weighers`` null: those of the settings."""

    filters = serializers.ListField(child=serializers.CharField(), read_only=True, allow_null=True)
    weighers = serializers.DictField(child=serializers.FloatField(), read_only=True, allow_null=True)

    class Meta:
        model = RuleSet
        fields = ("revision", "filters", "weighers", "reason", "user_id", "user_name", "request_id", "created_at")
        read_only_fields = fields


class RulesViewSet(ServiceViewSet):
    """The rules in force; every scheduler takes a change within a second or two."""

    service = "native"
    policy = {
        "show": "computecloud:scheduler:show",
        "update": "computecloud:scheduler:update",
        "reset": "computecloud:scheduler:reset",
    }

    @extend_schema(responses=RulesSerializer)
    def show(self, request: Any) -> HttpResponse:
        return answer(shown(configuration.in_force()))

    @extend_schema(request=RulesChangeSerializer, responses=RulesSerializer)
    @accepts(CHANGE)
    def update(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return self._change(body.get("filters"), body.get("weighers"), body.get("reason", ""), body.get("revision"))

    @extend_schema(responses={200: RulesSerializer})
    def reset(self, request: Any) -> HttpResponse:
        return self._change(None, None, "back to the settings", None)

    def _change(
        self, filters: list[str] | None, weighers: dict[str, float] | None, reason: str, expected: int | None
    ) -> HttpResponse:
        configuration.change(
            filters,
            weighers,
            expected=expected,
            reason=reason,
            user_id=self.actor.user_id,
            user_name=self.actor.user_name,
            request_id=request_id.get(),
        )
        return answer(shown(configuration.in_force()))


class RevisionViewSet(ReadViewSet):
    """Every change of the scheduler's rules, the newest first."""

    policy = {"list": "computecloud:scheduler:revisions"}
    queryset = RuleSet.objects.all()
    serializer_class = RevisionSerializer
    sort = (("revision", "desc"),)


def shown(rules: Rules) -> dict[str, Any]:
    """The rules as the API tells them."""
    positions = {key_of(rule, configuration.known_filters()): number for number, rule in enumerate(rules.filters)}
    weights = {key_of(weigher, configuration.known_weighers()): weight for weigher, weight in rules.weighers}
    return {
        "revision": rules.revision,
        "is_default": rules.is_default,
        "problems": list(rules.problems),
        "filters": [
            {"name": name, "position": positions.get(name), "description": first_line(kind)}
            for name, kind in ordered(configuration.known_filters(), positions)
        ],
        "weighers": [
            {
                "name": name,
                "multiplier": weights.get(name),
                "aggregate_key": kind.multiplier_key,
                "description": first_line(kind),
            }
            for name, kind in ordered(configuration.known_weighers(), weights)
        ],
    }


def key_of(rule: object, known: dict[str, Any]) -> str:
    """The name by which a rule is known."""
    return next((name for name, kind in known.items() if type(rule) is kind), type(rule).__name__)


def ordered(known: dict[str, Any], chosen: Iterable[str]) -> list[tuple[str, Any]]:
    """Those in force in their order, then the others by name."""
    first = [name for name in chosen if name in known]
    return [(name, known[name]) for name in [*first, *sorted(known.keys() - set(first))]]


def first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]
