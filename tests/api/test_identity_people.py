"""Projects, users, groups, roles and grants: who may see and change what (S33, S36, S37)."""

from __future__ import annotations

from typing import Any

import pytest

from computecloud.http import authentication
from integrations.identity import facade
from integrations.identity.models import Assignment, Domain, User
from integrations.identity.tokens import CACHE
from tests.support.client import Person
from tests.support.identity import PASSWORD, World

V3 = "/identity/v3"


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(authentication, "_authenticator", lambda: facade.authenticate)
    CACHE.clear()
    return World()


@pytest.fixture
def admin(world: World) -> Person:
    return world.admin


def test_a_projects_life(admin: Person) -> None:
    made = admin.post(f"{V3}/projects", {"project": {"name": "green", "description": "trees", "tags": ["b", "a"]}})
    assert made.status_code == 201
    project = made.json()["project"]
    assert project["parent_id"] == project["domain_id"] == "default" and project["tags"] == ["a", "b"]
    assert project["is_domain"] is False and project["enabled"] is True and project["options"] == {}
    path = f"{V3}/projects/{project['id']}"
    assert project["links"]["self"].endswith(path)
    assert admin.get(path).json()["project"] == project
    changed = admin.patch(path, {"project": {"name": "greener", "department": "botany"}}).json()["project"]
    assert changed["name"] == "greener" and changed["department"] == "botany"
    assert admin.post(f"{V3}/projects", {"project": {"name": "greener"}}).status_code == 409
    assert admin.delete(path).status_code == 204
    gone = admin.get(path)
    assert gone.status_code == 404
    assert gone.json()["error"]["message"] == f"Could not find project: {project['id']}."


def test_a_tree_of_projects(admin: Person, world: World) -> None:
    child = admin.post(f"{V3}/projects", {"project": {"name": "leaf", "parent_id": world.red.id}}).json()["project"]
    assert child["parent_id"] == world.red.id
    assert admin.delete(f"{V3}/projects/{world.red.id}").status_code == 403
    tree = admin.get(f"{V3}/projects/{child['id']}?parents_as_ids").json()["project"]["parents"]
    assert tree == {world.red.id: {"default": None}}
    listed = admin.get(f"{V3}/projects?parent_id={world.red.id}").json()["projects"]
    assert [row["id"] for row in listed] == [child["id"]]


def test_lists_filter_and_page(admin: Person) -> None:
    for number in range(5):
        admin.post(f"{V3}/projects", {"project": {"name": f"p{number}", "enabled": number != 3}})
    names = [row["name"] for row in admin.get(f"{V3}/projects?name__startswith=p").json()["projects"]]
    assert names == ["p0", "p1", "p2", "p3", "p4"]
    assert [row["name"] for row in admin.get(f"{V3}/projects?enabled=False").json()["projects"]] == ["p3"]
    first = admin.get(f"{V3}/projects?name__startswith=p&limit=2").json()
    assert [row["name"] for row in first["projects"]] == ["p0", "p1"]
    following = first["links"]["next"]
    assert "limit=2" in following
    second = admin.get(following[following.index(V3) :]).json()
    assert [row["name"] for row in second["projects"]] == ["p2", "p3"]
    assert admin.get(f"{V3}/projects?marker=nobody").status_code == 400
    assert admin.get(f"{V3}/projects?limit=x").status_code == 400


