"""Bases of every page in the model admin: to look at, or to act through the API's own code. Nothing is edited raw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import structlog
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, StackedInline, TabularInline

from computecloud.core.errors import CloudError

log = structlog.get_logger("computecloud.admin")
SECRET_WORDS = ("password", "secret", "digest", "token_hash", "sealed", "blob", "nonce")


class ReadOnly:
    """No button adds, changes or deletes. Columns that hold secrets are not shown, whatever a page lists (S50)."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What the page excludes itself, and every column with a secret's name."""
        model: Any = self.model  # type: ignore[attr-defined]
        given = list(getattr(self, "exclude", None) or ())
        secret = [field.name for field in model._meta.get_fields() if any(word in field.name for word in SECRET_WORDS)]
        return [*given, *secret]


    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What the page says itself, and every column: those that no form could edit are shown too."""
        model: Any = self.model  # type: ignore[attr-defined]
        hidden = self.get_exclude(request, obj)
        given = [name for name in getattr(self, "readonly_fields", ()) if isinstance(name, str)]
        columns = [field.name for field in model._meta.concrete_fields if field.name not in hidden]
        return [*given, *(name for name in columns if name not in given)]


class ReadOnlyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # the theme is untyped
    """A page to look at rows. Lists count nothing twice and show fifty at a time."""

    list_per_page = 50
    show_full_result_count = False
    list_fullwidth = True
    list_filter_sheet = True
    compressed_fields = True


class ReadOnlyInline(ReadOnly, TabularInline):  # type: ignore[misc]  # the theme is untyped
    """Rows that belong to the one shown, as a table."""

    extra = 0
    can_delete = False
    show_change_link = False
    hide_title = True


class ReadOnlyStack(ReadOnly, StackedInline):  # type: ignore[misc]  # the theme is untyped
    """Rows that belong to the one shown, one below the other."""

    extra = 0
    can_delete = False


class ActionAdmin(ReadOnlyAdmin):
    """A page whose buttons call the service layer, one row at a time, and leave an audit entry for each."""

    actions_need: ClassVar[str] = "view"

    def each(
        self, request: HttpRequest, rows: QuerySet[Any], act: Callable[[Any], object], did: str, *, most: int = 200
    ) -> None:
        """Do ``act`` to each row; what a row refuses is shown and the others go on. ``did``: "stopped"."""
        done = 0
        for row in rows[:most]:
            try:
                act(row)
            except CloudError as problem:
                self.message_user(request, f"{row}: {problem}", messages.ERROR)
                continue
            done += 1
            self.audit(request, row, did)
        if done:
            self.message_user(request, f"{done} {did}.", messages.SUCCESS)

    def audit(self, request: HttpRequest, row: Any, did: str) -> None:
        """Who did what to which row, in the admin's history and in the log."""
        user: Any = request.user
        LogEntry.objects.log_actions(
            user_id=user.pk, queryset=[row], action_flag=CHANGE, change_message=did, single_object=True
        )
        log.info("admin action", user=str(user.pk), kind=row._meta.label, row=str(row.pk), did=did)
