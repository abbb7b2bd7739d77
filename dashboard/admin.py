"""Pages whose buttons reach over several apps: hosts, and the audit log of the model admin itself."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from computecloud.http.admin import ActionAdmin, ReadOnlyAdmin, ReadOnlyInline
from hosts.models import Host, Inventory
from instances import fleet


class InventoryInline(ReadOnlyInline):
    model = Inventory
    fields = ("resource_class", "total", "reserved", "ratio", "capacity", "used")


@admin.register(Host)
class HostAdmin(ActionAdmin):
    list_display = ("name", "id", "shown_up", "is_disabled", "driver", "running_vms", "disk_free_gb", "last_seen_at")
    list_filter = ("driver", "is_disabled", "is_forced_down", "is_draining")
    search_fields = ("name", "id")
    inlines = (InventoryInline,)
    actions = ("enable", "disable")

    def get_queryset(self, request: HttpRequest) -> Any:
        return Host.objects.with_liveness()

    @display(description="Up", boolean=True)  # type: ignore[untyped-decorator]
    def shown_up(self, row: Host) -> bool:
        return row.is_up

    @admin.action(description="Open for new servers", permissions=["view"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        self.each(request, queryset, lambda row: _change(row, is_disabled=False, disabled_reason=""), "opened")

    @admin.action(description="Close for new servers", permissions=["view"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        reason = f"closed in the admin by {request.user}"[:255]
        self.each(request, queryset, lambda row: _change(row, is_disabled=True, disabled_reason=reason), "closed")


def _change(row: Host, **changes: Any) -> None:
    fleet.change_compute(row.name, fleet.COMPUTE, **changes)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_filter = ("content_type",)
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "object_id", "change_message", "user__name")