def test_a_users_life(admin: Person, world: World) -> None:
    body = {"name": "finn", "password": PASSWORD, "email": "finn@example.org", "default_project_id": world.red.id}
    made = admin.post(f"{V3}/users", {"user": body})
    assert made.status_code == 201 and "password" not in made.json()["user"]
    user = made.json()["user"]
    path = f"{V3}/users/{user['id']}"
    assert admin.patch(path, {"user": {"enabled": False}}).json()["user"]["enabled"] is False
    assert world.log_in("finn").status_code == 401
    admin.patch(path, {"user": {"enabled": True, "password": "quite another"}})
    assert world.log_in("finn").status_code == 401
    assert world.log_in("finn", password="quite another").status_code == 201
    assert admin.delete(path).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {"user": {"name": "x", "password": "y" * 129}},
        {"user": {"name": "x", "is_superuser": True}},
        {"user": {"name": "x", "id": "chosen"}},
        {"user": {"name": ""}},
        {"user": {"name": "x" * 256}},
        {"user": {"name": "x", "enabled": "yes"}},
        {"user": {"name": "x", "options": {"root": True}}},
        {"user": {"name": "x", "extra": {"a": 1}}},
        {"user": {"name": "x"}, "more": 1},
        {"user": []},
        [],
        {"user": {"name": "x", **{f"p{number}": 1 for number in range(60)}}},
    ],
)
def test_bodies_of_another_shape_are_400(admin: Person, body: Any) -> None:
    assert admin.post(f"{V3}/users", body).status_code == 400


def test_a_member_sees_only_their_own(world: World) -> None:
    ann = world.person("ann", "red")
    assert [row["name"] for row in ann.get(f"{V3}/auth/projects").json()["projects"]] == ["red"]
    assert ann.get(f"{V3}/users/{world.ann.id}").status_code == 200
    assert ann.get(f"{V3}/projects/{world.red.id}").status_code == 200
    assert [row["name"] for row in ann.get(f"{V3}/users/{world.ann.id}/projects").json()["projects"]] == ["red"]
    assert ann.get(f"{V3}/domains/default").status_code == 200
    for path in (
        f"users/{world.bob.id}",
        f"projects/{world.blue.id}",
        f"users/{world.bob.id}/projects",
        f"users/{world.bob.id}/groups",
        f"users/{world.bob.id}/application_credentials",
        "users",
        "projects",
        "groups",
        "roles",
        "domains",
        "role_assignments",
        f"role_assignments?user.id={world.bob.id}",
        "services",
        "endpoints",
        "projects/no-such-project",
        "users/no-such-user",
    ):
        answer = ann.get(f"{V3}/{path}")
        assert answer.status_code == 403, path
        assert answer.json()["error"]["message"].startswith("You are not authorized to perform the requested action")
    own = ann.get(f"{V3}/role_assignments?user.id={world.ann.id}&include_names").json()["role_assignments"]
    assert [row["role"]["name"] for row in own] == ["member"]


def test_a_member_changes_nothing(world: World) -> None:
    ann = world.person("ann", "red")
    role = world.role("admin").id
    tries = [
        ann.post(f"{V3}/projects", {"project": {"name": "mine"}}),
        ann.patch(f"{V3}/projects/{world.red.id}", {"project": {"name": "mine"}}),
        ann.delete(f"{V3}/projects/{world.red.id}"),
        ann.post(f"{V3}/users", {"user": {"name": "mine"}}),
        ann.patch(f"{V3}/users/{world.ann.id}", {"user": {"name": "root"}}),
        ann.delete(f"{V3}/users/{world.ann.id}"),
        ann.put(f"{V3}/projects/{world.red.id}/users/{world.ann.id}/roles/{role}"),
        ann.put(f"{V3}/system/users/{world.ann.id}/roles/{role}"),
        ann.put(f"{V3}/OS-INHERIT/projects/{world.red.id}/users/{world.ann.id}/roles/{role}/inherited_to_projects"),
        ann.post(f"{V3}/domains", {"domain": {"name": "mine"}}),
        ann.post(f"{V3}/roles", {"role": {"name": "mine"}}),
        ann.put(f"{V3}/roles/{world.role('member').id}/implies/{role}"),
        ann.post(f"{V3}/services", {"service": {"type": "mine"}}),
        ann.put(f"{V3}/projects/{world.red.id}/tags/mine"),
    ]
    assert {answer.status_code for answer in tries} == {403}
    assert not Assignment.objects.filter(user=world.ann).exclude(role=world.role("member")).exists()


