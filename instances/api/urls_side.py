"""Paths of the Compute API beside servers."""

from __future__ import annotations

from django.urls import path

from instances.api import gone
from instances.api.aggregates import AggregateViewSet
from instances.api.extensions import ExtensionViewSet
from instances.api.flavors import FlavorViewSet
from instances.api.flavors_extra import ExtraSpecViewSet, FlavorAccessViewSet
from instances.api.hosts import HostViewSet
from instances.api.hypervisors import HypervisorViewSet
from instances.api.keypairs import KeyPairViewSet
from instances.api.limits import LimitsViewSet
from instances.api.proxies_groups import SecurityGroupRuleViewSet, SecurityGroupViewSet
from instances.api.proxies_images import ImageMetadataViewSet, ImageViewSet
from instances.api.proxies_networks import NetworkViewSet, TenantNetworkViewSet
from instances.api.quotas import QuotaClassViewSet, QuotaSetViewSet
from instances.api.root import VersionViewSet
from instances.api.server_groups import ServerGroupViewSet
from instances.api.services import ServicesViewSet
from instances.api.unserved import AssistedSnapshotViewSet, ConsoleTokenViewSet
from instances.api.usage import AuditLogViewSet, UsageViewSet
from instances.api.zones import ZoneViewSet

version_document = VersionViewSet.as_view({"get": "retrieve"})

