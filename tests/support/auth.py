"""Fixed tokens for tests of every service but Identity: one for each kind of person."""

from __future__ import annotations

from hashlib import sha256

from computecloud.core.actor import Actor, expand_roles
from computecloud.core.errors import Unauthorized

PROJECT_A, PROJECT_B, PROJECT_ADMIN = "a" * 32, "b" * 32, "ad" * 16
PEOPLE = {
    "admin": (PROJECT_ADMIN, "admin"),
    "member-a": (PROJECT_A, "member"),
    "reader-a": (PROJECT_A, "reader"),
    "manager-a": (PROJECT_A, "manager"),
    "member-b": (PROJECT_B, "member"),
    "reader-b": (PROJECT_B, "reader"),
}


def user_id(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:32]


def actor(name: str) -> Actor:
    project, role = PEOPLE[name]
    return Actor(
        user_id=user_id(name),
        user_name=name,
        project_id=project,
        project_name=name.partition("-")[2] or "admin",
        project_domain_id="default",
        roles=expand_roles({role}),
        token_id=name,
    )


def authenticate(token: str) -> Actor:
    if token not in PEOPLE:
        raise Unauthorized
    return actor(token)
