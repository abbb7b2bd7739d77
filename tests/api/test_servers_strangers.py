"""Knowing an id is not enough: every path of a server, every method, by people who may not (S33, S36)."""

from __future__ import annotations

from typing import Any

import pytest

from instances.api.server_actions import LATER, TABLE
from instances.api.urls_servers import urlpatterns
from tests.support.client import Cloud, Person
from tests.support.servers import forget_everything, make_server_with_port

VERSIONS = ("2.1", "2.26", "2.96", "2.102")
METHODS = ("GET", "POST", "PUT", "DELETE")


def places(server_id: str) -> list[str]:
    """Every path that names a server, with a plausible word for what hangs below it."""
    found = []
    for pattern in urlpatterns:
        route = str(pattern.pattern)
        if "<str:server_id>" not in route:
            continue
        path = route.replace("<str:server_id>", server_id)
        while "<" in path:
            path = path[: path.index("<")] + "web" + path[path.index(">") + 1 :]
        found.append(f"/compute/{path}")
    return found


def bodies(method: str, path: str) -> list[Any]:
    if path.endswith("/action") and "migrations" not in path:
        return [{key: {"type": "SOFT"} if key == "reboot" else None} for key in (*TABLE, *LATER)]
    if method == "PUT" and path.endswith("/tags"):
        return [{"tags": ["x"]}]
    if method == "PUT" and "/metadata/" in path:
        return [{"meta": {"web": "x"}}]
    if path.endswith("/metadata"):
        return [{"metadata": {"a": "b"}}]
    return [{"server": {"name": "mine"}}] if method in ("POST", "PUT") else [None]


def statuses(person: Person, server_id: str, methods: tuple[str, ...]) -> set[int]:
    seen = set()
    for version in VERSIONS:
        for path in places(server_id):
            for method in methods:
                for body in bodies(method, path):
                    seen.add(person.at(version).request(method, path, body).status_code)
    return seen


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def test_another_project_finds_nothing(cloud: Cloud) -> None:
    server = make_server_with_port(metadata={"web": "x"})

    assert statuses(cloud.as_other, server.id, METHODS) <= {400, 403, 404, 405}
    server.refresh_from_db()
    assert (server.name, server.metadata, server.open_operation, server.locked_by) == ("web", {"web": "x"}, None, "")


def test_a_reader_changes_nothing(cloud: Cloud) -> None:
    server = make_server_with_port(metadata={"web": "x"})

    assert statuses(cloud.as_reader, server.id, ("POST", "PUT", "DELETE")) <= {403, 404, 405}
    server.refresh_from_db()
    assert (server.name, server.metadata, server.open_operation, server.locked_by) == ("web", {"web": "x"}, None, "")


def test_without_a_token_nothing_is_said(cloud: Cloud) -> None:
    server = make_server_with_port()

    assert statuses(cloud.anonymous, server.id, METHODS) <= {401, 404}  # 404: no such method there
    assert statuses(cloud.with_bad_token, server.id, ("GET",)) <= {401, 404}


def test_every_path_is_walked() -> None:
    assert len(places("x")) >= 26
