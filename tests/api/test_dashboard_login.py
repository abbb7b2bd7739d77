"""The pages' login: through Identity, for administrators, with a session that ends when their rights do (S49, S50)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from integrations.identity import login, throttle
from integrations.identity.models import Assignment, User
from tests.support.identity import PASSWORD, World

LOGIN = "/admin/login/"
CHECK = "/dashboard/auth-check"


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(login, "THROTTLE", throttle.LoginThrottle(5, 20))
    return World()


def enter(client: Client, name: str, password: str = PASSWORD, **more: Any) -> Any:
    return client.post(LOGIN, {"username": name, "password": password, "next": "/admin/"}, **more)


def test_an_administrator_enters_and_leaves(world: World) -> None:
    client = Client()
    assert client.get("/admin/").status_code == 302
    assert client.get(CHECK).status_code == 401
    assert enter(client, "admin").status_code == 302
    assert client.get("/admin/").status_code == 200
    assert client.get(CHECK).status_code == 204
    assert client.post("/admin/logout/").status_code in (200, 302)
    assert client.get(CHECK).status_code == 401


def test_nobody_else_enters_and_all_refusals_are_the_same(world: World) -> None:
    pages = []
    for name, password in (("ann", PASSWORD), ("admin", "wrong"), ("nobody", PASSWORD), ("admin", "x" * 5000)):
        client = Client()
        answer = enter(client, name, password)
        assert answer.status_code == 200
        assert client.get(CHECK).status_code == 401
        assert password not in answer.content.decode()
        pages.append("Please enter the correct" in answer.content.decode())
    assert all(pages[:3])


@pytest.mark.parametrize("change", ["role", "disabled", "password"])
def test_losing_the_right_ends_the_session(world: World, change: str) -> None:
    client = Client()
    enter(client, "admin")
    assert client.get(CHECK).status_code == 204
    admin = User.objects.get(name="admin")
    if change == "role":
        Assignment.objects.filter(user=admin).delete()
    elif change == "disabled":
        User.objects.filter(id=admin.id).update(enabled=False)
    else:
        admin.set_password("another one")
        admin.save()
    assert client.get(CHECK).status_code == 401
    assert client.get("/admin/").status_code == 302


def test_the_session_is_another_one_after_login(world: World) -> None:
    client = Client()
    session = client.session
    session["before"] = True
    session.save()
    before = client.cookies["computecloud_session"].value
    enter(client, "admin")
    assert client.cookies["computecloud_session"].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_cookies_and_headers(world: World) -> None:
    client = Client()
    page = client.get(LOGIN)
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.cookies["csrftoken"]["samesite"] == "Strict"
    answer = enter(client, "admin")
    cookie = answer.cookies["computecloud_session"]
    assert cookie["httponly"] and cookie["samesite"] == "Strict"


def test_a_form_from_elsewhere_is_refused(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    assert enter(client, "admin").status_code == 403
    page = client.get(LOGIN)
    token = page.cookies["csrftoken"].value
    assert (
        client.post(LOGIN, {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token}).status_code == 302
    )


def test_guessing_is_throttled_and_says_so(world: World) -> None:
    client = Client()
    for number in range(25):
        answer = enter(client, f"guess{number}", "wrong")
    assert "Too many failed logins" in answer.content.decode()
    assert "Too many failed logins" in enter(client, "admin").content.decode()


def test_looking_at_the_login_page_stores_nothing(world: World) -> None:
    for _ in range(3):
        Client().get(LOGIN)
        Client().get("/admin/")
        enter(Client(), "stranger", "wrong")
    assert not Session.objects.exists()


def test_the_admin_does_not_exist_from_outside(world: World) -> None:
    outside = {"headers": {"X-Forwarded-For": "203.0.113.9"}}
    for path in ("/admin/", LOGIN, "/admin/identity/user/"):
        assert Client().get(path, **outside).status_code == 404
    assert Client().get(LOGIN, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 200
    assert Client().get(LOGIN, REMOTE_ADDR="203.0.113.9", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404


def test_a_session_opens_no_api(world: World) -> None:
    client = Client()
    enter(client, "admin")
    assert client.get("/identity/v3/users").status_code == 401
    assert client.get("/compute/v2.1/servers").status_code == 401


def test_a_button_runs_the_service_and_leaves_an_entry(world: World) -> None:
    client = Client()
    enter(client, "admin")
    ann = User.objects.get(name="ann")
    answer = client.post("/admin/identity/user/", {"action": "disable", "_selected_action": [ann.id]}, follow=True)
    assert answer.status_code == 200
    ann.refresh_from_db()
    assert not ann.enabled
    history = client.get("/admin/admin/logentry/").content.decode()
    assert "disabled" in history and "ann" in history
