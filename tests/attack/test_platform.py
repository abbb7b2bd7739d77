"""S24, S51, S52 against a running cloud: secrets, where they may not be, and a broker that somebody else writes to."""

from __future__ import annotations

import base64
import http.client
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from deploy.cloud import CHECKOUT
from tests.attack.conftest import tiny_server
from tests.attack.test_quotas import PASSWORD as NEWCOMERS
from tests.attack.test_quotas import Newcomer
from tests.support.client import Person
from tests.support.running import RunningCloud, wait_for, without_settings

pytestmark = pytest.mark.faults
SERVERS = "/compute/v2.1/servers"
IDENTITY = "/identity/v3"


def built(person: Person, name: str, **more: Any) -> str:
    made = person.post(SERVERS, {"server": tiny_server(person) | {"name": name} | more})
    assert made.status_code == 202, made.content
    server = str(made.json()["server"]["id"])
    wait_for("it is built", lambda: person.get(f"{SERVERS}/{server}").json()["server"]["status"] == "ACTIVE")
    return server


# --- S24


@pytest.mark.row("S24")
@pytest.mark.parametrize("key", ["", "short", "x" * 31])
@pytest.mark.parametrize("role", ["cloud", "conductor"])
def test_nothing_starts_with_a_secret_that_is_none(running: RunningCloud, key: str, role: str) -> None:
    config = {"COMPUTECLOUD_CONFIG": str(running.state / "etc" / "computecloud.conf")}
    settings = config | {"COMPUTECLOUD_SECRET_KEY": key, "COMPUTECLOUD_ROLE": role}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=CHECKOUT, env=without_settings() | settings, capture_output=True
    )
    assert done.returncode != 0 and b"secret_key" in done.stderr


@pytest.mark.row("S24")
def test_the_conductor_believes_nobody_without_a_secret(running: RunningCloud) -> None:
    agent = running.settings("agent-fake")
    where = running.settings()["conductor_url"].removeprefix("http://")
    host = tomllib.loads(Path(agent["identities"][0]).read_text())["uuid"]
    for headers in (
        {}, {"Authorization": ""}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {host}:"},
        {"Authorization": f"Bearer {host}"}, {"X-Host-Id": host, "X-Agent-Secret": ""}, {"X-Auth-Token": "x"},
        {"Authorization": f"Host {host} "}, {"Authorization": f"Bearer {host}." + "0" * 64},
    ):  # fmt: skip
        for path in ("beat", "take", "register", "observe", "renew", "finish"):
            connection = http.client.HTTPConnection(where, timeout=20)
            connection.request("POST", f"/conductor/v1/{path}", body=b"{}", headers=headers)
            status = connection.getresponse().status
            connection.close()
            assert status == 401, (headers, path, status)
    for path in ("v1/take", "", "%2e/v1/take", "v1/../v1/take", "v1//take"):
        assert running.nobody().post(f"/conductor/{path}", {}).status_code == 404
    for path in ("/conductor", "//conductor/v1/take", "/./conductor/v1/take", "/%63onductor/v1/take"):
        assert running.nobody().post(path, {}).status_code in (400, 404)


# --- S51


MARKER = "MARKER-4c1d-do-not-tell"
ENCODED = base64.b64encode(f"#!/bin/sh\necho {MARKER}".encode()).decode()
MAY_HOLD = {
    "instances_instance.user_data": "the guest's, as its owner sent it",
}


def is_told(text: str, *more: str) -> bool:
    return any(one in text for one in (MARKER, ENCODED[:40], base64.b64encode(MARKER.encode()).decode()[:24], *more))


@contextmanager
def heard(running: RunningCloud) -> Iterator[list[str]]:
    """Every command that anybody gives the broker meanwhile."""
    found: list[str] = []
    broker = running.broker()
    with broker.monitor() as monitor:

        def listen() -> None:
            try:
                for command in monitor.listen():
                    found.append(str(command["command"]))
            except (OSError, ValueError, Exception):  # noqa: BLE001 -- the connection is closed at the end
                return

        ear = threading.Thread(target=listen, daemon=True)
        ear.start()
        yield found
        time.sleep(1)
        monitor.connection.disconnect()
        ear.join(5)
    broker.close()


def kept_in(broker: Any) -> str:
    """All that the broker keeps, as text."""
    told = []
    for key in broker.scan_iter("*"):
        dumped = broker.dump(key)
        values = broker.lrange(key, 0, -1) if broker.type(key) == b"list" else []
        told += [key.decode(errors="replace"), str(dumped), *(one.decode(errors="replace") for one in values)]
    return "\n".join(told)


