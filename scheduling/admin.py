"""The scheduler in the model admin: every decision with its reasons, who of a group is where, the rules."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from computecloud.core.context import request_id
from computecloud.http.admin import ActionAdmin, ReadOnlyAdmin
from scheduling import configuration, decision_page
from scheduling.models import Decision, GroupHome, GroupPlacement, RuleSet, Snapshot


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """The list, and a page for each decision that shows how it came about."""

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

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        decision = self.get_object(request, object_id)
        if request.method != "GET" or decision is None or not self.has_view_permission(request, decision):
            answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
            return answer
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(decision),
            **decision_page.context(decision, request.GET),
        }
        return TemplateResponse(request, "admin/scheduling/decision/page.html", context)


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


@admin.register(RuleSet)
class RuleSetAdmin(ActionAdmin):
    """The history of the rules; the first row is in force. New combinations are put in force through the API."""

    list_display = ("revision", "filters", "weighers", "reason", "user_name", "created_at")
    search_fields = ("reason", "user_name")
    actions = ("put_in_force", "back_to_settings")

    @admin.action(description="Put in force again", permissions=["view"])
    def put_in_force(self, request: HttpRequest, queryset: QuerySet[RuleSet]) -> None:
        self.each(request, queryset, lambda row: _again(request, row), "in force", most=1)

    @admin.action(description="Put the settings in force", permissions=["view"])
    def back_to_settings(self, request: HttpRequest, queryset: QuerySet[RuleSet]) -> None:
        self.each(request, queryset, lambda row: _reset(request), "replaced", most=1)


def _change(request: HttpRequest, filters: Any, weighers: Any, reason: str) -> None:
    user: Any = request.user
    configuration.change(
        filters,
        weighers,
        expected=None,
        reason=f"{reason}, in the admin",
        user_id=str(user.pk),
        user_name=str(user),
        request_id=request_id.get(),
    )


def _again(request: HttpRequest, row: RuleSet) -> None:
    _change(request, row.filters, row.weighers, f"as {row}")


def _reset(request: HttpRequest) -> None:
    _change(request, None, None, "back to the settings")
