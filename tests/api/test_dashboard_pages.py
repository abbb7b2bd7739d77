"""The model admin: every registered page renders, nothing can be changed raw, no secret has a column (S50)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import reverse

from computecloud.core.clock import utcnow
from dashboard.site import site
from tests.support.identity import PASSWORD, World

REGISTERED = sorted(site._registry, key=lambda model: model._meta.label)
BY_LABEL = {model._meta.label: model for model in REGISTERED}


@pytest.fixture
def browser(db: None) -> Client:
    """An administrator's browser."""
    World()
    client = Client()
    answer = client.post("/admin/login/", {"username": "admin", "password": PASSWORD, "next": "/admin/"})
    assert answer.status_code == 302, answer.content[:2000]
    return client


def value_for(field: Any) -> Any:
    """Something that fits a column; rows of parents are made on the way."""
    if isinstance(field, models.ForeignKey):
        return row_of(field.related_model)
    if field.name in KNOWN:
        return KNOWN[field.name]
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.DateTimeField):
        return utcnow() + timedelta(hours=1)
    if isinstance(field, models.JSONField):
        return []
    if isinstance(field, models.BinaryField):
        return b""
    if isinstance(field, models.GenericIPAddressField):
        return "192.0.2.1"
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.IntegerField | models.FloatField):
        return 1
    return f"{field.name}-{value_for.count()}"[: field.max_length or 64]  # type: ignore[attr-defined]


def _counter() -> Any:
    numbers = iter(range(1, 10_000))
    return lambda: next(numbers)


KNOWN: dict[str, Any] = {"ip_version": 4, "cidr": "192.0.2.0/24"}
"""Columns whose constraints a made-up value would break."""

value_for.count = _counter()  # type: ignore[attr-defined]


def row_of(model: Any) -> Any:
    """A row of any model, with what it needs and no more. One that is there already will do."""
    found = model._default_manager.first()
    if found is not None:
        return found
    values = {}
    for field in model._meta.concrete_fields:
        if field.has_default() or field.null or field.has_db_default() or isinstance(field, models.AutoField):
            continue
        values[field.name] = value_for(field)
    return model._default_manager.create(**values)


@pytest.mark.parametrize("label", sorted(BY_LABEL))
def test_list_and_change_page_render(browser: Client, label: str) -> None:
    model = BY_LABEL[label]
    row = row_of(model)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    listed = browser.get(reverse(f"{name}_changelist"))
    assert listed.status_code == 200
    searched = browser.get(reverse(f"{name}_changelist"), {"q": "x"} if site._registry[model].search_fields else {})
    assert searched.status_code == 200
    shown = browser.get(reverse(f"{name}_change", args=[row.pk]))
    assert shown.status_code == 200
    text = shown.content.decode()
    assert not re.search(r'name="[^"]*(password|secret|token_hash|digest|sealed)', text)
    assert "argon2$" not in text and "secret_hash" not in text


@pytest.mark.parametrize("label", sorted(BY_LABEL))
def test_nothing_is_added_changed_or_deleted_raw(browser: Client, label: str) -> None:
    model = BY_LABEL[label]
    row = row_of(model)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert browser.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert browser.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert browser.get(reverse(f"{name}_add")).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


def test_every_table_of_ours_has_a_page_or_lies_in_one() -> None:
    inlined = {inline.model for page in site._registry.values() for inline in page.inlines}
    ours = {"operations", "identity", "images", "networks", "hosts", "scheduling", "instances"}
    without = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in ours and model not in BY_LABEL.values() and model not in inlined
    ]
    assert without == []


def test_the_first_page_shows_figures(browser: Client) -> None:
    text = browser.get("/admin/").content.decode()
    for word in ("Servers", "Hosts", "Open operations", "Outbox", "Last failed operations"):
        assert word in text
