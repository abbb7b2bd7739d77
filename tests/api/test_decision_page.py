"""The page of a decision in the model admin: funnel, scores, matrix, why not, decided again; without a script."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from scheduling import configuration, service
from scheduling.models import Decision, Snapshot
from scheduling.request import PlacementRequest
from scheduling.service import NoValidHost
from tests.support.identity import PASSWORD, World
from tests.support.stage import Stage


@pytest.fixture
def browser(db: None) -> Client:
    World()
    client = Client()
    client.post("/admin/login/", {"username": "admin", "password": PASSWORD, "next": "/admin/"})
    return client


@pytest.fixture
def stage(db: None, tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, hosts=45)
    stage.silence(stage.hosts[0])
    return stage


def placed(consumer: str, ram_mb: int = 512) -> Decision:
    wish = PlacementRequest(consumer, "p", "u", {"VCPU": 1, "MEMORY_MB": ram_mb, "DISK_GB": 1})
    with suppress(NoValidHost):
        service.place(wish, lambda host: True)
    return Decision.objects.get(consumer_id=consumer)


def page(browser: Client, decision: Decision, query: str = "") -> str:
    answer = browser.get(reverse("admin:scheduling_decision_change", args=[decision.id]) + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_placement_is_told_from_funnel_to_scores(browser: Client, stage: Stage) -> None:
    placed("ballast", ram_mb=8000)
    decision = placed("one")
    text = page(browser, decision)
    assert f"Placed on {decision.chosen_host_name}" in text
    assert "host1 the host&#x27;s compute service is down" in text
    assert " wants 512 MB of RAM, 192 free</div>" in text
    assert "RamFilter: wants 512 MB of RAM, 192 free" in page(browser, decision, "?page=2")
    assert 'aria-label="44 of 45 left"' in text and 'aria-label="43 of 45 left"' in text
    assert "RAMWeigher" in text and "<strong>chosen</strong>" in text
    assert "The same answer" in text and "by the same rules" in text
    assert text.count('<th scope="row">') == 40 and "page 1 of 2" in text
    assert page(browser, decision, "?page=2").count('<th scope="row">') == 5
    for odd in ("?page=0", "?page=x", "?page=999", "?page=-1", "?page=²"):
        assert '<th scope="row">' in page(browser, decision, odd)
    content = text.partition('aria-label="The decision"')[2].rpartition("</tbody>")[0]
    assert not re.search(r"<script|x-data|onclick", content), "it works without a script"


def test_why_not_and_decided_again(browser: Client, stage: Stage) -> None:
    decision = placed("one", ram_mb=9000)
    text = page(browser, decision, "?host=host1")
    assert "No host: RamFilter" in text and "808 MB missing" in text
    assert "compute service is down; RamFilter: wants 9000 MB of RAM, 8192 free." in text
    assert "knew no host" in page(browser, decision, "?host=nobody")
    configuration.change(["ComputeFilter"], None, expected=None, reason="", user_id="u")
    text = page(browser, decision)
    assert "Another answer: host" in text and "by other rules than then" in text


def test_a_decision_whose_hosts_are_gone_has_a_page(browser: Client, stage: Stage) -> None:
    decision = placed("one")
    Snapshot.objects.all().delete()
    assert "not kept any more" in page(browser, decision)
    assert browser.post(reverse("admin:scheduling_decision_change", args=[decision.id]), {}).status_code == 403
    assert Client().get(reverse("admin:scheduling_decision_change", args=[decision.id])).status_code == 302
