"""Rows of the Identity service. Other services hold these ids as opaque strings, never as foreign keys."""

from integrations.identity.models.catalog import Endpoint, Region, Service
from integrations.identity.models.credential import ApplicationCredential, Credential
from integrations.identity.models.domain import DEFAULT_DOMAIN_ID, Domain
from integrations.identity.models.group import Group, GroupMember
from integrations.identity.models.project import Project, ProjectTag
from integrations.identity.models.role import Assignment, Role, RoleImplication
from integrations.identity.models.token import Token
from integrations.identity.models.user import User

__all__ = [
    "DEFAULT_DOMAIN_ID",
    "ApplicationCredential",
    "Assignment",
    "Credential",
    "Domain",
    "Endpoint",
    "Group",
    "GroupMember",
    "Project",
    "ProjectTag",
    "Region",
    "Role",
    "RoleImplication",
    "Service",
    "Token",
    "User",
]
