"""Paths below /image/."""

from __future__ import annotations

from django.urls import path

from integrations.images.api.data import ImageDataViewSet, UploadCheckViewSet
from integrations.images.api.discovery import DiscoveryViewSet
from integrations.images.api.images import ImageViewSet
from integrations.images.api.members import ImageMemberViewSet

IMAGE = "v2/images/<str:image_id>"

urlpatterns = [
    path("", DiscoveryViewSet.as_view({"get": "choices"})),
    path("versions", DiscoveryViewSet.as_view({"get": "versions"})),
    path("v2", DiscoveryViewSet.as_view({"get": "choices"})),
    path("v2/schemas/<str:name>", DiscoveryViewSet.as_view({"get": "show_schema"})),
    path("v2/info/import", DiscoveryViewSet.as_view({"get": "import_methods"})),
    path("v2/info/stores", DiscoveryViewSet.as_view({"get": "stores"})),
    path("v2/upload-check", UploadCheckViewSet.as_view({"get": "check"})),
    path("v2/images", ImageViewSet.as_view({"get": "list", "post": "create", "delete": "destroy_nothing"})),
    path(IMAGE, ImageViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{IMAGE}/file", ImageDataViewSet.as_view({"get": "download", "put": "upload"})),
    path(f"{IMAGE}/stage", ImageDataViewSet.as_view({"put": "stage"})),
    path(f"{IMAGE}/import", ImageViewSet.as_view({"post": "start_import"})),
    path(f"{IMAGE}/actions/deactivate", ImageViewSet.as_view({"post": "deactivate"})),
    path(f"{IMAGE}/actions/reactivate", ImageViewSet.as_view({"post": "reactivate"})),
    path(f"{IMAGE}/tags/<str:tag>", ImageViewSet.as_view({"put": "put_tag", "delete": "remove_tag"})),
    path(f"{IMAGE}/members", ImageMemberViewSet.as_view({"get": "list", "post": "create"})),
    path(
        f"{IMAGE}/members/<str:member_id>",
        ImageMemberViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
]
