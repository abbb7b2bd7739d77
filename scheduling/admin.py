"""The scheduler in the model admin: every decision with its reasons, and who of a group is where."""

from __future__ import annotations

from django.contrib import admin

from computecloud.http.admin import ReadOnlyAdmin
from scheduling.models import Decision, GroupHome, GroupPlacement, Snapshot


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = (
        "consumer_id",
        "trigger",
        "chosen_host_name",
        "hosts_seen",
        "lost_races",
        "took_us",
        "blocked_by",
        "fault",
        "created_at",
    )
    list_filter = ("trigger", "blocked_by")
    exclude = ("body",)
    search_fields = ("id", "consumer_id", "project_id", "chosen_host_name")


@admin.register(GroupPlacement)
class GroupPlacementAdmin(ReadOnlyAdmin):
    list_display = ("group_id", "host_id", "consumer_id", "slot", "is_hard")
    search_fields = ("group_id", "host_id", "consumer_id")


@admin.register(GroupHome)
class GroupHomeAdmin(ReadOnlyAdmin):
    list_display = ("group_id", "host_id", "members")
    search_fields = ("group_id", "host_id")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "basis", "created_at")
    list_filter = ("kind",)
    exclude = ("data",)
