"""What ends a token: within the cache's few seconds anywhere, at once in the process that made the change (S44)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F

from computecloud.http import authentication
from integrations.identity import facade, tokens
from integrations.identity.models import Assignment, Project, Token, User
from integrations.identity.tokens import CACHE
from tests.support.client import Person
from tests.support.identity import PASSWORD, TOKENS, World

MINE = "/identity/v3/auth/projects"


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(authentication, "_authenticator", lambda: facade.authenticate)
    CACHE.clear()
    return World()


ENDS: dict[str, Callable[[World, Person], Any]] = {
    "user disabled": lambda w, admin: admin.patch(f"/identity/v3/users/{w.ann.id}", {"user": {"enabled": False}}),
    "user deleted": lambda w, admin: admin.delete(f"/identity/v3/users/{w.ann.id}"),
    "new password by an administrator": lambda w, admin: admin.patch(
        f"/identity/v3/users/{w.ann.id}", {"user": {"password": "a new one"}}
    ),
    "new password by the user": lambda w, admin: admin.post(
        f"/identity/v3/users/{w.ann.id}/password", {"user": {"password": "a new one", "original_password": PASSWORD}}
    ),
    "project disabled": lambda w, admin: admin.patch(
        f"/identity/v3/projects/{w.red.id}", {"project": {"enabled": False}}
    ),
    "project deleted": lambda w, admin: admin.delete(f"/identity/v3/projects/{w.red.id}"),
    "role taken": lambda w, admin: admin.delete(
        f"/identity/v3/projects/{w.red.id}/users/{w.ann.id}/roles/{w.role('member').id}"
    ),
}


@pytest.mark.row("S44")
@pytest.mark.parametrize("what", ENDS)
def test_it_ends_at_once(world: World, what: str) -> None:
    ann, admin = world.person("ann", "red"), world.admin
    assert ann.get(MINE).status_code == 200
    assert ENDS[what](world, admin).status_code in (200, 204)
    assert ann.get(MINE).status_code == 401
    assert admin.get(TOKENS, headers={"X-Subject-Token": str(ann.token)}).status_code == 404


@pytest.mark.row("S44")
def test_a_disabled_domain_ends_its_users_and_its_projects_tokens(world: World) -> None:
    domain, dora, _ = world.second_domain()
    admin = world.admin
    person = world.person("dora", domain=domain.id, scope={"domain": {"id": domain.id}})
    assert person.get(MINE).status_code == 200
    assert admin.patch(f"/identity/v3/domains/{domain.id}", {"domain": {"enabled": False}}).status_code == 200
    assert person.get(MINE).status_code == 401
    assert world.log_in(dora.name, domain=domain.id).status_code == 401


@pytest.mark.row("S44")
def test_elsewhere_it_ends_within_the_caches_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process changes the rows: nothing tells this one, but nothing is remembered for long either."""
    now = [1000.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now[0])
    ann = world.person("ann", "red")
    assert ann.get(MINE).status_code == 200
    User.objects.filter(id=world.ann.id).update(enabled=False)
    now[0] += 5.0
    assert ann.get(MINE).status_code == 401


@pytest.mark.row("S44")
def test_a_deleted_users_token_is_not_revived_by_a_namesake(world: World) -> None:
    ann, admin = world.person("ann", "red"), world.admin
    admin.delete(f"/identity/v3/users/{world.ann.id}")
    created = admin.post("/identity/v3/users", {"user": {"name": "ann", "password": PASSWORD}})
    assert created.status_code == 201 and created.json()["user"]["id"] != world.ann.id
    assert ann.get(MINE).status_code == 401


@pytest.mark.row("S44")
def test_roles_follow_while_the_token_lives(world: World) -> None:
    ann, admin = world.person("ann", "red"), world.admin
    other = world.role("manager")
    admin.put(f"/identity/v3/projects/{world.red.id}/users/{world.ann.id}/roles/{other.id}")
    assert "manager" in facade.authenticate(str(ann.token)).roles
    admin.delete(f"/identity/v3/projects/{world.red.id}/users/{world.ann.id}/roles/{other.id}")
    assert facade.authenticate(str(ann.token)).roles == {"member", "reader"}


@pytest.mark.row("S44")
def test_what_a_group_gave_goes_with_the_group(world: World) -> None:
    admin = world.admin
    group = admin.post("/identity/v3/groups", {"group": {"name": "helpers"}}).json()["group"]["id"]
    admin.put(f"/identity/v3/projects/{world.blue.id}/groups/{group}/roles/{world.role('member').id}")
    assert admin.put(f"/identity/v3/groups/{group}/users/{world.eve.id}").status_code == 204
    eve = world.person("eve", "blue")
    assert eve.get(MINE).status_code == 200
    assert admin.delete(f"/identity/v3/groups/{group}/users/{world.eve.id}").status_code == 204
    assert eve.get(MINE).status_code == 401
    admin.put(f"/identity/v3/groups/{group}/users/{world.eve.id}")
    again = world.person("eve", "blue")
    assert admin.delete(f"/identity/v3/groups/{group}").status_code == 204
    assert again.get(MINE).status_code == 401


@pytest.mark.row("S44")
def test_a_password_changed_during_login_wins(world: World) -> None:
    """The token is bound to the password that was read, so a login that raced a change gives nothing."""
    ann = User.objects.select_related("domain").get(name="ann")
    User.objects.filter(id=ann.id).update(password_version=F("password_version") + 1)
    secret, _ = tokens.issue(ann, tokens.Scope(), ["password"], [])
    assert Person(secret).get(MINE).status_code == 401


def test_logging_in_for_ever_fills_no_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_PER_USER", 3)
    first, *_, last = [world.person("ann", "red") for _ in range(6)]
    tokens._trim(world.ann.id)
    CACHE.clear()
    assert Token.objects.filter(user=world.ann).count() == 3
    assert first.get(MINE).status_code == 401 and last.get(MINE).status_code == 200


def test_one_query_on_a_miss_none_on_a_hit(world: World, django_assert_num_queries: Any) -> None:
    ann = world.person("ann", "red")
    CACHE.clear()
    with django_assert_num_queries(1):
        facade.authenticate(str(ann.token))
    with django_assert_num_queries(0):
        facade.authenticate(str(ann.token))


def test_admin_of_a_domain_is_not_admin_of_the_cloud(world: World) -> None:
    domain, dora, _ = world.second_domain()
    Assignment.objects.filter(user=dora).update(role=world.role("admin"))
    person = world.person("dora", domain=domain.id, scope={"domain": {"id": domain.id}})
    actor = facade.authenticate(str(person.token))
    assert not actor.is_admin and "manager" in actor.roles and actor.domain_id == domain.id


def test_ending_a_project_is_told_to_the_apps_above(world: World) -> None:
    from operations.models import Outbox

    admin = world.admin
    admin.delete(f"/identity/v3/projects/{world.blue.id}")
    admin.delete(f"/identity/v3/users/{world.bob.id}")
    told = {(row.topic, row.body.get("project_id") or row.body.get("user_id")) for row in Outbox.objects.all()}
    assert told == {("project.deleted", world.blue.id), ("user.deleted", world.bob.id)}
    assert (
        not Project.objects.filter(id=world.blue.id).exists()
        and not Token.objects.filter(user_id=world.bob.id).exists()
    )