def test_grants_and_their_list(admin: Person, world: World) -> None:
    member, reader = world.role("member"), world.role("reader")
    place = f"{V3}/projects/{world.blue.id}/users/{world.eve.id}/roles"
    assert admin.head(f"{place}/{reader.id}").status_code == 404
    for _ in range(2):
        assert admin.put(f"{place}/{reader.id}").status_code == 204
    assert admin.head(f"{place}/{reader.id}").status_code == 204
    assert [row["name"] for row in admin.get(place).json()["roles"]] == ["reader"]
    listed = admin.get(f"{V3}/role_assignments?scope.project.id={world.blue.id}&include_names").json()[
        "role_assignments"
    ]
    assert {(row["user"]["name"], row["role"]["name"]) for row in listed} == {("bob", "member"), ("eve", "reader")}
    assert listed[0]["scope"]["project"]["domain"] == {"id": "default", "name": "Default"}
    works_out = admin.get(f"{V3}/role_assignments?user.id={world.bob.id}&effective").json()["role_assignments"]
    assert {row["role"]["id"] for row in works_out} == {member.id, reader.id}
    assert admin.delete(f"{place}/{reader.id}").status_code == 204
    assert admin.delete(f"{place}/{reader.id}").status_code == 404
    assert admin.put(f"{place}/no-such-role").status_code == 404


def test_inherited_grants_count_below_and_not_above(admin: Person, world: World) -> None:
    child = admin.post(f"{V3}/projects", {"project": {"name": "leaf", "parent_id": world.red.id}}).json()["project"]
    role = world.role("member").id
    path = f"{V3}/OS-INHERIT/projects/{world.red.id}/users/{world.eve.id}/roles/{role}/inherited_to_projects"
    assert admin.put(path).status_code == 204
    assert world.log_in("eve", {"project": {"id": world.red.id}}).status_code == 401
    assert world.log_in("eve", {"project": {"id": child["id"]}}).status_code == 201


def test_roles_that_policies_need_stay(admin: Person, world: World) -> None:
    for name in ("admin", "member", "reader"):
        assert admin.delete(f"{V3}/roles/{world.role(name).id}").status_code == 403
    assert admin.patch(f"{V3}/roles/{world.role('admin').id}", {"role": {"name": "king"}}).status_code == 403
    own = admin.post(f"{V3}/roles", {"role": {"name": "auditor"}}).json()["role"]
    assert own["domain_id"] is None
    assert admin.put(f"{V3}/roles/{own['id']}/implies/{world.role('admin').id}").status_code == 403
    made = admin.put(f"{V3}/roles/{own['id']}/implies/{world.role('reader').id}")
    assert made.status_code == 201 and made.json()["role_inference"]["implies"]["name"] == "reader"
    circle = admin.put(f"{V3}/roles/{world.role('reader').id}/implies/{own['id']}")
    assert circle.status_code == 400
    assert admin.delete(f"{V3}/roles/{own['id']}").status_code == 204


def test_the_default_domain_stays_and_others_go_when_disabled(admin: Person) -> None:
    assert admin.delete(f"{V3}/domains/default").status_code == 403
    domain = admin.post(f"{V3}/domains", {"domain": {"name": "short"}}).json()["domain"]
    path = f"{V3}/domains/{domain['id']}"
    admin.post(f"{V3}/users", {"user": {"name": "guest", "domain_id": domain["id"]}})
    assert admin.delete(path).status_code == 403
    admin.patch(path, {"domain": {"enabled": False}})
    assert admin.delete(path).status_code == 204
    assert not User.objects.filter(name="guest").exists() and not Domain.objects.filter(name="short").exists()


@pytest.fixture
def dora(world: World) -> tuple[Person, Domain, str]:
    """The manager of a second domain, with a token for it, and the id of a project there."""
    domain, _, project = world.second_domain()
    return world.person("dora", domain=domain.id, scope={"domain": {"id": domain.id}}), domain, project.id


def test_a_domains_manager_runs_the_domain(world: World, dora: tuple[Person, Domain, str]) -> None:
    person, domain, project = dora
    user = person.post(f"{V3}/users", {"user": {"name": "kim", "password": PASSWORD}}).json()["user"]
    assert user["domain_id"] == domain.id
    assert {row["name"] for row in person.get(f"{V3}/users").json()["users"]} == {"dora", "kim"}
    assert [row["name"] for row in person.get(f"{V3}/projects").json()["projects"]] == ["green"]
    member = world.role("member").id
    assert person.put(f"{V3}/projects/{project}/users/{user['id']}/roles/{member}").status_code == 204
    assert person.delete(f"{V3}/users/{user['id']}").status_code == 204


