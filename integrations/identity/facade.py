"""The only door to Identity for the other services. Everything here is local and cheap; ids are opaque strings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from computecloud.core.actor import Actor
from computecloud.core.errors import Unauthorized
from computecloud.http.clients import address_of
from integrations.identity.catalog import catalog
from integrations.identity.grants import is_cloud_admin
from integrations.identity.login import check_password
from integrations.identity.models import DEFAULT_DOMAIN_ID, Project, User
from integrations.identity.passwords import LONGEST
from integrations.identity.tokens import actor_for, purge_expired

__all__ = [
    "authenticate",
    "catalog_for",
    "cloud_admin",
    "login",
    "project_exists",
    "project_name",
    "project_names",
    "purge_expired",
    "user_name",
    "user_names",
]


def authenticate(token: str) -> Actor:
    """The caller behind a token. Raises Unauthorized."""
    return actor_for(token)


def project_exists(project_id: str) -> bool:
    return Project.objects.filter(id=project_id).exists()


def project_name(project_id: str) -> str | None:
    return Project.objects.filter(id=project_id).values_list("name", flat=True).first()


def project_names(project_ids: list[str] | set[str]) -> dict[str, str]:
    """Names by id, for lists; unknown ids are left out."""
    return dict(Project.objects.filter(id__in=project_ids).values_list("id", "name"))


def user_name(user_id: str) -> str | None:
    return User.objects.filter(id=user_id).values_list("name", flat=True).first()


def user_names(user_ids: list[str] | set[str]) -> dict[str, str]:
    """Names by id, for lists; unknown ids are left out."""
    return dict(User.objects.filter(id__in=user_ids).values_list("id", "name"))


def catalog_for(token: str) -> list[dict[str, Any]]:
    """The service catalogue that a token's owner sees. Raises Unauthorized."""
    actor_for(token)
    return catalog()


def login(name: str, password: str, request: HttpRequest | None) -> User:
    """A password login for the dashboard, in the default domain, throttled as the API is.

    Raises Unauthorized or TooManyRequests. Says nothing about rights: see ``cloud_admin``.
    """
    if not name or len(name) > 255 or len(password) > LONGEST:
        raise Unauthorized
    wish = {"name": name, "domain": {"id": DEFAULT_DOMAIN_ID}, "password": password}
    return check_password(wish, address_of(request))


def cloud_admin(user_id: str) -> User | None:
    """The user, when enabled and holding the admin role somewhere in the cloud; ``is_superuser`` is then set on it.

    Asked on every dashboard request, so that taking the role away ends the session's rights at once.
    """
    user = User.objects.filter(id=user_id, enabled=True, domain__enabled=True).first()
    if user is None or not is_cloud_admin(user_id):
        return None
    user.is_superuser = True
    return user
