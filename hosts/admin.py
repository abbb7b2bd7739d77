"""What hosts have and what is claimed of it, in the model admin. Hosts themselves: ``dashboard.admin``."""

from __future__ import annotations

from django.contrib import admin

from computecloud.http.admin import ReadOnlyAdmin, ReadOnlyInline
from hosts.models import Agent, Aggregate, AggregateHost, Allocation, EnrolmentToken, Inventory, Oddity


class MemberInline(ReadOnlyInline):
    model = AggregateHost
    fields = ("host",)


@admin.register(Aggregate)
class AggregateAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "availability_zone", "created_at")
    search_fields = ("name", "uuid", "availability_zone")
    inlines = (MemberInline,)


@admin.register(Inventory)
class InventoryAdmin(ReadOnlyAdmin):
    list_display = ("host", "resource_class", "total", "reserved", "ratio", "capacity", "used", "consumers")
    list_filter = ("resource_class",)
    list_select_related = ("host",)
    search_fields = ("host__name", "host__id")


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    list_display = ("consumer_id", "consumer_kind", "host", "resource_class", "amount", "project_id", "created_at")
    list_filter = ("resource_class", "consumer_kind")
    list_select_related = ("host",)
    search_fields = ("consumer_id", "host__name", "project_id")


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    list_display = ("id", "version", "created_at", "registered_at")
    search_fields = ("id", "hosts__name")


@admin.register(EnrolmentToken)
class EnrolmentTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "expires_at", "used_at")


@admin.register(Oddity)
class OddityAdmin(ReadOnlyAdmin):
    list_display = ("guest_id", "kind", "host", "detail", "first_seen_at", "condemned_at")
    list_filter = ("kind",)
    list_select_related = ("host",)
    search_fields = ("guest_id", "host__name")