def test_a_domains_manager_rises_no_higher(world: World, dora: tuple[Person, Domain, str]) -> None:
    person, domain, project = dora
    me = User.objects.get(name="dora")
    roles = {name: world.role(name).id for name in ("admin", "member", "service")}
    boss = User.objects.create_user("boss", PASSWORD, domain_id=domain.id)
    Assignment.objects.create(user=boss, role=world.role("admin"), system=True)
    group = person.post(f"{V3}/groups", {"group": {"name": "gang"}}).json()["group"]["id"]
    Assignment.objects.create(group_id=group, role=world.role("admin"), project=world.red)
    tries = {
        "admin on a project": person.put(f"{V3}/projects/{project}/users/{me.id}/roles/{roles['admin']}"),
        "service on a project": person.put(f"{V3}/projects/{project}/users/{me.id}/roles/{roles['service']}"),
        "member elsewhere": person.put(f"{V3}/projects/{world.red.id}/users/{me.id}/roles/{roles['member']}"),
        "a stranger here": person.put(f"{V3}/projects/{project}/users/{world.ann.id}/roles/{roles['member']}"),
        "admin of the system": person.put(f"{V3}/system/users/{me.id}/roles/{roles['admin']}"),
        "the boss's password": person.patch(f"{V3}/users/{boss.id}", {"user": {"password": "mine now"}}),
        "the boss's end": person.delete(f"{V3}/users/{boss.id}"),
        "into a stronger group": person.put(f"{V3}/groups/{group}/users/{me.id}"),
        "a user elsewhere": person.post(f"{V3}/users", {"user": {"name": "x", "domain_id": "default"}}),
        "a project elsewhere": person.post(f"{V3}/projects", {"project": {"name": "x", "domain_id": "default"}}),
        "below a foreign project": person.post(f"{V3}/projects", {"project": {"name": "x", "parent_id": world.red.id}}),
        "a domain": person.post(f"{V3}/domains", {"domain": {"name": "x"}}),
        "a role": person.post(f"{V3}/roles", {"role": {"name": "x"}}),
        "somebody else": person.patch(f"{V3}/users/{world.ann.id}", {"user": {"password": "mine now"}}),
        "another project": person.delete(f"{V3}/projects/{world.red.id}"),
    }
    assert {what: answer.status_code for what, answer in tries.items() if answer.status_code not in (403, 404)} == {}
    assert world.log_in("ann").status_code == 201


def test_services_are_listed_and_the_built_in_ones_stay(admin: Person) -> None:
    services = admin.get(f"{V3}/services").json()["services"]
    assert {row["type"] for row in services} == {"identity", "compute", "image", "network", "placement"}
    assert admin.delete(f"{V3}/services/{services[0]['id']}").status_code == 403
    own = admin.post(f"{V3}/services", {"service": {"type": "object-store", "name": "swift"}}).json()["service"]
    door = {
        "service_id": own["id"],
        "interface": "public",
        "url": "https://store.example.org/v1",
        "region_id": "RegionOne",
    }
    assert admin.post(f"{V3}/endpoints", {"endpoint": door}).status_code == 201
    kinds = {entry["type"] for entry in admin.get(f"{V3}/auth/catalog").json()["catalog"]}
    assert "object-store" in kinds
    assert admin.delete(f"{V3}/services/{own['id']}").status_code == 204
    assert [row["id"] for row in admin.get(f"{V3}/regions").json()["regions"]] == ["RegionOne"]


def test_what_is_not_offered_is_not_found(admin: Person) -> None:
    for path in ("policies", "OS-TRUST/trusts", "OS-OAUTH1/consumers", "limits", "nothing/at/all"):
        answer = admin.get(f"{V3}/{path}")
        assert answer.status_code == 404 and answer.json()["error"]["code"] == 404
