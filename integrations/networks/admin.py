"""The Network service in the admin site: to look at. Changes go through the API, which keeps quotas right."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from integrations.networks.models import (
    FixedAddress,
    Network,
    Port,
    QuotaGate,
    Router,
    RouterInterface,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Tag,
)


class Watched:
    """Read-only, without buttons that add, change or delete."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False


class WatchedAdmin(Watched, ModelAdmin):  # type: ignore[misc]  # unfold is untyped
    """Base of the pages here."""

    show_full_result_count = False
    list_per_page = 50


class WatchedInline(Watched, TabularInline):  # type: ignore[misc]
    """Base of the tables inside pages."""

    extra = 0
    tab = True


class SubnetInline(WatchedInline):
    model = Subnet
    fields = ("name", "cidr", "gateway_ip", "enable_dhcp")


class AddressInline(WatchedInline):
    model = FixedAddress
    fields = ("subnet", "address")


class RuleInline(WatchedInline):
    model = SecurityGroupRule
    fk_name = "group"
    fields = (
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group",
    )


class InterfaceInline(WatchedInline):
    model = RouterInterface
    fields = ("subnet", "port")


@admin.register(Network)
class NetworkAdmin(WatchedAdmin):
    list_display = ("name", "id", "project_id", "segment", "mtu", "shared", "is_external", "created_at")
    list_filter = ("shared", "is_external")
    search_fields = ("id", "name", "project_id")
    inlines = (SubnetInline,)


@admin.register(Subnet)
class SubnetAdmin(WatchedAdmin):
    list_display = ("name", "id", "project_id", "network", "cidr", "gateway_ip", "enable_dhcp")
    list_filter = ("ip_version", "enable_dhcp")
    list_select_related = ("network",)
    search_fields = ("id", "name", "project_id", "cidr")


@admin.register(Port)
class PortAdmin(WatchedAdmin):
    list_display = ("id", "name", "project_id", "network", "mac_address", "status", "device_owner", "host_name")
    list_filter = ("status", "device_owner")
    list_select_related = ("network",)
    search_fields = ("id", "name", "project_id", "mac_address", "device_id", "server_id")
    inlines = (AddressInline,)


@admin.register(SecurityGroup)
class SecurityGroupAdmin(WatchedAdmin):
    list_display = ("name", "id", "project_id", "description", "created_at")
    search_fields = ("id", "name", "project_id")
    inlines = (RuleInline,)


@admin.register(Router)
class RouterAdmin(WatchedAdmin):
    list_display = ("name", "id", "project_id", "admin_state_up", "created_at")
    search_fields = ("id", "name", "project_id")
    inlines = (InterfaceInline,)


@admin.register(QuotaGate)
class QuotaGateAdmin(WatchedAdmin):
    list_display = ("project_id", "resource", "limit", "used")
    list_filter = ("resource",)
    search_fields = ("project_id",)


@admin.register(Tag)
class TagAdmin(WatchedAdmin):
    list_display = ("tag", "kind", "resource_id")
    list_filter = ("kind",)
    search_fields = ("tag", "resource_id")
