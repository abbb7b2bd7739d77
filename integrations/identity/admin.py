"""Identity in the model admin: to look at, and to enable, disable and log out. No secret has a column here (S50)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from computecloud.core.actor import Actor
from computecloud.http.admin import ActionAdmin, ReadOnlyAdmin, ReadOnlyInline
from integrations.identity import models, tokens
from integrations.identity.actions import projects as project_actions
from integrations.identity.actions import users as user_actions


def _actor(request: HttpRequest) -> Actor:
    """The administrator behind the page. Only cloud administrators have a session here."""
    user: Any = request.user
    roles = frozenset({"admin", "manager", "member", "reader"})
    return Actor(user_id=user.id, user_name=user.name, user_domain_id=user.domain_id, roles=roles)


class UserAssignmentInline(ReadOnlyInline):
    model = models.Assignment
    fields = ("role", "project", "domain", "system", "inherited")
    verbose_name_plural = "Roles"


class GroupMemberInline(ReadOnlyInline):
    model = models.GroupMember
    fields = ("user",)


class ApplicationCredentialInline(ReadOnlyInline):
    model = models.ApplicationCredential
    fields = ("name", "project", "unrestricted", "expires_at", "created_at")


class TagInline(ReadOnlyInline):
    model = models.ProjectTag
    fields = ("name",)


class ImplicationInline(ReadOnlyInline):
    model = models.RoleImplication
    fk_name = "prior"
    fields = ("implied",)


class EndpointInline(ReadOnlyInline):
    model = models.Endpoint
    fields = ("interface", "url", "region_id", "enabled")


@admin.register(models.User)
class UserAdmin(ActionAdmin):
    list_display = ("name", "id", "domain", "email", "is_enabled", "last_login", "created_at")
    list_filter = ("enabled", "domain")
    list_select_related = ("domain",)
    search_fields = ("name", "id", "email")
    fields = (
        "name",
        "id",
        "domain",
        "email",
        "description",
        "enabled",
        "default_project_id",
        "created_at",
        "last_login",
    )
    inlines = (UserAssignmentInline, ApplicationCredentialInline)
    actions = ("enable", "disable", "log_out")

    @display(description="Enabled", boolean=True, ordering="enabled")  # type: ignore[untyped-decorator]
    def is_enabled(self, user: models.User) -> bool:
        return user.enabled

    @admin.action(description="Enable", permissions=["view"])
    def enable(self, request: HttpRequest, queryset: QuerySet[models.User]) -> None:
        actor = _actor(request)
        self.each(request, queryset, lambda user: user_actions.update(actor, user, {"enabled": True}), "enabled")

    @admin.action(description="Disable (ends tokens and sessions)", permissions=["view"])
    def disable(self, request: HttpRequest, queryset: QuerySet[models.User]) -> None:
        actor = _actor(request)
        others = queryset.exclude(id=actor.user_id)
        self.each(request, others, lambda user: user_actions.update(actor, user, {"enabled": False}), "disabled")

    @admin.action(description="End all tokens", permissions=["view"])
    def log_out(self, request: HttpRequest, queryset: QuerySet[models.User]) -> None:
        self.each(request, queryset, lambda user: tokens.revoke_all(user.id), "logged out")


@admin.register(models.Project)
class ProjectAdmin(ActionAdmin):
    list_display = ("name", "id", "domain", "parent", "enabled", "created_at")
    list_filter = ("enabled", "domain")
    list_select_related = ("domain", "parent")
    search_fields = ("name", "id")
    inlines = (TagInline, UserAssignmentInline)
    actions = ("enable", "disable")

    @admin.action(description="Enable", permissions=["view"])
    def enable(self, request: HttpRequest, queryset: QuerySet[models.Project]) -> None:
        self.each(request, queryset, lambda row: project_actions.update(row, {"enabled": True}), "enabled")

    @admin.action(description="Disable (ends its tokens)", permissions=["view"])
    def disable(self, request: HttpRequest, queryset: QuerySet[models.Project]) -> None:
        self.each(request, queryset, lambda row: project_actions.update(row, {"enabled": False}), "disabled")


@admin.register(models.Domain)
class DomainAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "enabled", "created_at")
    search_fields = ("name", "id")


@admin.register(models.Group)
class GroupAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "domain", "created_at")
    list_select_related = ("domain",)
    search_fields = ("name", "id")
    inlines = (GroupMemberInline, UserAssignmentInline)


@admin.register(models.Role)
class RoleAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "domain", "created_at")
    list_select_related = ("domain",)
    search_fields = ("name", "id")
    inlines = (ImplicationInline,)


@admin.register(models.Assignment)
class AssignmentAdmin(ReadOnlyAdmin):
    list_display = ("role", "user", "group", "project", "domain", "system", "inherited")
    list_filter = ("role", "system", "inherited")
    list_select_related = ("role", "user", "group", "project", "domain")
    search_fields = ("user__name", "group__name", "project__name", "user__id", "project__id")


@admin.register(models.ApplicationCredential)
class ApplicationCredentialAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "user", "project", "unrestricted", "expires_at", "created_at")
    list_select_related = ("user", "project")
    search_fields = ("name", "id", "user__name", "project__name")


@admin.register(models.Credential)
class CredentialAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", "user", "project", "created_at")
    list_select_related = ("user", "project")
    search_fields = ("id", "user__name")


@admin.register(models.Token)
class TokenAdmin(ActionAdmin):
    list_display = ("id", "user", "project", "domain", "system", "issued_at", "expires_at")
    list_select_related = ("user", "project", "domain")
    search_fields = ("id", "chain_id", "user__name", "project__name")
    fields = ("id", "chain_id", "user", "project", "domain", "system", "methods", "roles", "issued_at", "expires_at")
    actions = ("revoke",)

    @admin.action(description="End the tokens", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[models.Token]) -> None:
        self.each(request, queryset, lambda token: tokens.revoke(token.id), "ended")


@admin.register(models.Service)
class ServiceAdmin(ReadOnlyAdmin):
    list_display = ("type", "name", "id", "enabled")
    inlines = (EndpointInline,)


@admin.register(models.Region)
class RegionAdmin(ReadOnlyAdmin):
    list_display = ("id", "description", "parent")
    list_select_related = ("parent",)
