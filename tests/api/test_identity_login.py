"""Logging in: what opens the door, and that every closed door looks the same (S45-S47)."""

from __future__ import annotations

from typing import Any

import pytest

from computecloud.http import authentication
from integrations.identity import facade, login, throttle
from integrations.identity.models import Token, User
from integrations.identity.tokens import CACHE, digest_of, purge_expired
from tests.support.client import Person
from tests.support.identity import PASSWORD, TOKENS, World, password_login, project_scope


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(authentication, "_authenticator", lambda: facade.authenticate)
    monkeypatch.setattr(login, "THROTTLE", throttle.LoginThrottle(5, 20))
    CACHE.clear()
    return World()


def test_a_project_token_carries_roles_and_the_catalogue(world: World) -> None:
    answer = world.log_in("ann", project_scope("red"))
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert token["methods"] == ["password"]
    assert token["user"]["name"] == "ann" and token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["project"] == {"id": world.red.id, "name": "red", "domain": {"id": "default", "name": "Default"}}
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    kinds = {
        entry["type"]: {door["interface"]: door["url"] for door in entry["endpoints"]} for entry in token["catalog"]
    }
    assert set(kinds) == {"identity", "compute", "image", "network", "placement"}
    assert kinds["compute"]["public"].endswith("/compute/v2.1")
    assert kinds["image"]["internal"].endswith("/image")


def test_the_secret_is_random_and_stored_hashed_only(world: World) -> None:
    first = world.log_in("ann").headers["X-Subject-Token"]
    second = world.log_in("ann").headers["X-Subject-Token"]
    assert first != second and first.startswith("cc_") and len(first) >= 43
    row = Token.objects.get(digest=digest_of(first))
    assert first not in str(row.__dict__)


def test_without_a_scope_the_default_project_or_none(world: World) -> None:
    assert "project" not in world.log_in("ann").json()["token"]
    User.objects.filter(name="ann").update(default_project_id=world.red.id)
    assert world.log_in("ann").json()["token"]["project"]["name"] == "red"
    assert "project" not in world.log_in("ann", {"unscoped": {}}).json()["token"]
    User.objects.filter(name="ann").update(default_project_id=world.blue.id)
    assert "project" not in world.log_in("ann").json()["token"]


def test_domain_and_system_scopes(world: World) -> None:
    _, _, _ = world.second_domain()
    system = world.log_in("admin", {"system": {"all": True}}).json()["token"]
    assert system["system"] == {"all": True}
    found = world.anonymous.post(
        TOKENS,
        {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "dora", "domain": {"name": "Second"}, "password": PASSWORD}},
                },
                "scope": {"domain": {"name": "Second"}},
            }
        },
    ).json()["token"]
    assert found["domain"]["name"] == "Second"
    assert world.log_in("ann", {"system": {"all": True}}).status_code == 401
    assert world.log_in("ann", {"domain": {"id": "default"}}).status_code == 401


@pytest.mark.row("S45")
def test_every_refusal_is_the_same(world: World) -> None:
    User.objects.filter(name="bob").update(enabled=False)
    refusals = [
        world.log_in("ann", password="wrong"),
        world.log_in("nobody-has-this-name"),
        world.log_in("bob"),
        world.log_in("ann", project_scope("blue")),
        world.log_in("ann", project_scope("no-such-project")),
        world.anonymous.post(TOKENS, password_login("ann", domain="no-such-domain")),
    ]
    assert {answer.status_code for answer in refusals} == {401}
    assert len({answer.content for answer in refusals}) == 1
    body = refusals[0].json()["error"]
    assert body == {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    }


@pytest.mark.row("S45")
def test_unknown_and_wrong_do_the_same_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str | None] = []
    real = login.fits
    monkeypatch.setattr(login, "fits", lambda secret, stored: (judged.append(stored), real(secret, stored))[1])
    for name in ("ann", "nobody"):
        world.log_in(name, password="wrong")
    assert len(judged) == 2 and judged[0] is not None and judged[1] is None


@pytest.mark.row("S45")
def test_a_guessed_account_is_locked_and_looks_as_before(world: World) -> None:
    for _ in range(6):
        assert world.log_in("ann", password="wrong").status_code == 401
    locked = world.log_in("ann")
    assert locked.status_code == 401 and locked.content == world.log_in("nobody").content
    assert world.log_in("bob").status_code == 201


def test_a_stranger_cannot_lock_the_owner_out(world: World) -> None:
    home = {"headers": {"X-Forwarded-For": "192.0.2.1"}}
    away = {"headers": {"X-Forwarded-For": "198.51.100.9"}}
    assert world.anonymous.post(TOKENS, password_login("ann"), **home).status_code == 201
    for _ in range(8):
        world.anonymous.post(TOKENS, password_login("ann", "wrong"), **away)
    assert world.anonymous.post(TOKENS, password_login("ann"), **away).status_code == 401
    assert world.anonymous.post(TOKENS, password_login("ann"), **home).status_code == 201


