"""The engine in the model admin: what is being done, what was done, what waits to be told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.decorators import display

from computecloud.http.admin import ReadOnlyAdmin, ReadOnlyInline
from operations.models import Consumer, Event, Operation, Outbox, QuotaGate, Step
from operations.models.operation import State

COLOURS = {
    State.PENDING: "info",
    State.RUNNING: "warning",
    State.SUCCEEDED: "success",
    State.FAILED: "danger",
    State.SUPERSEDED: "info",
}


class StepInline(ReadOnlyInline):
    model = Step
    fields = ("attempt", "seq", "name", "state", "took_ms", "message", "finished_at")


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = (
        "verb",
        "subject_kind",
        "subject_id",
        "shown_state",
        "host_name",
        "attempt",
        "created_at",
        "finished_at",
    )
    list_filter = ("state", "verb", "subject_kind")
    search_fields = ("id", "subject_id", "request_id", "project_id", "host_name")
    inlines = (StepInline,)

    @display(description="State", label=COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, row: Operation) -> Any:
        return row.state


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "subject_kind", "subject_id", "project_id", "created_at")
    list_filter = ("subject_kind",)
    search_fields = ("subject_id", "operation_id", "kind")


@admin.register(Outbox)
class OutboxAdmin(ReadOnlyAdmin):
    list_display = ("id", "topic", "created_at", "handled_at", "tries", "last_error")
    list_filter = ("topic",)


@admin.register(QuotaGate)
class QuotaGateAdmin(ReadOnlyAdmin):
    list_display = ("project_id", "resource", "limit", "used")
    list_filter = ("resource",)
    search_fields = ("project_id",)


@admin.register(Consumer)
class ConsumerAdmin(ReadOnlyAdmin):
    list_display = ("queue", "seen_at")
