"""The Network service in the admin site: to look at. Changes go through the API, which keeps quotas right."""

from __future__ import annotations

from django.contrib import admin

from computecloud.http.admin import ReadOnlyAdmin, ReadOnlyInline
from integrations.networks.models import (
    FixedAddress,
    Network,
    Port,
    PortSecurityGroup,
    QuotaGate,
    Router,
    RouterInterface,
    SecurityGroup,
    SecurityGroupRule,
    SegmentCounter,
    Subnet,
    SubnetPool,
    Tag,
)


class SubnetInline(ReadOnlyInline):
    model = Subnet
    fields = ("name", "cidr", "gateway_ip", "enable_dhcp")


class AddressInline(ReadOnlyInline):
    model = FixedAddress
    fields = ("subnet", "address")


class RuleInline(ReadOnlyInline):
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


class InterfaceInline(ReadOnlyInline):
    model = RouterInterface
    fields = ("subnet", "port")


class PortGroupInline(ReadOnlyInline):
    model = PortSecurityGroup


@admin.register(Network)
class NetworkAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "project_id", "segment", "mtu", "shared", "is_external", "created_at")
    list_filter = ("shared", "is_external")
    search_fields = ("id", "name", "project_id")
    inlines = (SubnetInline,)


@admin.register(Subnet)
class SubnetAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "project_id", "network", "cidr", "gateway_ip", "enable_dhcp")
    list_filter = ("ip_version", "enable_dhcp")
    list_select_related = ("network",)
    search_fields = ("id", "name", "project_id", "cidr")


@admin.register(Port)
class PortAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "project_id", "network", "mac_address", "status", "device_owner", "host_name")
    list_filter = ("status", "device_owner")
    list_select_related = ("network",)
    search_fields = ("id", "name", "project_id", "mac_address", "device_id", "server_id")
    inlines = (AddressInline, PortGroupInline)


@admin.register(SecurityGroup)
class SecurityGroupAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "project_id", "description", "created_at")
    search_fields = ("id", "name", "project_id")
    inlines = (RuleInline,)


@admin.register(Router)
class RouterAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "project_id", "admin_state_up", "created_at")
    search_fields = ("id", "name", "project_id")
    inlines = (InterfaceInline,)


@admin.register(QuotaGate)
class QuotaGateAdmin(ReadOnlyAdmin):
    list_display = ("project_id", "resource", "limit", "used")
    list_filter = ("resource",)
    search_fields = ("project_id",)


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("tag", "kind", "resource_id")
    list_filter = ("kind",)
    search_fields = ("tag", "resource_id")


@admin.register(SegmentCounter)
class SegmentCounterAdmin(ReadOnlyAdmin):
    list_display = ("id", "next_segment")


@admin.register(SubnetPool)
class SubnetPoolAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "project_id", "created_at")
    search_fields = ("id", "name", "project_id")
