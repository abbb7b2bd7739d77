"""/api/v1/decisions: why a server is where it is, or nowhere."""

from __future__ import annotations

from datetime import datetime
from itertools import dropwhile, islice
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema

from computecloud.core.errors import Invalid, NotFound
from computecloud.http.answers import answer
from computecloud.http.native import DEFAULT_LIMIT, BooleanFilter, ReadViewSet
from computecloud.http.pagination import limit_of, next_link
from computecloud.http.policy import allows
from scheduling.api.shapes import (
    DecisionSerializer,
    HostOutcomeSerializer,
    ShownDecision,
    ShownDecisionSerializer,
    WhyNotSerializer,
)
from scheduling.explanation import ACCEPTED_BY_ALL, CHOSEN, REFUSED, Explanation, HostOutcome
from scheduling.models import Decision
from scheduling.models.decision import DecisionQuerySet

HOST_NAMES = "computecloud:decisions:host-names"
OUTCOMES = (REFUSED, ACCEPTED_BY_ALL, CHOSEN)
HOST = OpenApiParameter("host", str, required=True, description="As the decision's other answers call it.")
HOSTS = [
    OpenApiParameter("limit", int, description="How many at most."),
    OpenApiParameter("marker", str, description="The last host of the page before."),
    OpenApiParameter("outcome", str, enum=OUTCOMES),
    OpenApiParameter("filter", str, description="Only hosts that this filter refused first."),
]


class NotKept(NotFound):
    message = "The hosts that decision {id} was made on are not kept any more."


class DecisionFilter(django_filters.FilterSet):
    """Times are ISO 8601. ``consumer_id`` is the server's id."""

    consumer_id = django_filters.CharFilter()
    project_id = django_filters.CharFilter(label="Another project's only for administrators.")
    trigger = django_filters.CharFilter()
    blocked_by = django_filters.CharFilter(label="The filter that refused the last host.")
    is_placed = BooleanFilter(method="only_placed", label="Whether a host was found.")
    lost_races = django_filters.NumberFilter(lookup_expr="gte", label="At least so many.")
    took_us_over = django_filters.NumberFilter(field_name="took_us", lookup_expr="gte")
    created_after = django_filters.IsoDateTimeFilter(method="made_since")
    created_before = django_filters.IsoDateTimeFilter(method="made_before")

    class Meta:
        model = Decision
        fields: list[str] = []

    def only_placed(self, rows: QuerySet[Decision], name: str, value: bool) -> QuerySet[Decision]:
        return rows.exclude(chosen_host_id="") if value else rows.filter(chosen_host_id="")

    def made_since(self, rows: DecisionQuerySet, name: str, value: datetime) -> DecisionQuerySet:
        return rows.since(value)

    def made_before(self, rows: DecisionQuerySet, name: str, value: datetime) -> DecisionQuerySet:
        return rows.before(value)


class DecisionViewSet(ReadViewSet):
    """Decisions about the own project's servers, hosts' names hidden; all of them in full for administrators."""

    policy = {
        "list": "computecloud:decisions:list",
        "retrieve": "computecloud:decisions:show",
        "hosts": "computecloud:decisions:hosts",
        "why_not": "computecloud:decisions:why-not",
    }
    queryset = Decision.objects.all()
    serializer_class = DecisionSerializer
    filterset_class = DecisionFilter

    def visible(self, rows: Any) -> QuerySet[Decision]:
        found: QuerySet[Decision] = rows.for_actor(self.actor)
        return found.defer("body") if self.action == "list" else found

    @property
    def in_full(self) -> bool:
        return allows(self.actor, HOST_NAMES)

    def explained(self, id: str) -> Explanation:
        row = self.get_queryset().filter(pk=id).first()
        if row is None:
            raise NotFound
        told = Explanation(row, in_full=self.in_full)
        if not told.is_kept:
            raise NotKept(id=row.id)
        return told

    @extend_schema(responses=ShownDecisionSerializer)
    def retrieve(self, request: Any, id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return answer(ShownDecision.of(self.explained(id)))

    @extend_schema(
        parameters=HOSTS,
        responses=HostOutcomeSerializer(many=True),
        filters=False,
    )
    def hosts(self, request: Any, id: str) -> HttpResponse:
        """What became of each host: the first filter that refused it, with the two numbers compared."""
        params = request._request.GET
        refuse_unknown(params, {"limit", "marker", "outcome", "filter"})
        if params.get("outcome") not in (None, *OUTCOMES):
            raise Invalid(f"outcome is one of {', '.join(OUTCOMES)}.")
        limit = limit_of(dict(params.lists())) if "limit" in params else DEFAULT_LIMIT
        told = self.explained(id)
        wanted = (one for one in _after(told, params.get("marker")) if _is_wanted(one, params))
        page = list(islice(wanted, limit + 1))
        more = next_link(request, page[limit - 1].host, limit) if len(page) > limit else None
        return answer({"items": page[:limit], "next": more})

    @extend_schema(parameters=[HOST], responses=WhyNotSerializer, filters=False)
    def why_not(self, request: Any, id: str) -> HttpResponse:
        """Every filter's verdict on one host, and where it stood among those that all accepted."""
        params = request._request.GET
        refuse_unknown(params, {"host"})
        if not params.get("host"):
            raise Invalid("Say which host: ?host=")
        found = self.explained(id).why_not(params["host"])
        if found is None:
            raise NotFound("The decision knew no host of that name.")
        return answer(found)


def _after(told: Explanation, marker: str | None) -> Any:
    """Outcomes after the marker's. Raises Invalid when no host is called so."""
    if marker is None:
        return told.outcomes()
    host_id = told.names.find(marker)
    if host_id is None:
        raise Invalid("The marker names no host of this decision.")
    rest = dropwhile(lambda one: one.host != told.names.of(host_id), told.outcomes())
    next(rest)
    return rest


def _is_wanted(one: HostOutcome, params: Any) -> bool:
    return params.get("outcome") in (None, one.outcome) and params.get("filter") in (None, one.filter)


def refuse_unknown(params: Any, known: set[str]) -> None:
    """Raises Invalid for a query parameter that nobody reads."""
    if unknown := sorted(set(params) - known):
        raise Invalid(f"Unknown query parameter: {unknown[0][:60]}. Known are: {', '.join(sorted(known))}.")
