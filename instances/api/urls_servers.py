"""Paths of servers and their parts."""

from __future__ import annotations

from typing import Any

from django.urls import path

from instances.api.server_actions import OldServerActionViewSet, ServerActionViewSet
from instances.api.server_diagnostics import DiagnosticsViewSet, TopologyViewSet
from instances.api.server_events import ExternalEventViewSet
from instances.api.server_history import HistoryViewSet
from instances.api.server_interfaces import InterfaceViewSet
from instances.api.server_metadata import ServerMetadataViewSet
from instances.api.server_moves import MigrationViewSet, ServerMigrationViewSet
from instances.api.server_networks import AddressViewSet, ServerSecurityGroupViewSet
from instances.api.server_password import PasswordViewSet
from instances.api.server_tags import ServerTagViewSet
from instances.api.server_unserved import (
    LaterViewSet,
    ShareViewSet,
    VolumeAttachmentViewSet,
)
from instances.api.servers import OldServerViewSet, ServerViewSet

Routes = dict[str, Any]
ONE = "v2.1/servers/<str:server_id>"
OLD = "v2.1/os-volumes_boot"
LISTED: Routes = {"get": "list", "post": "create"}
SINGLE: Routes = {"get": "retrieve", "put": "update", "delete": "destroy"}

urlpatterns = [
    path("v2.1/servers", ServerViewSet.as_view(LISTED)),
    path("v2.1/servers/detail", ServerViewSet.as_view({"get": "in_detail"})),
    path(ONE, ServerViewSet.as_view(SINGLE)),
    path(f"{ONE}/action", ServerActionViewSet.as_view({"post": "act"})),
    path(OLD, OldServerViewSet.as_view(LISTED)),
    path(f"{OLD}/detail", OldServerViewSet.as_view({"get": "in_detail"})),
    path(f"{OLD}/<str:server_id>", OldServerViewSet.as_view(SINGLE)),
    path(f"{OLD}/<str:server_id>/action", OldServerActionViewSet.as_view({"post": "act"})),
    path(f"{ONE}/metadata", ServerMetadataViewSet.as_view({**LISTED, "put": "replace"})),
    path(f"{ONE}/metadata/<str:key>", ServerMetadataViewSet.as_view(SINGLE)),
    path(f"{ONE}/tags", ServerTagViewSet.as_view({"get": "list", "put": "replace", "delete": "clear"})),
    path(f"{ONE}/tags/<str:tag>", ServerTagViewSet.as_view(SINGLE)),
    path(f"{ONE}/ips", AddressViewSet.as_view({"get": "list"})),
    path(f"{ONE}/ips/<str:network>", AddressViewSet.as_view({"get": "retrieve"})),
    path(f"{ONE}/os-instance-actions", HistoryViewSet.as_view({"get": "list"})),
    path(f"{ONE}/os-instance-actions/<str:request_id>", HistoryViewSet.as_view({"get": "retrieve"})),
    path(f"{ONE}/os-interface", InterfaceViewSet.as_view(LISTED)),
    path(f"{ONE}/os-interface/<str:port_id>", InterfaceViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{ONE}/os-security-groups", ServerSecurityGroupViewSet.as_view({"get": "list"})),
    path(f"{ONE}/os-volume_attachments", VolumeAttachmentViewSet.as_view(LISTED)),
    path(f"{ONE}/os-volume_attachments/<str:volume_id>", VolumeAttachmentViewSet.as_view(SINGLE)),
    path(f"{ONE}/os-server-password", PasswordViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{ONE}/diagnostics", DiagnosticsViewSet.as_view({"get": "list"})),
    path(f"{ONE}/remote-consoles", LaterViewSet.as_view({"post": "remote_consoles"})),
    path(f"{ONE}/topology", TopologyViewSet.as_view({"get": "list"})),
    path(f"{ONE}/migrations", ServerMigrationViewSet.as_view({"get": "list"})),
    path(
        f"{ONE}/migrations/<str:migration_id>",
        ServerMigrationViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
    path(f"{ONE}/migrations/<str:migration_id>/action", ServerMigrationViewSet.as_view({"post": "act"})),
    path("v2.1/os-migrations", MigrationViewSet.as_view({"get": "list"})),
    path("v2.1/os-server-external-events", ExternalEventViewSet.as_view({"post": "create"})),
    path(f"{ONE}/shares", ShareViewSet.as_view(LISTED)),
    path(f"{ONE}/shares/<str:share_id>", ShareViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
]
