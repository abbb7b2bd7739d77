"""Servers and what they are made from, in the model admin. Buttons run the verbs that the API runs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from computecloud.core.actor import Actor, expand_roles
from computecloud.http.admin import ActionAdmin, ReadOnlyAdmin, ReadOnlyInline
from instances.actions.power import Start, Stop
from instances.actions.reboot import Reboot
from instances.actions.resize import Migrate
from instances.actions.resize_end import ConfirmResize, RevertResize
from instances.actions.soft_delete import remove
from instances.models import Flavor, FlavorAccess, Instance, InstanceTag, KeyPair, Move, ServerGroup, UserQuota

COLOURS = {"ACTIVE": "success", "ERROR": "danger", "BUILD": "warning", "SHUTOFF": "info", "DELETED": "info"}


def _actor(request: HttpRequest) -> Actor:
    """The administrator behind the page. Only cloud administrators have a session here."""
    user: Any = request.user
    return Actor(user_id=str(user.pk), user_name=str(user), roles=expand_roles({"admin"}))


def _request_id(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))


class TagInline(ReadOnlyInline):
    model = InstanceTag


class AccessInline(ReadOnlyInline):
    model = FlavorAccess


@admin.register(Instance)
class InstanceAdmin(ActionAdmin):
    list_display = ("name", "id", "shown_status", "task_state", "host", "flavor_name", "project_id", "created_at")
    list_filter = ("status", "availability_zone", "flavor_name")
    list_select_related = ("host",)
    search_fields = ("id", "name", "project_id", "host__name")
    exclude = ("user_data", "encrypted_password")
    inlines = (TagInline,)
    actions = ("start", "stop", "reboot", "migrate", "confirm_resize", "revert_resize", "delete_servers")

    @display(description="Status", label=COLOURS, ordering="status")  # type: ignore[untyped-decorator]
    def shown_status(self, row: Instance) -> str:
        return row.status

    @admin.action(description="Start", permissions=["view"])
    def start(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: Start.request(actor, row, request_id), "asked to start")

    @admin.action(description="Stop", permissions=["view"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: Stop.request(actor, row, request_id), "asked to stop")

    @admin.action(description="Reboot (hard)", permissions=["view"])
    def reboot(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: Reboot.request(actor, row, request_id, type="HARD"), "asked to reboot")

    @admin.action(description="Migrate, off meanwhile", permissions=["view"])
    def migrate(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: Migrate.request(actor, row, request_id), "asked to migrate")

    @admin.action(description="Confirm the resize", permissions=["view"])
    def confirm_resize(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: ConfirmResize.request(actor, row, request_id), "asked to confirm")

    @admin.action(description="Revert the resize", permissions=["view"])
    def revert_resize(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: RevertResize.request(actor, row, request_id), "asked to revert")

    @admin.action(description="Delete the servers", permissions=["view"])
    def delete_servers(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        actor, request_id = _actor(request), _request_id(request)
        self.each(request, queryset, lambda row: remove(actor, row, request_id), "asked to delete")


@admin.register(Move)
class MoveAdmin(ReadOnlyAdmin):
    list_display = ("uuid", "kind", "status", "instance", "source_name", "dest_name", "project_id", "created_at")
    list_filter = ("kind", "status", "is_open")
    list_select_related = ("instance",)
    search_fields = ("uuid", "instance__id", "project_id", "source_name", "dest_name")


@admin.register(Flavor)
class FlavorAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "vcpus", "ram_mb", "disk_gb", "ephemeral_gb", "swap_mb", "is_public", "disabled")
    list_filter = ("is_public", "disabled")
    search_fields = ("name", "id")
    inlines = (AccessInline,)


@admin.register(KeyPair)
class KeyPairAdmin(ReadOnlyAdmin):
    list_display = ("name", "user_id", "type", "fingerprint", "created_at")
    list_filter = ("type",)
    search_fields = ("name", "user_id", "fingerprint")


@admin.register(ServerGroup)
class ServerGroupAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "policy", "project_id", "created_at")
    list_filter = ("policy",)
    search_fields = ("name", "id", "project_id")


@admin.register(UserQuota)
class UserQuotaAdmin(ReadOnlyAdmin):
    list_display = ("project_id", "user_id", "resource", "limit")
    list_filter = ("resource",)
    search_fields = ("project_id", "user_id")
