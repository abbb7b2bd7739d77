"""Identity's paths, below ``/identity``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, path

from integrations.identity.api.assignments import RoleAssignmentViewSet
from integrations.identity.api.auth import MineViewSet, TokenViewSet
from integrations.identity.api.credentials import ApplicationCredentialViewSet, CredentialViewSet
from integrations.identity.api.projects import DomainViewSet, ProjectTagViewSet, ProjectViewSet
from integrations.identity.api.roles import GrantViewSet, ImpliedRoleViewSet, RoleViewSet
from integrations.identity.api.services import EndpointsViewSet, RegionsViewSet, ServicesViewSet
from integrations.identity.api.users import GroupViewSet, UserViewSet
from integrations.identity.api.versions import VersionViewSet

COLLECTION: dict[str, Any] = {"get": "list", "post": "create"}
MEMBER: dict[str, Any] = {"get": "show", "patch": "update", "delete": "delete"}
HELD: dict[str, Any] = {"get": "check", "head": "check", "put": "add", "delete": "remove"}


def _resource(route: str, view: Any, key: str, **more: str) -> list[URLPattern]:
    return [path(route, view.as_view(COLLECTION)), path(f"{route}/<str:{key}>", view.as_view({**MEMBER, **more}))]


def _grants() -> Iterator[URLPattern]:
    """Every pair of target and holder, and the inherited form of those below a domain or project."""
    for target in ("projects/<str:project_id>", "domains/<str:domain_id>", "system"):
        for holder in ("users/<str:user_id>", "groups/<str:group_id>"):
            route = f"{target}/{holder}/roles"
            yield path(f"v3/{route}", GrantViewSet.as_view({"get": "list"}))
            yield path(f"v3/{route}/<str:role_id>", GrantViewSet.as_view(HELD))
            if target != "system":
                heirs, end = f"v3/OS-INHERIT/{route}", "inherited_to_projects"
                yield path(f"{heirs}/{end}", GrantViewSet.as_view({"get": "list"}), {"inherited": True})
                yield path(f"{heirs}/<str:role_id>/{end}", GrantViewSet.as_view(HELD), {"inherited": True})


_APPLICATION_CREDENTIALS = "v3/users/<str:user_id>/application_credentials"
_TAGS = "v3/projects/<str:project_id>/tags"
_IMPLIES = "v3/roles/<str:prior_id>/implies"

urlpatterns = [
    path("", VersionViewSet.as_view({"get": "choices"})),
    path("v3", VersionViewSet.as_view({"get": "v3"})),
    path("v3/auth/tokens", TokenViewSet.as_view({"post": "create", "get": "show", "delete": "delete"})),
    path("v3/auth/catalog", MineViewSet.as_view({"get": "catalog"})),
    path("v3/auth/projects", MineViewSet.as_view({"get": "projects"})),
    path("v3/auth/domains", MineViewSet.as_view({"get": "domains"})),
    path("v3/auth/system", MineViewSet.as_view({"get": "system"})),
    *_resource("v3/projects", ProjectViewSet, "project_id"),
    path(_TAGS, ProjectTagViewSet.as_view({"get": "list", "put": "replace", "delete": "clear"})),
    path(f"{_TAGS}/<str:tag>", ProjectTagViewSet.as_view(HELD)),
    *_resource("v3/domains", DomainViewSet, "domain_id"),
    *_resource("v3/users", UserViewSet, "user_id"),
    path("v3/users/<str:user_id>/password", UserViewSet.as_view({"post": "password"})),
    path("v3/users/<str:user_id>/projects", ProjectViewSet.as_view({"get": "of_user"})),
    path("v3/users/<str:user_id>/groups", UserViewSet.as_view({"get": "groups"})),
    path(_APPLICATION_CREDENTIALS, ApplicationCredentialViewSet.as_view(COLLECTION)),
    path(
        f"{_APPLICATION_CREDENTIALS}/<str:credential_id>",
        ApplicationCredentialViewSet.as_view({"get": "show", "delete": "delete"}),
    ),
    *_resource("v3/groups", GroupViewSet, "group_id"),
    path("v3/groups/<str:group_id>/users", GroupViewSet.as_view({"get": "users"})),
    path("v3/groups/<str:group_id>/users/<str:user_id>", GroupViewSet.as_view(HELD)),
    *_resource("v3/roles", RoleViewSet, "role_id"),
    path(_IMPLIES, ImpliedRoleViewSet.as_view({"get": "list"})),
    path(
        f"{_IMPLIES}/<str:implied_id>",
        ImpliedRoleViewSet.as_view({"get": "show", "head": "check", "put": "create", "delete": "delete"}),
    ),
    path("v3/role_inferences", ImpliedRoleViewSet.as_view({"get": "every"})),
    path("v3/role_assignments", RoleAssignmentViewSet.as_view({"get": "list"})),
    *_grants(),
    *_resource("v3/credentials", CredentialViewSet, "credential_id"),
    *_resource("v3/services", ServicesViewSet, "service_id"),
    *_resource("v3/endpoints", EndpointsViewSet, "endpoint_id"),
    *_resource("v3/regions", RegionsViewSet, "region_id", put="create_named"),
]
