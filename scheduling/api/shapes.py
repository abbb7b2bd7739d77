"""Shapes of decisions in our own API: what the OpenAPI document says of them follows from these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest_framework import serializers
from rest_framework_dataclasses.serializers import DataclassSerializer

from scheduling.explanation import Explanation, Finalist, FunnelStep, HostOutcome, WhyNot
from scheduling.models import Decision


@dataclass(frozen=True, slots=True)
class ShownDecision:
    """One decision in full. ``chosen_host`` null: no host was found, and ``fault`` says why."""

    id: str
    consumer_id: str
    project_id: str
    trigger: str
    is_placed: bool
    chosen_host: str | None
    alternates: list[str]
    blocked_by: str
    fault: str
    lost_races: int
    hosts_seen: int
    took_us: int
    stages_us: dict[str, int]
    seed: int
    rules: str
    notes: list[str]
    created_at: datetime
    request: dict[str, Any]
    funnel: list[FunnelStep]
    finalists: list[Finalist]

    @classmethod
    def of(cls, told: Explanation) -> ShownDecision:
        row, body = told.decision, told.body
        return cls(
            id=row.id,
            consumer_id=row.consumer_id,
            project_id=row.project_id,
            trigger=row.trigger,
            is_placed=bool(row.chosen_host_id),
            chosen_host=told.chosen(),
            alternates=told.alternates(),
            blocked_by=row.blocked_by,
            fault=told.names.told(row.fault),
            lost_races=row.lost_races,
            hosts_seen=row.hosts_seen,
            took_us=row.took_us,
            stages_us=body.stages_us,
            seed=row.seed,
            rules=row.rules,
            notes=body.notes,
            created_at=row.created_at,
            request=told.request(),
            funnel=told.funnel(),
            finalists=told.finalists(),
        )


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    """A decision in a list. ``chosen_host_name`` is null for everybody but administrators."""

    is_placed = serializers.SerializerMethodField()
    chosen_host_name = serializers.SerializerMethodField(help_text="Administrators only.")

    class Meta:
        model = Decision
        fields = (
            "id", "consumer_id", "project_id", "trigger", "is_placed", "chosen_host_name", "blocked_by", "fault",
            "lost_races", "hosts_seen", "took_us", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_is_placed(self, row: Decision) -> bool:
        return bool(row.chosen_host_id)

    def get_chosen_host_name(self, row: Decision) -> str | None:
        return row.chosen_host_name if self.context["view"].in_full else None


class ShownDecisionSerializer(DataclassSerializer[ShownDecision]):
    class Meta:
        dataclass = ShownDecision


class HostOutcomeSerializer(DataclassSerializer[HostOutcome]):
    class Meta:
        dataclass = HostOutcome


class WhyNotSerializer(DataclassSerializer[WhyNot]):
    class Meta:
        dataclass = WhyNot
