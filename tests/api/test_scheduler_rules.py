"""Filters and weighers changed at run time: by administrators, with a trace; bad names are refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from computecloud.conf import conf
from scheduling import configuration
from scheduling.models import RuleSet
from tests.support.client import Cloud
from tests.support.identity import PASSWORD, World

PATH = "/api/v1/scheduler"


def in_force(shown: dict[str, Any]) -> tuple[list[str], dict[str, float]]:
    filters = [one["name"] for one in shown["filters"] if one["position"] is not None]
    return filters, {one["name"]: one["multiplier"] for one in shown["weighers"] if one["multiplier"] is not None}


def test_it_begins_with_the_settings(cloud: Cloud) -> None:
    shown = cloud.as_admin.get(PATH).json()
    assert (shown["revision"], shown["is_default"]) == (0, True)
    assert in_force(shown) == (conf().scheduler_filters, conf().scheduler_weighers)
    off = next(one for one in shown["filters"] if one["name"] == "JsonFilter")
    assert off["position"] is None and "query" in off["description"]
    ram = next(one for one in shown["weighers"] if one["name"] == "RAMWeigher")
    assert ram["aggregate_key"] == "ram_weight_multiplier"


def test_a_change_is_in_force_and_leaves_a_trace(cloud: Cloud) -> None:
    wanted = {"filters": ["ComputeFilter", "JsonFilter"], "weighers": {"RAMWeigher": -2}, "reason": "pack"}
    changed = cloud.as_admin.put(PATH, wanted)
    assert changed.status_code == 200, changed.content
    assert in_force(changed.json()) == (["ComputeFilter", "JsonFilter"], {"RAMWeigher": -2.0})
    assert (changed.json()["revision"], changed.json()["is_default"]) == (1, False)
    assert [rule.name for rule in configuration.in_force().filters] == ["ComputeFilter", "JsonFilter"]

    assert cloud.as_admin.put(PATH, {"weighers": {}}).json()["revision"] == 2
    back = cloud.as_admin.delete(PATH).json()
    assert (back["revision"], back["is_default"]) == (3, True)
    assert in_force(back)[0] == conf().scheduler_filters

    history = cloud.as_admin.get(f"{PATH}/revisions").json()["items"]
    assert [one["revision"] for one in history] == [3, 2, 1]
    first = history[-1]
    assert (first["filters"], first["weighers"], first["reason"]) == (wanted["filters"], {"RAMWeigher": -2.0}, "pack")
    assert first["user_name"] and first["user_id"] and first["request_id"].startswith("req-")
    assert (history[1]["filters"], history[1]["weighers"]) == (None, {})


def test_another_process_takes_the_change_within_a_second(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process is one that wrote the row without this one's knowing."""
    now = [1000.0]
    monkeypatch.setattr(configuration.time, "monotonic", lambda: now[0])
    before = configuration.in_force()
    RuleSet.objects.create(revision=1, filters=["ComputeFilter"], weighers={})
    assert configuration.in_force() is before
    now[0] += configuration.FRESH_S + 0.1
    assert [rule.name for rule in configuration.in_force().filters] == ["ComputeFilter"]


@pytest.mark.parametrize(
    "body",
    [
        {"filters": ["NoFilter"]},
        {"filters": ["os.system"]},
        {"filters": ["RAMWeigher"]},
        {"filters": ["RamFilter", "RamFilter"]},
        {"filters": "RamFilter"},
        {"filters": [7]},
        {"weighers": {"RamFilter": 1}},
        {"weighers": {"RAMWeigher": "much"}},
        {"weighers": {"RAMWeigher": 1e300}},
        {"weighers": ["RAMWeigher"]},
        {"colour": "blue"},
        {"reason": "x" * 256},
    ],
)
def test_what_cannot_be_in_force_is_refused(cloud: Cloud, body: dict[str, Any]) -> None:
    answer = cloud.as_admin.put(PATH, body)
    assert answer.status_code == 400, answer.content
    assert not RuleSet.objects.exists()


def test_an_unknown_name_is_told_with_the_known_ones(cloud: Cloud) -> None:
    text = cloud.as_admin.put(PATH, {"filters": ["RanFilter"]}).json()["error"]["message"]
    assert "There is no filter RanFilter" in text and "RamFilter" in text


def test_two_administrators_do_not_overwrite_each_other(cloud: Cloud) -> None:
    seen = cloud.as_admin.get(PATH).json()["revision"]
    assert cloud.as_admin.put(PATH, {"weighers": {}, "revision": seen}).status_code == 200
    late = cloud.as_admin.put(PATH, {"filters": [], "revision": seen})
    assert late.status_code == 409 and "revision 1 is in force" in late.json()["error"]["message"]


def test_only_administrators(cloud: Cloud) -> None:
    for person in (cloud.as_member, cloud.as_reader):
        assert person.get(PATH).status_code == 403
        assert person.put(PATH, {"filters": []}).status_code == 403
        assert person.delete(PATH).status_code == 403
        assert person.get(f"{PATH}/revisions").status_code == 403
    assert cloud.anonymous.get(PATH).status_code == 401
    assert not RuleSet.objects.exists()


def test_a_stored_rule_that_is_gone_stops_nothing(cloud: Cloud) -> None:
    RuleSet.objects.create(revision=1, filters=["site.Gone"], weighers={})
    assert [rule.name for rule in configuration.in_force().filters] == conf().scheduler_filters


def test_the_admin_puts_a_revision_in_force_again(cloud: Cloud) -> None:
    World()
    browser = Client()
    browser.post("/admin/login/", {"username": "admin", "password": PASSWORD, "next": "/admin/"})
    RuleSet.objects.create(revision=1, filters=["ComputeFilter"], weighers={"RAMWeigher": 2.0})
    RuleSet.objects.create(revision=2, filters=["RamFilter"], weighers={})
    act = {"action": "put_in_force", "_selected_action": ["1"]}
    assert browser.post("/admin/scheduling/ruleset/", act, follow=True).status_code == 200
    latest = RuleSet.objects.get(revision=3)
    assert (latest.filters, latest.weighers) == (["ComputeFilter"], {"RAMWeigher": 2.0})
    assert latest.user_id and "as revision 1" in latest.reason
    browser.post("/admin/scheduling/ruleset/", {"action": "back_to_settings", "_selected_action": ["3"]}, follow=True)
    assert configuration.in_force().is_default and RuleSet.objects.get(revision=4).filters is None
    assert LogEntry.objects.filter(object_id="1").exists()