@pytest.mark.row("S51")
def test_secrets_are_told_nowhere(running: RunningCloud) -> None:
    """A marker in every secret that can be sent, right or wrong; then logs, every table and the broker are searched."""
    newcomer = Newcomer(running)
    own = f"{IDENTITY}/users/{newcomer.user}"
    with heard(running) as commands:
        person, nobody = newcomer.person, running.nobody("127.6.0.1")
        assert running.login(MARKER, MARKER, wire=nobody.client).status_code == 401
        nobody.get(f"{SERVERS}?token={MARKER}&password={MARKER}", headers={"Authorization": f"Basic {MARKER}"})
        nobody.get(SERVERS, headers={"X-Auth-Token": MARKER, "Cookie": f"computecloud_session={MARKER}"})
        person.post(SERVERS, {"server": {"adminPass": MARKER, "user_data": MARKER, "name": 5}})
        changed = {"user": {"original_password": NEWCOMERS, "password": MARKER}}
        robot = {"application_credential": {"name": "robot", "secret": MARKER}}
        assert person.post(f"{own}/application_credentials", robot).status_code == 201
        blob = {"type": "ec2", "blob": json.dumps({"access": "a", "secret": MARKER}), "user_id": newcomer.user}
        kept = person.post(f"{IDENTITY}/credentials", {"credential": blob | {"project_id": newcomer.project}})
        assert kept.status_code == 201, kept.content
        assert person.post(f"{own}/password", changed).status_code == 204
        again = running.person(f"{newcomer_name(newcomer)}", MARKER, newcomer.project).at("2.90")
        server = built(again, "with-secrets", adminPass=MARKER, user_data=ENCODED, config_drive=True)
        for action in ({"reboot": {"type": "HARD"}}, {"os-stop": None}):
            assert again.post(f"{SERVERS}/{server}/action", action).status_code == 202
            wait_for("done", lambda: again.get(f"{SERVERS}/{server}").json()["server"]["OS-EXT-STS:task_state"] is None)
        for path in (f"{SERVERS}/{server}/os-instance-actions", "/api/v1/operations", f"{SERVERS}/detail"):
            assert not is_told(again.get(path).text.replace(ENCODED, "") if "detail" in path else again.get(path).text)
        stays = kept_in(running.broker())
    tokens = [str(again.token), str(newcomer.person.token)]
    assert len(commands) > 20 and any("host." in one for one in commands), "the broker is heard"
    assert [one[:300] for one in commands if is_told(one, *tokens)] == []
    assert not is_told(stays, *tokens)
    time.sleep(6)  # nginx writes its log every five seconds
    logs = dict(running.logs())
    assert any(SERVERS in text for text in logs.values()), "the logs are heard"
    lines = [(name, line) for name, text in logs.items() for line in text.splitlines()]
    assert [(name, line[:300]) for name, line in lines if is_told(line, *tokens)] == []
    holders = {where for where, text in running.stored() if is_told(text, *tokens)}
    assert holders == set(MAY_HOLD)
    secrets = list(running.secrets.values())
    assert [name for name, text in logs.items() if any(one in text for one in secrets)] == []
    assert {where for where, text in running.stored() if any(one in text for one in secrets)} == set()


def newcomer_name(newcomer: Newcomer) -> str:
    return str(newcomer.admin.get(f"{IDENTITY}/users/{newcomer.user}").json()["user"]["name"])


# --- S52


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.canary),)


def message(task: str, body: bytes, kind: str, encoding: str = "utf-8", **more: Any) -> bytes:
    """One task message as kombu's Redis transport keeps it."""
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": kind,
            "content-encoding": encoding,
            "headers": {"lang": "py", "task": task, "id": "forged", "root_id": "forged", "retries": 0, **more},
            "properties": {
                "correlation_id": "forged", "delivery_mode": 2, "delivery_tag": "forged", "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": "x"}, "priority": 0,
            },
        }
    ).encode()  # fmt: skip


