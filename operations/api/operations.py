"""/api/v1/operations: what was asked of the cloud, by whom, how far it is, and its steps."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet
from rest_framework import serializers

from computecloud.http.native import BooleanFilter, ReadViewSet
from operations.models import Operation, Step
from operations.models.operation import OPEN, State


class StepSerializer(serializers.ModelSerializer[Step]):
    """One step of one attempt on a host."""

    class Meta:
        model = Step
        fields = ("attempt", "seq", "name", "state", "took_ms", "finished_at")
        read_only_fields = fields


class OperationSerializer(serializers.ModelSerializer[Operation]):
    """``host_name`` and ``details`` are null for everybody but administrators."""

    parent_id = serializers.CharField(read_only=True, allow_null=True)
    host_name = serializers.SerializerMethodField(help_text="Administrators only.")
    details = serializers.SerializerMethodField(help_text="What an operator may read. Administrators only.")
    steps = StepSerializer(many=True, read_only=True)

    class Meta:
        model = Operation
        fields = (
            "id", "verb", "subject_kind", "subject_id", "state", "progress", "attempt", "project_id", "user_id",
            "request_id", "parent_id", "host_name", "fault_code", "fault", "details", "created_at", "updated_at",
            "started_at", "finished_at", "deadline_at", "steps",
        )  # fmt: skip
        read_only_fields = fields

    def get_host_name(self, row: Operation) -> str | None:
        return row.host_name if self._is_admin() else None

    def get_details(self, row: Operation) -> str | None:
        return row.details if self._is_admin() else None

    def _is_admin(self) -> bool:
        return bool(self.context["request"].actor.is_admin)


class OperationFilter(django_filters.FilterSet):
    """Times are ISO 8601. ``state`` may be named more than once."""

    verb = django_filters.CharFilter()
    state = django_filters.MultipleChoiceFilter(choices=State.choices)
    subject_kind = django_filters.CharFilter()
    subject_id = django_filters.CharFilter()
    request_id = django_filters.CharFilter()
    parent_id = django_filters.CharFilter(field_name="parent_id")
    project_id = django_filters.CharFilter(label="Another project's only for administrators.")
    user_id = django_filters.CharFilter()
    is_open = BooleanFilter(method="only_open", label="Neither succeeded, failed nor superseded.")
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
    updated_after = django_filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")
    updated_before = django_filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="lt")

    class Meta:
        model = Operation
        fields: list[str] = []

    def only_open(self, rows: QuerySet[Operation], name: str, value: bool) -> QuerySet[Operation]:
        return rows.filter(state__in=OPEN) if value else rows.exclude(state__in=OPEN)


class OperationViewSet(ReadViewSet):
    """Operations of the own project; all of them for administrators."""

    policy = {"list": "computecloud:operations:list", "retrieve": "computecloud:operations:show"}
    queryset = Operation.objects.all()
    serializer_class = OperationSerializer
    filterset_class = OperationFilter

    def visible(self, rows: Any) -> QuerySet[Operation]:
        steps = Prefetch("steps", Step.objects.order_by("attempt", "seq"))
        found: QuerySet[Operation] = (
            rows.for_actor(self.actor).defer("args", "sealed", "result").prefetch_related(steps)
        )
        return found