def test_an_address_that_only_guesses_is_told_to_wait(world: World) -> None:
    for number in range(25):
        last = world.log_in(f"user{number}", password="wrong")
    assert last.status_code == 429 and last.headers["Retry-After"] == "60"
    elsewhere = world.anonymous.post(TOKENS, password_login("ann"), headers={"X-Forwarded-For": "192.0.2.7"})
    assert elsewhere.status_code == 201


def test_failed_logins_make_no_rows(world: World) -> None:
    for number in range(5):
        world.log_in(f"stranger{number}", password="wrong")
    assert not Token.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"identity": {"methods": [], "password": {"user": {"name": "admin", "domain": {"id": "default"}}}}},
        {"tfa-challenge": "x"},
        {"identity": {"methods": ["password", "token"]}},
        {"identity": {"methods": ["external"]}},
        {"scope": {"project": {"name": "red"}}},
        {"scope": {"project": {"id": "x"}, "domain": {"id": "default"}}},
        {"scope": {"system": {"all": False}}},
        {"scope": []},
    ],
)
def test_a_body_of_another_shape_is_400(world: World, change: dict[str, Any]) -> None:
    body = password_login("ann")
    body["auth"] |= change
    answer = world.anonymous.post(TOKENS, body)
    assert answer.status_code == 400 and answer.json()["error"]["title"] == "Bad Request"


@pytest.mark.row("S46")
def test_a_megabyte_of_password_is_refused_before_any_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "fits", lambda *_: pytest.fail("hashed"))
    assert world.log_in("ann", password="x" * 129).status_code == 400
    assert world.log_in("ann", password="x" * 1_000_000).status_code in (400, 413)


def test_error_texts_do_not_repeat_what_was_sent(world: World) -> None:
    body = password_login("ann", "my-real-secret")
    body["auth"]["surplus"] = True
    assert "my-real-secret" not in world.anonymous.post(TOKENS, body).content.decode()
    long = world.log_in("ann", password="my-real-secret" * 20)
    assert "my-real-secret" not in long.content.decode()


@pytest.mark.row("S46")
def test_passwords_rest_as_argon2(world: World) -> None:
    assert world.ann.password.startswith("argon2$argon2id$")


@pytest.mark.row("S43")
def test_headers_that_claim_an_identity_are_not_believed(world: World) -> None:
    claims = {"X-Roles": "admin", "X-User-Id": world.ann.id, "X-Is-Admin-Project": "True", "Remote-User": "admin"}
    assert world.anonymous.get("/identity/v3/users", headers=claims).status_code == 401
    assert world.person("ann", "red").get("/identity/v3/users", headers=claims).status_code == 403


@pytest.mark.row("S44")
def test_rescoping_keeps_the_first_expiry_and_the_chain(world: World) -> None:
    first = world.log_in("ann")
    identity = {"methods": ["token"], "token": {"id": first.headers["X-Subject-Token"]}}
    second = world.anonymous.post(TOKENS, {"auth": {"identity": identity, "scope": project_scope("red")}})
    assert second.status_code == 201
    before, after = first.json()["token"], second.json()["token"]
    assert after["expires_at"] == before["expires_at"]
    assert after["methods"] == ["token", "password"]
    assert after["audit_ids"][1] == before["audit_ids"][0]


def test_a_bad_token_opens_nothing(world: World) -> None:
    for text in ("cc_guess", "", "x" * 500):
        identity = {"methods": ["token"], "token": {"id": text or " "}}
        assert world.anonymous.post(TOKENS, {"auth": {"identity": identity}}).status_code == 401
    assert Person("cc_guess").get("/identity/v3/auth/projects").status_code == 401


def test_look_at_a_token_and_end_it(world: World) -> None:
    ann = world.person("ann", "red")
    subject = {"X-Subject-Token": str(ann.token)}
    shown = ann.get(TOKENS, headers=subject)
    assert shown.status_code == 200 and shown.json()["token"]["user"]["name"] == "ann"
    assert "catalog" not in ann.get(f"{TOKENS}?nocatalog", headers=subject).json()["token"]
    assert ann.head(TOKENS, headers=subject).status_code == 200
    assert world.person("bob", "blue").get(TOKENS, headers=subject).status_code == 403
    assert world.admin.get(TOKENS, headers=subject).status_code == 200
    assert world.person("bob", "blue").delete(TOKENS, headers=subject).status_code == 403
    assert ann.delete(TOKENS, headers=subject).status_code == 204
    assert world.admin.get(TOKENS, headers=subject).status_code == 404


def test_expired_tokens_are_swept(world: World, settings: Any) -> None:
    ann = world.person("ann", "red")
    Token.objects.filter(digest=digest_of(str(ann.token))).update(expires_at="2020-01-01T00:00:00Z")
    CACHE.clear()
    assert ann.get("/identity/v3/auth/projects").status_code == 401
    assert purge_expired() == 1 and not Token.objects.exists()


def test_version_documents(world: World) -> None:
    for root in ("/identity", "/identity/"):
        answer = world.anonymous.get(root)
        assert answer.status_code == 300
        assert answer.json()["versions"]["values"][0]["id"].startswith("v3")
    for v3 in ("/identity/v3", "/identity/v3/"):
        version = world.anonymous.get(v3).json()["version"]
        assert version["status"] == "stable" and version["links"][0]["href"].endswith("/identity/v3/")