@pytest.mark.row("S52")
def test_a_forged_message_does_nothing(running: RunningCloud, tmp_path: Path) -> None:
    """Pickles, YAML, unknown names, junk and odd arguments on every queue: workers live, log, and work on."""
    person = running.demo().at("2.90")
    server = built(person, "untouched")
    before = person.get(f"{SERVERS}/{server}").json()
    actions = person.get(f"{SERVERS}/{server}/os-instance-actions").json()
    operation = running.admin().get("/api/v1/operations").json()["items"][0]["id"]
    canary = tmp_path / "canary"
    evil = pickle.dumps(([Bomb(canary)], {}, {}))
    yaml = f"!!python/object/apply:os.mkdir ['{canary}']".encode()
    empty = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'

    def args(*values: Any, **more: Any) -> bytes:
        return json.dumps([values, more, {}]).encode()

    forged = [
        message("server.create", evil, "application/x-python-serialize", "binary"),
        message("server.create", evil, "application/data", "binary"),
        message("server.create", yaml, "application/x-yaml"),
        message("server.create", evil, "application/json"),
        message("os.system", args(f"touch {canary}"), "application/json"),
        message("celery.backend_cleanup", empty, "application/json"),
        message("celery.map", args({"task": "os.mkdir"}, [str(canary)]), "application/json"),
        message("celery.chain", empty, "application/json"),
        message("server.delete", args(operation, 1), "application/json"),
        message("server.delete", args(operation, 10**30), "application/json"),
        message("server.delete", args(server, 0), "application/json"),
        message("server.delete", args(operation, 0), "application/json"),
        message("server.delete", args({"a": "b"}, [1]), "application/json"),
        message("server.delete", args("../../x", 1, evil=1), "application/json"),
        message("server.delete", empty, "application/json"),
        message("control.create", args(operation, 1), "application/json"),
        message("control.relay", empty, "application/json"),
        message("server.create", b"[" * 100_000, "application/json"),
        message("server.create", args("x" * 10**6, 1), "application/json"),
        message("server.create", args(operation, 1), "application/json", eta="9999-01-01T00:00:00+00:00", retries=9),
        b"", b"junk", b"[]", b"{}", b"null", b"\xff\xfe", pickle.dumps(Bomb(canary)), b'{"body": 5}',
        b'{"body": "x", "headers": null, "properties": null}',
    ]  # fmt: skip
    agent = running.settings("agent-fake")
    uuids = [tomllib.loads(Path(path).read_text())["uuid"] for path in agent["identities"]]
    workers = {name: running.pid(name) for name in ("control", "compute@fake")}
    broker = running.broker()
    for queue in ("control", *(f"host.{uuid}" for uuid in uuids)):
        broker.lpush(queue, *forged)
    broker.close()
    later = [built(person, f"after-{number}") for number in range(3)]
    assert not canary.exists()
    assert person.get(f"{SERVERS}/{server}").json() == before
    assert person.get(f"{SERVERS}/{server}/os-instance-actions").json() == actions
    told = dict(running.logs())
    last_words = told["compute@fake.log"][-3000:] + told["control.log"][-3000:]
    assert {name: running.pid(name) for name in workers} == workers, last_words
    for name in ("control.log", "compute@fake.log"):
        assert "forged" in told[name] or "ContentDisallowed" in told[name] or "unregistered" in told[name].lower(), name
    for one in (server, *later):
        assert person.delete(f"{SERVERS}/{one}").status_code == 204


COMMANDS: dict[str, dict[str, Any]] = {
    "shutdown": {}, "pool_shrink": {"n": 100}, "pool_restart": {"modules": ["os"]}, "pool_grow": {"n": 500},
    "cancel_consumer": {"queue": "control"}, "add_consumer": {"queue": "elsewhere"}, "autoscale": {"max": 0},
    "rate_limit": {"task_name": "server.create", "rate_limit": "1/h"}, "revoke": {"task_id": "x"},
    "time_limit": {"task_name": "server.create", "hard": 1}, "terminate": {"signal": "KILL", "task_id": "x"},
}  # fmt: skip


@pytest.mark.row("S52")
def test_nobody_commands_a_worker_through_the_broker(running: RunningCloud) -> None:
    """Whoever has the broker's password may look; he stops no worker, and takes no queue from it."""
    workers = {name: running.pid(name) for name in ("control", "compute@fake")}
    url = f"redis+socket://:{running.secrets['broker_password']}@{running.state}/run/redis.sock?virtual_host=0"
    with Celery(broker=url, set_as_current=False) as app:
        assert len(app.control.inspect(timeout=5).ping() or {}) == 2
        for command, arguments in COMMANDS.items():
            app.control.broadcast(command, arguments=arguments)
        time.sleep(1)
        queues = app.control.inspect(timeout=5).active_queues() or {}
        assert "elsewhere" not in json.dumps(queues)
        assert "control" in {one["name"] for one in queues["control@cloud"]}
    person = running.demo().at("2.90")
    server = built(person, "uncommanded")
    assert {name: running.pid(name) for name in workers} == workers
    assert person.delete(f"{SERVERS}/{server}").status_code == 204
