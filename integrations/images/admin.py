"""Images in Django's admin: to look at. What changes an image goes through the same code as the API."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from computecloud.core.actor import SYSTEM
from computecloud.core.errors import CloudError
from integrations.images import facade, records
from integrations.images.models import Image, ImageMember, ImageStatus, ImageTag


class _ReadOnlyInline(TabularInline):  # type: ignore[misc]  # the theme is untyped
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MemberInline(_ReadOnlyInline):
    model = ImageMember


class TagInline(_ReadOnlyInline):
    model = ImageTag


@admin.register(Image)
class ImageAdmin(ModelAdmin):  # type: ignore[misc]  # the theme is untyped
    """State and bytes are read-only for everybody; the actions are those of the API."""

    list_display = ("name", "id", "status", "visibility", "owner", "disk_format", "size_bytes", "created_at")
    list_filter = ("status", "visibility", "disk_format", "is_protected", "is_hidden")
    search_fields = ("name", "id", "owner", "sha512")
    ordering = ("-created_at",)
    inlines = (TagInline, MemberInline)
    actions = ("deactivate", "reactivate", "delete_images")
    list_fullwidth = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Deactivate", permissions=["view"])
    def deactivate(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, lambda pk: records.set_aside(SYSTEM, pk, ImageStatus.DEACTIVATED))

    @admin.action(description="Reactivate", permissions=["view"])
    def reactivate(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, lambda pk: records.set_aside(SYSTEM, pk, ImageStatus.ACTIVE))

    @admin.action(description="Delete the images and their bytes", permissions=["view"])
    def delete_images(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, lambda pk: records.delete(SYSTEM, pk))

    def _each(self, request: HttpRequest, queryset: Any, act: Any) -> None:
        done = 0
        for image_id in queryset.values_list("pk", flat=True):
            try:
                act(image_id)
            except CloudError as problem:
                self.message_user(request, f"{image_id}: {problem}", messages.ERROR)
                continue
            facade.forget(image_id)
            done += 1
        self.message_user(request, f"{done} images changed.")
