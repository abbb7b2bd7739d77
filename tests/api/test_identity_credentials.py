"""Application credentials and opaque credentials: logins that can do no more than their maker (S36, S39)."""

from __future__ import annotations

from typing import Any

import pytest

from computecloud.http import authentication
from integrations.identity import facade
from integrations.identity.actions import credentials
from integrations.identity.models import ApplicationCredential, Credential
from integrations.identity.tokens import CACHE
from tests.support.client import Person
from tests.support.identity import PASSWORD, TOKENS, World, project_scope

V3 = "/identity/v3"


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(authentication, "_authenticator", lambda: facade.authenticate)
    CACHE.clear()
    return World()


def make(person: Person, user_id: str, **values: Any) -> Any:
    body = {"application_credential": {"name": "robot", **values}}
    return person.post(f"{V3}/users/{user_id}/application_credentials", body)


def enter(world: World, row: dict[str, Any], **scope: Any) -> Any:
    identity = {
        "methods": ["application_credential"],
        "application_credential": {"id": row["id"], "secret": row["secret"]},
    }
    return world.anonymous.post(TOKENS, {"auth": {"identity": identity, **scope}})


def test_a_program_logs_in_with_its_own_secret(world: World) -> None:
    ann = world.person("ann", "red")
    made = make(ann, world.ann.id)
    assert made.status_code == 201
    row = made.json()["application_credential"]
    assert row["project_id"] == world.red.id and row["unrestricted"] is False and len(row["secret"]) >= 64
    assert {role["name"] for role in row["roles"]} == {"member", "reader"}
    answer = enter(world, row)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert token["project"]["id"] == world.red.id and token["methods"] == ["application_credential"]
    assert token["application_credential"] == {"id": row["id"], "name": "robot", "restricted": True}
    shown = ann.get(f"{V3}/users/{world.ann.id}/application_credentials/{row['id']}").json()["application_credential"]
    assert "secret" not in shown
    by_name = {"name": "robot", "secret": row["secret"], "user": {"name": "ann", "domain": {"id": "default"}}}
    identity = {"methods": ["application_credential"], "application_credential": by_name}
    assert world.anonymous.post(TOKENS, {"auth": {"identity": identity}}).status_code == 201
    assert enter(world, {**row, "secret": "wrong"}).status_code == 401


def test_only_some_of_the_roles_and_never_more(world: World) -> None:
    ann = world.person("ann", "red")
    row = make(ann, world.ann.id, roles=[{"name": "reader"}]).json()["application_credential"]
    roles = enter(world, row).json()["token"]["roles"]
    assert [role["name"] for role in roles] == ["reader"]
    assert make(ann, world.ann.id, name="more", roles=[{"name": "admin"}]).status_code == 404


@pytest.mark.row("S36")
def test_it_goes_nowhere_else(world: World) -> None:
    ann = world.person("ann", "red")
    row = make(ann, world.ann.id).json()["application_credential"]
    assert enter(world, row, scope=project_scope("blue")).status_code == 401
    assert enter(world, row, scope={"system": {"all": True}}).status_code == 401
    secret = enter(world, row).headers["X-Subject-Token"]
    identity = {"methods": ["token"], "token": {"id": secret}}
    assert world.anonymous.post(TOKENS, {"auth": {"identity": identity}}).status_code == 403


@pytest.mark.row("S36")
def test_a_restricted_one_makes_no_others(world: World) -> None:
    ann = world.person("ann", "red")
    row = make(ann, world.ann.id).json()["application_credential"]
    robot = Person(enter(world, row).headers["X-Subject-Token"])
    path = f"{V3}/users/{world.ann.id}/application_credentials/{row['id']}"
    assert make(robot, world.ann.id, name="child").status_code == 403
    assert robot.delete(path).status_code == 403
    body = {"credential": {"type": "cert", "blob": "x", "user_id": world.ann.id}}
    assert robot.post(f"{V3}/credentials", body).status_code == 403
    free = make(ann, world.ann.id, name="free", unrestricted=True).json()["application_credential"]
    other = Person(enter(world, free).headers["X-Subject-Token"])
    assert make(other, world.ann.id, name="child").status_code == 201


