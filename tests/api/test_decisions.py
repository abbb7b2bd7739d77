"""Why a server is where it is: decisions for their projects with hosts' names hidden, for administrators in full."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from hosts.models import Host
from scheduling import service
from scheduling.decisions import FINALISTS
from scheduling.models import Decision, Snapshot
from scheduling.request import PlacementRequest
from scheduling.service import NoValidHost
from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud, Person
from tests.support.openapi import conforms
from tests.support.stage import Stage

DECISIONS = "/api/v1/decisions"


def wish(consumer: str, project: str = PROJECT_A, **more: Any) -> PlacementRequest:
    amounts = {"VCPU": 1, "MEMORY_MB": 1024, "DISK_GB": 1} | more.pop("resources", {})
    return PlacementRequest(consumer, project, "u", amounts, **more)


def placed(consumer: str, project: str = PROJECT_A, **more: Any) -> Decision:
    with suppress(NoValidHost):
        service.place(wish(consumer, project, **more), lambda host: True)
    return Decision.objects.get(consumer_id=consumer)


def ids(person: Person, query: str = "") -> set[str]:
    answer = person.get(f"{DECISIONS}?{query}")
    assert answer.status_code == 200, answer.content
    return {item["consumer_id"] for item in answer.json()["items"]}


def shown(person: Person, decision: Decision, rest: str = "") -> Any:
    answer = person.get(f"{DECISIONS}/{decision.id}{rest}")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def stage(db: None, tmp_path: Path) -> Stage:
    """Twelve hosts: one is down, one is disabled, one is filled."""
    stage = Stage(tmp_path, hosts=12)
    stage.silence(stage.hosts[0])
    Host.objects.filter(id=stage.hosts[1].id).update(is_disabled=True)
    service.place(wish("ballast", PROJECT_B, resources={"MEMORY_MB": 8000}, forced_host="host3"), lambda host: True)
    return stage


def test_a_decision_tells_its_funnel_scores_choice_and_times(cloud: Cloud, stage: Stage) -> None:
    decision = placed("one")
    told = shown(cloud.as_admin, decision)
    assert (told["trigger"], told["is_placed"], told["hosts_seen"]) == ("create", True, 12)
    assert told["request"]["resources"] == {"VCPU": 1, "MEMORY_MB": 1024, "DISK_GB": 1}
    assert set(told["stages_us"]) == {"filters", "weighers", "claim"}

    funnel = {step["filter"]: step for step in told["funnel"]}
    assert [step["asked"] for step in told["funnel"]][:2] == [12, 10]
    assert (funnel["ComputeFilter"]["refused"], funnel["ComputeFilter"]["left"]) == (2, 10)
    assert {one["reason"] for one in funnel["ComputeFilter"]["examples"]} == {
        "the host's compute service is down", "the host's compute service is disabled"
    }  # fmt: skip
    [example] = funnel["RamFilter"]["examples"]
    assert example == {"host": "host3", "reason": "wants 1024 MB of RAM, 192 free"}
    assert told["funnel"][-1]["left"] == 9

    finalists = told["finalists"]
    assert len(finalists) == FINALISTS and finalists[0]["is_chosen"] and finalists[0]["host"] == told["chosen_host"]
    assert told["chosen_host"] == decision.chosen_host_name
    for one in finalists:
        assert sum(score["weighted"] for score in one["scores"]) == pytest.approx(one["total"])
    assert told["alternates"] == [one["host"] for one in finalists if one["is_alternate"]]
    assert len(told["alternates"]) == 5


def test_its_owner_reads_it_without_the_names_of_hosts(cloud: Cloud, stage: Stage) -> None:
    decision, failed = placed("one"), placed("two", resources={"MEMORY_MB": 9000})
    full = json.dumps([shown(cloud.as_admin, decision), shown(cloud.as_admin, decision, "/hosts")])
    assert all(f'"host{number}"' in full for number in range(1, 13))
    for one in (decision, failed):
        answers = [shown(cloud.as_reader, one, rest) for rest in ("", "/hosts", "/why-not?host=host-7")]
        text = json.dumps(answers)
        for host in stage.hosts:
            assert f'"{host.name}"' not in text and host.id not in text
        assert answers == [shown(cloud.as_member, one, rest) for rest in ("", "/hosts", "/why-not?host=host-7")]
    mine, theirs = shown(cloud.as_reader, decision), shown(cloud.as_admin, decision)
    assert mine["chosen_host"].startswith("host-")
    assert [step["refused"] for step in mine["funnel"]] == [step["refused"] for step in theirs["funnel"]]
    assert [one["total"] for one in mine["finalists"]] == [one["total"] for one in theirs["finalists"]]
    listed = cloud.as_reader.get(DECISIONS).json()["items"]
    assert {item["chosen_host_name"] for item in listed} == {None}


def test_made_up_names_hold_within_one_decision_only(cloud: Cloud, stage: Stage) -> None:
    decisions = [placed(f"s{number}", resources={"MEMORY_MB": 1}) for number in range(6)]
    called = []
    for decision in decisions:
        mine, theirs = shown(cloud.as_reader, decision, "/hosts"), shown(cloud.as_admin, decision, "/hosts")
        down = "the host's compute service is down"
        assert [one["host"] for one in theirs["items"] if one["reason"] == down] == ["host1"]
        called += [one["host"] for one in mine["items"] if one["reason"] == down]
    assert len(called) == 6 and len(set(called)) > 1
    with override_settings(SECRET_KEY="another key: the draw cannot be made by who knows a decision's id alone"):
        again = [shown(cloud.as_reader, decision, "/hosts")["items"] for decision in decisions]
    assert [one["host"] for items in again for one in items if one["reason"] == down] != called


def test_other_projects_find_no_decision(cloud: Cloud, stage: Stage) -> None:
    mine = placed("one")
    placed("theirs", PROJECT_B)
    assert ids(cloud.as_member) == {"one"}
    assert ids(cloud.as_other) == {"theirs", "ballast"}
    assert ids(cloud.as_admin) == {"one", "theirs", "ballast"}
    for rest in ("", "/hosts", "/why-not?host=host-1"):
        assert cloud.as_other.get(f"{DECISIONS}/{mine.id}{rest}").status_code == 404
        assert cloud.anonymous.get(f"{DECISIONS}/{mine.id}{rest}").status_code == 401
        assert cloud.as_admin.post(f"{DECISIONS}/{mine.id}{rest}", {}).status_code == 405
    assert cloud.as_other.get(f"{DECISIONS}?marker={mine.id}").status_code == 400


def test_each_filter_finds_its_decisions(cloud: Cloud, stage: Stage) -> None:
    placed("small")
    placed("huge", resources={"MEMORY_MB": 9000}, trigger="resize")
    Decision.objects.filter(consumer_id="small").update(lost_races=2, took_us=10**6)
    expected = {
        "is_placed=true": {"small"},
        "is_placed=false": {"huge"},
        "blocked_by=RamFilter": {"huge"},
        "trigger=resize": {"huge"},
        "consumer_id=small": {"small"},
        "lost_races=1": {"small"},
        "took_us_over=1000000": {"small"},
        f"project_id={PROJECT_B}": set(),
        "created_after=2000-01-01T00:00:00Z": {"small", "huge"},
        "created_before=2000-01-01T00:00:00Z": set(),
    }
    for query, found in expected.items():
        assert ids(cloud.as_member, query) == found, query
    for query in ("colour=red", "limit=x", "marker=none", "is_placed=maybe", "limit=-1", "body=1"):
        assert cloud.as_member.get(f"{DECISIONS}?{query}").status_code == 400, query


def test_what_became_of_each_host_comes_in_pages(cloud: Cloud, stage: Stage) -> None:
    decision = placed("one")
    for person in (cloud.as_admin, cloud.as_reader):
        seen: list[str] = []
        path: str | None = f"{DECISIONS}/{decision.id}/hosts?limit=5"
        while path:
            page = person.get(path).json()
            seen += [one["host"] for one in page["items"]]
            path = page["next"] and "/" + page["next"].split("/", 3)[3]
        assert len(seen) == len(set(seen)) == 12
    refused = shown(cloud.as_admin, decision, "/hosts?outcome=refused")["items"]
    assert {one["host"] for one in refused} == {"host1", "host2", "host3"}
    [full] = shown(cloud.as_admin, decision, "/hosts?filter=RamFilter")["items"]
    assert full == {
        "host": "host3", "zone": "nova", "outcome": "refused", "filter": "RamFilter",
        "reason": "wants 1024 MB of RAM, 192 free",
    }  # fmt: skip
    [chosen] = shown(cloud.as_admin, decision, "/hosts?outcome=chosen")["items"]
    assert chosen["host"] == decision.chosen_host_name
    for query in ("outcome=x", "marker=nobody", "limit=x", "colour=red"):
        assert cloud.as_admin.get(f"{DECISIONS}/{decision.id}/hosts?{query}").status_code == 400, query


def test_why_not_asks_every_filter_and_tells_the_rank(cloud: Cloud, stage: Stage) -> None:
    Host.objects.filter(id=stage.hosts[2].id).update(is_disabled=True)
    service.forget()
    decision = placed("one")
    told = shown(cloud.as_admin, decision, "/why-not?host=host3")
    refusing = {one["filter"]: one["reason"] for one in told["verdicts"] if one["accepts"] is False}
    assert refusing == {
        "ComputeFilter": "the host's compute service is disabled",
        "RamFilter": "wants 1024 MB of RAM, 192 free",
    }
    assert told["outcome"] == "refused" and told["rank"] is None
    assert "disabled; RamFilter: wants 1024 MB of RAM, 192 free." in told["sentence"]

    chosen = shown(cloud.as_admin, decision, f"/why-not?host={decision.chosen_host_name}")
    assert (chosen["outcome"], chosen["rank"], chosen["of"]) == ("chosen", 1, 9)
    ranked = shown(cloud.as_admin, decision)["finalists"][-1]
    other = shown(cloud.as_admin, decision, f"/why-not?host={ranked['host']}")
    assert other["outcome"] == "accepted" and other["total"] == pytest.approx(ranked["total"])
    assert all(one["accepts"] is not False for one in other["verdicts"])
    assert cloud.as_admin.get(f"{DECISIONS}/{decision.id}/why-not?host=nobody").status_code == 404
    assert cloud.as_reader.get(f"{DECISIONS}/{decision.id}/why-not?host=host3").status_code == 404
    assert cloud.as_admin.get(f"{DECISIONS}/{decision.id}/why-not").status_code == 400


def test_a_decision_whose_table_was_purged_says_so(cloud: Cloud, stage: Stage) -> None:
    decision = placed("one")
    Snapshot.objects.all().delete()
    answer = cloud.as_member.get(f"{DECISIONS}/{decision.id}")
    assert answer.status_code == 404 and "are not kept any more" in answer.json()["error"]["message"]
    assert ids(cloud.as_member) == {"one"}


def test_answers_are_what_the_document_says(cloud: Cloud, stage: Stage) -> None:
    decision, failed = placed("one"), placed("two", resources={"MEMORY_MB": 9000})
    for person in (cloud.as_admin, cloud.as_reader):
        conforms("get", "/api/v1/decisions", person.get(DECISIONS).json())
        for one in (decision, failed):
            conforms("get", "/api/v1/decisions/{id}", shown(person, one))
            conforms("get", "/api/v1/decisions/{id}/hosts", shown(person, one, "/hosts"))
            name = shown(person, one, "/hosts")["items"][0]["host"]
            conforms("get", "/api/v1/decisions/{id}/why-not", shown(person, one, f"/why-not?host={name}"))

