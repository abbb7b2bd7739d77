"""/api/v1/hosts: what administrators want to know of a compute host, at one look."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from computecloud.conf import conf
from computecloud.http.native import BooleanFilter, ReadViewSet
from hosts.models import Host, Inventory


class InventorySerializer(serializers.ModelSerializer[Inventory]):
    """``capacity`` = (total - reserved) * ratio; ``free`` is what is left of it."""

    free = serializers.SerializerMethodField()

    class Meta:
        model = Inventory
        fields = ("resource_class", "total", "reserved", "ratio", "capacity", "used", "free")
        read_only_fields = fields

    def get_free(self, row: Inventory) -> int:
        return row.capacity - row.used


class HostSerializer(serializers.ModelSerializer[Host]):
    """A host, its inventories and where it belongs."""

    is_up = serializers.BooleanField(read_only=True, help_text="Heard of within its lease, and not forced down.")
    availability_zone = serializers.SerializerMethodField()
    aggregates: Any = serializers.SlugRelatedField(many=True, read_only=True, slug_field="name")
    machine_types = serializers.ListField(child=serializers.CharField(), read_only=True)
    traits = serializers.ListField(child=serializers.CharField(), read_only=True)
    underlay_address = serializers.CharField(read_only=True, allow_null=True)
    inventories = InventorySerializer(many=True, read_only=True)

    class Meta:
        model = Host
        fields = (
            "id", "name", "number", "driver", "is_up", "is_disabled", "disabled_reason", "is_forced_down",
            "is_draining",
            "availability_zone", "aggregates", "arch", "machine_types", "hypervisor_type", "hypervisor_version",
            "traits",
            "underlay_address", "running_vms", "disk_free_gb", "agent_version", "last_seen_at", "lease_expires_at",
            "created_at", "inventories",
        )  # fmt: skip
        read_only_fields = fields

    def get_availability_zone(self, row: Host) -> str:
        zones = (aggregate.availability_zone for aggregate in row.aggregates.all())
        return next((zone for zone in zones if zone), conf().default_availability_zone)


class HostFilter(django_filters.FilterSet):
    """All filters together must hold."""

    name = django_filters.CharFilter()
    name_contains = django_filters.CharFilter(field_name="name", lookup_expr="icontains")
    driver = django_filters.CharFilter()
    arch = django_filters.CharFilter()
    hypervisor_type = django_filters.CharFilter()
    aggregate = django_filters.CharFilter(field_name="aggregates__name", distinct=True)
    is_up = BooleanFilter(method="only_up", label="Heard of within its lease, and not forced down.")
    is_disabled = BooleanFilter()
    is_draining = BooleanFilter()

    class Meta:
        model = Host
        fields: list[str] = []

    def only_up(self, rows: QuerySet[Host], name: str, value: bool) -> QuerySet[Host]:
        up = {"is_fresh": True, "is_forced_down": False}
        return rows.filter(**up) if value else rows.exclude(**up)


class HostViewSet(ReadViewSet):
    """Compute hosts; for administrators."""

    policy = {"list": "computecloud:hosts:list", "retrieve": "computecloud:hosts:show"}
    queryset = Host.objects.all()
    serializer_class = HostSerializer
    filterset_class = HostFilter
    sort = (("name", "asc"), ("id", "asc"))

    def visible(self, rows: Any) -> QuerySet[Host]:
        found: QuerySet[Host] = rows.alive().with_liveness().prefetch_related("inventories", "aggregates")
        return found