def test_only_the_user_makes_them(world: World) -> None:
    assert make(world.admin, world.ann.id).status_code == 403
    assert make(world.person("bob", "blue"), world.ann.id).status_code == 403


def test_it_ends_with_the_grant_with_itself_and_at_its_time(world: World) -> None:
    ann, admin = world.person("ann", "red"), world.admin
    row = make(ann, world.ann.id).json()["application_credential"]
    robot = Person(enter(world, row).headers["X-Subject-Token"])
    assert robot.get(f"{V3}/auth/projects").status_code == 200
    assert ann.delete(f"{V3}/users/{world.ann.id}/application_credentials/{row['id']}").status_code == 204
    CACHE.clear()
    assert robot.get(f"{V3}/auth/projects").status_code == 401
    row = make(ann, world.ann.id).json()["application_credential"]
    admin.delete(f"{V3}/projects/{world.red.id}/users/{world.ann.id}/roles/{world.role('member').id}")
    assert not ApplicationCredential.objects.exists() and enter(world, row).status_code == 401


def test_ends_are_in_the_future_and_bound_the_token(world: World) -> None:
    ann = world.person("ann", "red")
    assert make(ann, world.ann.id, expires_at="2020-01-01T00:00:00").status_code == 400
    assert make(ann, world.ann.id, expires_at="soon").status_code == 400
    row = make(ann, world.ann.id, expires_at="2099-01-01T00:00:00").json()["application_credential"]
    assert row["expires_at"].startswith("2099-01-01")
    ApplicationCredential.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert enter(world, row).status_code == 401


def test_access_rules_are_refused_clearly(world: World) -> None:
    rules = [{"path": "/v2.1/servers", "method": "GET", "service": "compute"}]
    answer = make(world.person("ann", "red"), world.ann.id, access_rules=rules)
    assert answer.status_code == 400 and "not offered" in answer.json()["error"]["message"]


@pytest.mark.row("S39")
def test_there_is_a_limit_per_user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "MOST_PER_USER", 1)
    ann = world.person("ann", "red")
    assert make(ann, world.ann.id).status_code == 201
    assert make(ann, world.ann.id, name="second").status_code == 403


def test_credentials_rest_sealed_and_are_the_owners(world: World) -> None:
    ann, bob = world.person("ann", "red"), world.person("bob", "blue")
    body = {"credential": {"type": "cert", "blob": "the secret itself", "user_id": world.ann.id}}
    made = ann.post(f"{V3}/credentials", body)
    assert made.status_code == 201
    row = made.json()["credential"]
    assert b"the secret itself" not in bytes(Credential.objects.get().blob_sealed)
    path = f"{V3}/credentials/{row['id']}"
    assert ann.get(path).json()["credential"]["blob"] == "the secret itself"
    assert bob.get(path).status_code == 404 and bob.delete(path).status_code == 404
    assert bob.get(f"{V3}/credentials?user_id={world.ann.id}").json()["credentials"] == []
    assert ann.patch(path, {"credential": {"user_id": world.bob.id}}).status_code == 403
    assert bob.post(f"{V3}/credentials", body).status_code == 403
    assert ann.patch(path, {"credential": {"blob": "new"}}).json()["credential"]["blob"] == "new"
    assert ann.delete(path).status_code == 204


def test_the_password_needs_the_present_one(world: World) -> None:
    ann = world.person("ann", "red")
    path = f"{V3}/users/{world.ann.id}/password"
    assert ann.post(path, {"user": {"password": "next", "original_password": "wrong"}}).status_code == 401
    assert ann.post(path, {"user": {"password": "next", "original_password": PASSWORD}}).status_code == 204
    assert world.log_in("ann", password="next").status_code == 201
