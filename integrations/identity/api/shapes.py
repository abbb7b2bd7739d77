"""How Identity's rows look in answers."""

from __future__ import annotations

from typing import Any

from computecloud.core.clock import iso_micro
from computecloud.http.pagination import public_link
from integrations.identity.actions.credentials import blob_of
from integrations.identity.catalog import BuiltInEndpoint, BuiltInService, catalog
from integrations.identity.models import (
    ApplicationCredential,
    Credential,
    Domain,
    Endpoint,
    Group,
    Project,
    Region,
    Role,
    Service,
    User,
)
from integrations.identity.tokens import Checked

Shape = dict[str, Any]
ROOT = "/identity/v3"


def links(path: str) -> dict[str, str]:
    return {"self": public_link(f"{ROOT}/{path}")}


def project(row: Project, tags: list[str]) -> Shape:
    return {**row.extra} | {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "description": row.description,
        "enabled": row.enabled,
        "parent_id": row.parent_id or row.domain_id,
        "is_domain": False,
        "tags": tags,
        "options": {},
        "links": links(f"projects/{row.id}"),
    }


def domain_as_project(row: Domain) -> Shape:
    """A domain in Keystone's older view, where it is the project at the top."""
    return domain(row) | {"domain_id": None, "parent_id": None, "is_domain": True, "links": links(f"projects/{row.id}")}


def domain(row: Domain) -> Shape:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "tags": [],
        "options": {},
        "links": links(f"domains/{row.id}"),
    }


def user(row: User) -> Shape:
    """Optional columns appear only when set, as Keystone's extra attributes do."""
    shape: Shape = {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "enabled": row.enabled,
        "password_expires_at": None,
        "options": row.options,
        "links": links(f"users/{row.id}"),
    }
    optional = {
        "email": row.email,
        "description": row.description,
        "default_project_id": row.default_project_id,
    }
    return {**row.extra} | shape | {name: value for name, value in optional.items() if value}


def group(row: Group) -> Shape:
    return {**row.extra} | {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "description": row.description,
        "links": links(f"groups/{row.id}"),
    }


def role(row: Role) -> Shape:
    return {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "description": row.description or None,
        "options": row.options,
        "links": links(f"roles/{row.id}"),
    }


def role_link(row: Role) -> Shape:
    return {"id": row.id, "name": row.name, "links": links(f"roles/{row.id}")}


def application_credential(row: ApplicationCredential, secret: str | None = None) -> Shape:
    shape: Shape = {
        "id": row.id,
        "name": row.name,
        "description": row.description or None,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "system": None,
        "unrestricted": row.unrestricted,
        "expires_at": row.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%f") if row.expires_at else None,
        "roles": [{"id": one.id, "name": one.name, "domain_id": one.domain_id} for one in row.roles.all()],
        "links": links(f"users/{row.user_id}/application_credentials/{row.id}"),
    }
    return shape if secret is None else shape | {"secret": secret}


def credential(row: Credential) -> Shape:
    return {
        "id": row.id,
        "type": row.type,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "blob": blob_of(row),
        "links": links(f"credentials/{row.id}"),
    }


def service(row: Service | BuiltInService) -> Shape:
    shape: Shape = {
        "id": row.id,
        "type": row.type,
        "name": row.name,
        "enabled": getattr(row, "enabled", True),
    }
    description = getattr(row, "description", "")
    return shape | {"description": description, "links": links(f"services/{row.id}")}


def endpoint(row: Endpoint | BuiltInEndpoint, service_id: str) -> Shape:
    return {
        "id": row.id,
        "interface": row.interface,
        "service_id": service_id,
        "region": row.region_id,
        "region_id": row.region_id,
        "url": row.url,
        "enabled": getattr(row, "enabled", True),
        "links": links(f"endpoints/{row.id}"),
    }


def region(row: Region) -> Shape:
    return {
        "id": row.id,
        "description": row.description,
        "parent_region_id": row.parent_id,
        "links": links(f"regions/{row.id}"),
    }


def _in_domain(id: str | None, name: str | None, domain_id: str | None, domain_name: str | None) -> Shape:
    return {"id": id, "name": name, "domain": {"id": domain_id, "name": domain_name}}


def token(checked: Checked, with_catalog: bool = True, restricted: Shape | None = None) -> Shape:
    """The ``token`` record of a login or of a look at a token. ``restricted``: its application credential."""
    shape: Shape = {
        "methods": checked.methods,
        "user": _in_domain(checked.user_id, checked.user_name, checked.user_domain_id, checked.user_domain_name)
        | {"password_expires_at": None},
        "audit_ids": checked.audit_ids,
        "issued_at": iso_micro(checked.issued_at),
        "expires_at": iso_micro(checked.expires_at),
    }
    if checked.project_id:
        shape["project"] = _in_domain(
            checked.project_id, checked.project_name, checked.project_domain_id, checked.project_domain_name
        )
        shape["is_domain"] = False
    elif checked.domain_id:
        shape["domain"] = {"id": checked.domain_id, "name": checked.domain_name}
    elif checked.system:
        shape["system"] = {"all": True}
    if not checked.scope.is_unscoped:
        shape["roles"] = checked.roles
        if with_catalog:
            shape["catalog"] = catalog()
    if restricted is not None:
        shape["application_credential"] = restricted
    return shape
