"""S51: a marker in every secret that can be sent shows up nowhere: answers, logs, bells, operations, events."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from django.apps import apps
from django.db import models
from structlog._config import BoundLoggerLazyProxy

from computecloud.core import logs
from computecloud.http import authentication
from instances.models import Instance
from integrations.identity import facade
from integrations.identity.tokens import CACHE
from operations import bell
from operations.models import Operation
from tests.contract.test_fuzz import ODD, places, planted
from tests.contract.walk import text_of
from tests.support.client import Person
from tests.support.identity import PASSWORD, TOKENS, World, password_login, project_scope
from tests.support.routes import api_routes
from tests.support.samples import sample
from tests.support.servers import IMAGE, make_flavor, make_image
from tests.support.tenant import Tenant

MARKER = "MARKER-7f3e-do-not-tell"
ENCODED = base64.b64encode(f"#!/bin/sh\necho {MARKER}".encode()).decode()
SECRET_FIELDS = {"password", "original_password", "secret", "adminPass", "user_data", "blob", "passcode"}
SERVERS = "/compute/v2.1/servers"


def forget_loggers() -> None:
    """Loggers keep the level of their first use; make them look again."""
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()):
            if isinstance(value, BoundLoggerLazyProxy):
                vars(value).pop("bind", None)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that any logger writes, down to DEBUG, in the product's own form."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    configured = logs.configure("DEBUG")
    forget_loggers()
    processors = configured["formatters"]["json"]["processors"]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=processors, foreign_pre_chain=configured["formatters"]["json"]["foreign_pre_chain"]
        )
    )
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)
    logs.configure("WARNING")
    forget_loggers()


def stored() -> Iterator[tuple[str, str]]:
    """(table.column, value) of every text in the database."""
    for model in apps.get_models():
        names = [field.attname for field in model._meta.concrete_fields]
        for row in model._default_manager.values_list(*names):
            for name, value in zip(names, row, strict=True):
                if isinstance(value, str | bytes | memoryview | dict | list):
                    text = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                    yield f"{model._meta.label}.{name}", text.decode(errors="replace")


def told(text: str) -> bool:
    return MARKER in text or ENCODED[:40] in text


def holders(*more: str) -> set[str]:
    """Columns that hold the marker (or one of ``more``)."""
    return {where for where, text in stored() if told(text) or any(one in text for one in more)}


@pytest.mark.row("S51")
def test_s51_the_log_that_this_file_reads_does_hear(log: StringIO, db: None) -> None:
    structlog.get_logger("tests").warning("heard", path="/x", password=MARKER, note="kept")
    logging.getLogger("tests").warning("heard too: %s", "plain")
    assert "heard too" in log.getvalue() and "kept" in log.getvalue() and not told(log.getvalue())


@pytest.mark.row("S51")
def test_s51_a_servers_password_and_user_data(
    tenant: Tenant, log: StringIO, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    make_image()
    make_flavor()
    rung: list[Any] = []
    monkeypatch.setattr(bell.current_app, "send_task", lambda *args, **kwargs: rung.append((args, kwargs)))
    wanted = {"name": "x", "flavorRef": "1", "imageRef": IMAGE, "networks": "none", "config_drive": True}
    with django_capture_on_commit_callbacks(execute=True):
        made = tenant.cloud.as_member.at("2.37").post(
            SERVERS, {"server": wanted | {"adminPass": MARKER, "user_data": ENCODED}}
        )
    assert made.status_code == 202, made.content
    server = made.json()["server"]
    assert server["adminPass"] == MARKER, "its maker is told once"
    assert Instance.objects.get(id=server["id"]).user_data == ENCODED
    assert rung and not told(str(rung))
    assert holders() == {"instances.Instance.user_data"}
    for person in (tenant.cloud.as_member, tenant.cloud.as_reader, tenant.cloud.as_other):
        for path in (f"{SERVERS}/{server['id']}", f"{SERVERS}/detail", f"{SERVERS}/{server['id']}/os-instance-actions"):
            assert not told(text_of(person.at("2.90").get(path)))
    operation = Operation.objects.get(subject_id=server["id"])
    assert not told(text_of(tenant.cloud.as_admin.get(f"/api/v1/operations/{operation.id}")))
    assert SERVERS in log.getvalue(), "the log is heard"
    assert not told(log.getvalue())


@pytest.mark.row("S51")
def test_s51_logins_tokens_and_credentials(db: None, log: StringIO, monkeypatch: Any) -> None:
    monkeypatch.setattr(authentication, "_authenticator", lambda: facade.authenticate)
    CACHE.clear()
    world = World()
    assert world.log_in("ann", password=MARKER).status_code == 401
    assert world.log_in(MARKER, password=MARKER).status_code == 401
    ann = world.person("ann", "red")
    assert ann.token is not None
    mine = f"/identity/v3/users/{world.ann.id}"
    kept = ann.post(f"{mine}/application_credentials", {"application_credential": {"name": "robot", "secret": MARKER}})
    assert kept.status_code == 201, kept.content
    blob = json.dumps({"access": "a", "secret": MARKER})
    made = world.admin.post("/identity/v3/credentials", {"credential": {
        "type": "ec2", "blob": blob, "user_id": world.ann.id, "project_id": world.red.id}})  # fmt: skip
    assert made.status_code == 201, made.content
    changed = ann.post(f"{mine}/password", {"user": {"original_password": PASSWORD, "password": MARKER}})
    assert changed.status_code == 204, changed.content
    again = world.anonymous.post(TOKENS, password_login("ann", MARKER, scope=project_scope("red")))
    token = again.headers["X-Subject-Token"]
    CACHE.clear()  # a few seconds go by
    assert ann.get("/identity/v3/auth/projects").status_code == 401
    assert Person(token).get(SERVERS).status_code == 200
    assert holders(token, ann.token, PASSWORD) == set()
    telling = [line for line in log.getvalue().splitlines() if told(line) or token in line or PASSWORD in line]
    assert telling == []


@pytest.mark.row("S51")
def test_s51_a_refusal_never_repeats_a_secret(tenant: Tenant, log: StringIO) -> None:
    """Whatever is wrong around a secret, or with it, the error text does not hold it."""
    met, wrong = set(), []
    for route in api_routes():
        for verb in route.actions:
            schema = getattr(route.method(verb), "accepts", None)
            if schema is None:
                continue
            steps = [step for _since, step in schema._steps]
            asked = steps[0].schema
            spots = list(dict.fromkeys(places(asked, asked)))
            for secret in [spot for spot in spots if spot[-1] in SECRET_FIELDS]:
                met.add(secret[-1])
                value: Any = MARKER if secret[-1] != "user_data" else f"{MARKER}, not base64"
                bodies = [planted(sample(asked), secret, odd) for odd in (value, [value], {"x": value}, value * 4000)]
                bodies += [
                    planted(planted(sample(asked), secret, value), spot, odd)
                    for number, spot in enumerate(spots)
                    if spot != secret and spot != secret[: len(spot)]
                    for odd in ODD[number % 9 :: 9]
                ]
                path = route.fill(tenant.values)
                for body in bodies:
                    answer = tenant.cloud.as_admin.request(
                        verb.upper(), path, data=json.dumps(body).encode(), content_type="application/json"
                    )
                    if answer.status_code >= 400 and told(text_of(answer)):
                        wrong.append(f"{verb} {route.path} {'.'.join(map(str, secret))}: {text_of(answer)[:200]}")
    assert met >= {"password", "secret", "adminPass", "user_data", "blob"}
    assert not wrong, "\n".join(wrong)
    assert not told(log.getvalue())


@pytest.mark.row("S51")
def test_s51_columns_that_hold_secrets_are_sealed_or_hashed() -> None:
    """A new column with a telling name is looked at here."""
    telling = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if logs.SECRET_KEYS.search(field.name) and isinstance(field, models.TextField | models.CharField)
    }
    hashed = {name for name in telling if name.endswith(("_hash", "_digest"))}
    assert telling - hashed == {
        "identity.User.password",  # Argon2id
        "instances.Instance.encrypted_password",  # by the public half of the owner's own key
        "instances.Instance.user_data",  # the guest's, as its owner sent it; left out of the admin pages
    }