urlpatterns = [
    path("", VersionViewSet.as_view({"get": "list"})),
    path("v2", version_document, {"version_id": "v2.0"}),
    path("v2.1", version_document, {"version_id": "v2.1"}),
    path("v2.1/versions/<str:version_id>", VersionViewSet.as_view({"get": "by_id"})),
    path("v2.1/extensions", ExtensionViewSet.as_view({"get": "list"})),
    path("v2.1/extensions/<str:alias>", ExtensionViewSet.as_view({"get": "retrieve"})),
    path("v2.1/flavors", FlavorViewSet.as_view({"get": "list", "post": "create"})),
    path("v2.1/flavors/detail", FlavorViewSet.as_view({"get": "list_detail"})),
    path(
        "v2.1/flavors/<str:flavor_id>",
        FlavorViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("v2.1/flavors/<str:flavor_id>/action", FlavorAccessViewSet.as_view({"post": "act"})),
    path("v2.1/flavors/<str:flavor_id>/os-flavor-access", FlavorAccessViewSet.as_view({"get": "list"})),
    path(
        "v2.1/flavors/<str:flavor_id>/os-extra_specs",
        ExtraSpecViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path(
        "v2.1/flavors/<str:flavor_id>/os-extra_specs/<str:key>",
        ExtraSpecViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("v2.1/os-keypairs", KeyPairViewSet.as_view({"get": "list", "post": "create"})),
    path("v2.1/os-keypairs/<str:name>", KeyPairViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("v2.1/limits", LimitsViewSet.as_view({"get": "list"})),
    path(
        "v2.1/os-quota-sets/<str:project_id>",
        QuotaSetViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("v2.1/os-quota-sets/<str:project_id>/detail", QuotaSetViewSet.as_view({"get": "retrieve_detail"})),
    path("v2.1/os-quota-sets/<str:project_id>/defaults", QuotaSetViewSet.as_view({"get": "defaults"})),
    path("v2.1/os-quota-class-sets/<str:name>", QuotaClassViewSet.as_view({"get": "retrieve", "put": "update"})),
    path("v2.1/os-server-groups", ServerGroupViewSet.as_view({"get": "list", "post": "create"})),
    path("v2.1/os-server-groups/<str:group_id>", ServerGroupViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("v2.1/os-availability-zone", ZoneViewSet.as_view({"get": "list"})),
    path("v2.1/os-availability-zone/detail", ZoneViewSet.as_view({"get": "list_detail"})),
    path("v2.1/os-services", ServicesViewSet.as_view({"get": "list"})),
    path("v2.1/os-services/<str:service_id>", ServicesViewSet.as_view({"put": "update", "delete": "destroy"})),
    path("v2.1/os-hypervisors", HypervisorViewSet.as_view({"get": "list"})),
    path("v2.1/os-hypervisors/detail", HypervisorViewSet.as_view({"get": "list_detail"})),
    path("v2.1/os-hypervisors/statistics", HypervisorViewSet.as_view({"get": "statistics"})),
    path("v2.1/os-hypervisors/<str:hypervisor_id>", HypervisorViewSet.as_view({"get": "retrieve"})),
    path("v2.1/os-hypervisors/<str:hypervisor_id>/search", HypervisorViewSet.as_view({"get": "search"})),
    path("v2.1/os-hypervisors/<str:hypervisor_id>/servers", HypervisorViewSet.as_view({"get": "servers"})),
    path("v2.1/os-hypervisors/<str:hypervisor_id>/uptime", HypervisorViewSet.as_view({"get": "uptime"})),
    path("v2.1/os-hosts", HostViewSet.as_view({"get": "list"})),
    path("v2.1/os-hosts/<str:name>", HostViewSet.as_view({"get": "retrieve", "put": "update"})),
    path("v2.1/os-hosts/<str:name>/reboot", HostViewSet.as_view({"get": "reboot"})),
    path("v2.1/os-hosts/<str:name>/shutdown", HostViewSet.as_view({"get": "shutdown"})),
    path("v2.1/os-hosts/<str:name>/startup", HostViewSet.as_view({"get": "startup"})),
    path("v2.1/os-aggregates", AggregateViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "v2.1/os-aggregates/<str:aggregate_id>",
        AggregateViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("v2.1/os-aggregates/<str:aggregate_id>/action", AggregateViewSet.as_view({"post": "act"})),
    path("v2.1/os-aggregates/<str:aggregate_id>/images", AggregateViewSet.as_view({"post": "cache_images"})),
    path("v2.1/os-simple-tenant-usage", UsageViewSet.as_view({"get": "list"})),
    path("v2.1/os-simple-tenant-usage/<str:project_id>", UsageViewSet.as_view({"get": "retrieve"})),
    path("v2.1/os-instance_usage_audit_log", AuditLogViewSet.as_view({"get": "list"})),
    path("v2.1/os-instance_usage_audit_log/<str:before>", AuditLogViewSet.as_view({"get": "retrieve"})),
    path("v2.1/os-security-groups", SecurityGroupViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "v2.1/os-security-groups/<str:group_id>",
        SecurityGroupViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("v2.1/os-security-group-rules", SecurityGroupRuleViewSet.as_view({"post": "create"})),
    path("v2.1/os-security-group-rules/<str:rule_id>", SecurityGroupRuleViewSet.as_view({"delete": "destroy"})),
    path("v2.1/os-console-auth-tokens/<str:token>", ConsoleTokenViewSet.as_view({"get": "retrieve"})),
    path("v2.1/os-assisted-volume-snapshots", AssistedSnapshotViewSet.as_view({"post": "create"})),
    path("v2.1/os-assisted-volume-snapshots/<str:snapshot_id>", AssistedSnapshotViewSet.as_view({"delete": "destroy"})),
    *gone.urlpatterns,
    path("v2.1/os-networks", NetworkViewSet.as_view({"get": "list", "post": "removed"})),
    path("v2.1/os-networks/<str:network_id>", NetworkViewSet.as_view({"get": "retrieve", "delete": "removed"})),
    path("v2.1/os-tenant-networks", TenantNetworkViewSet.as_view({"get": "list", "post": "removed"})),
    path(
        "v2.1/os-tenant-networks/<str:network_id>",
        TenantNetworkViewSet.as_view({"get": "retrieve", "delete": "removed"}),
    ),
    path("v2.1/images", ImageViewSet.as_view({"get": "list"})),
    path("v2.1/images/detail", ImageViewSet.as_view({"get": "list_detail"})),
    path("v2.1/images/<str:image_id>", ImageViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path(
        "v2.1/images/<str:image_id>/metadata",
        ImageMetadataViewSet.as_view({"get": "list", "post": "create", "put": "replace"}),
    ),
    path(
        "v2.1/images/<str:image_id>/metadata/<str:key>",
        ImageMetadataViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
]
