"""Stored decisions made again: the same under the same rules, whatever became of the hosts since."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hosts.models import Aggregate, AggregateHost, Host, Inventory
from hosts.models.inventory import NextChange
from scheduling import claims, service
from scheduling.models import Decision, Snapshot
from scheduling.request import PlacementRequest
from scheduling.service import Job, NoValidHost
from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud
from tests.support.openapi import conforms
from tests.support.stage import Stage

REPLAY = "/api/v1/placements/replay"


def wish(consumer: str, draw: random.Random) -> PlacementRequest:
    ram_mb, disk_gb = draw.choice([256, 700, 3000, 9000]), draw.randint(1, 20)
    return PlacementRequest(
        consumer, draw.choice([PROJECT_A, PROJECT_B]), "u",
        {"VCPU": draw.randint(1, 8), "MEMORY_MB": ram_mb, "DISK_GB": disk_gb},
        availability_zone=draw.choice([None, None, "nova", "east", "west"]),
    )  # fmt: skip


def change_the_fleet(stage: Stage, draw: random.Random, number: int) -> None:
    """One of what operators do, between placements."""
    host = draw.choice(stage.hosts)
    kind = number % 6
    if kind == 0:
        Host.objects.filter(id=host.id).update(is_disabled=draw.random() < 0.5, changed_at=timezone.now())
    elif kind == 1:
        east, _ = Aggregate.objects.get_or_create(name="east", defaults={"availability_zone": "east", "metadata": {}})
        AggregateHost.objects.get_or_create(aggregate=east, host=host)
        Aggregate.objects.filter(id=east.id).update(updated_at=timezone.now())
    elif kind == 2:
        processors = Inventory.objects.filter(host=host, resource_class="VCPU")
        processors.update(capacity=draw.choice([32, 64, 128]), change=NextChange())
    elif kind == 3:
        claims.release(f"s{draw.randrange(number + 1)}")
    elif kind == 4:
        Host.objects.filter(id=host.id).update(is_forced_down=draw.random() < 0.3, changed_at=timezone.now())
    else:
        Host.objects.create(
            name=f"later{number}", number=100 + number, agent=stage.agent, driver="fake",
            lease_expires_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip
    service.TABLE.refresh()


@pytest.fixture
def history(db: None, tmp_path: Path) -> Stage:
    """Three hundred placements while the fleet changes under them; some failed, some raced, some in a pass together."""
    stage = Stage(tmp_path, hosts=8)
    draw = random.Random(3)
    for number in range(240):
        with suppress(NoValidHost):
            service.place(wish(f"s{number}", draw), lambda host: True)
        if number % 10 == 9:
            change_the_fleet(stage, draw, number // 10)
    service.place_each([Job(wish(f"p{number}", draw), lambda host: True) for number in range(50)])
    with suppress(NoValidHost):
        service.place_together([Job(wish(f"t{number}", draw), lambda host: True) for number in range(10)])
    return stage


def replayed(cloud: Cloud, **body: Any) -> dict[str, Any]:
    answer = cloud.as_admin.post(REPLAY, body)
    assert answer.status_code == 200, answer.content
    conforms("post", REPLAY, answer.json())
    return dict(answer.json())


def test_under_the_same_rules_every_decision_has_the_same_winner(cloud: Cloud, history: Stage) -> None:
    rows = Decision.objects.count()
    assert rows >= 290
    assert Decision.objects.filter(chosen_host_id="").count() > 20
    assert Snapshot.objects.filter(kind="stock").count() > 3, "the fleet changed"
    told = replayed(cloud, limit=10_000)
    assert (told["replayed"], told["same"]) == (rows, rows), told["changes"][:3]
    assert told["spread_before"] == told["spread_after"] and told["changes"] == []
    assert Decision.objects.count() == rows


def test_a_lost_race_is_no_change_of_the_rules(cloud: Cloud, history: Stage) -> None:
    decision = Decision.objects.exclude(chosen_host_id="").first()
    assert decision is not None
    other = next(host for host in history.hosts if host.id != decision.chosen_host_id)
    Decision.objects.filter(id=decision.id).update(lost_races=1, chosen_host_id=other.id, chosen_host_name=other.name)
    assert replayed(cloud, limit=10_000)["moved"] == 0
    Decision.objects.filter(id=decision.id).update(lost_races=0)
    told = replayed(cloud, limit=10_000)
    assert told["moved"] == 1 and told["changes"][0]["decision_id"] == decision.id
    assert (told["changes"][0]["before"], told["changes"][0]["after"]) == (other.name, decision.chosen_host_name)


def test_other_weights_move_winners_and_other_filters_gain_or_lose(cloud: Cloud, history: Stage) -> None:
    spread = replayed(cloud, weighers={"RAMWeigher": 1.0})
    packed = replayed(cloud, weighers={"RAMWeigher": -1.0})
    assert packed["moved"] > 20 and packed["gained"] == packed["lost"] == 0
    assert packed["spread_before"] == spread["spread_before"]
    loose = replayed(cloud, filters=["AllHostsFilter"])
    assert loose["gained"] == Decision.objects.exclude(blocked_by="").count() and loose["lost"] == 0
    strict = replayed(cloud, filters=["ComputeFilter", "NumInstancesFilter", "RamFilter", "CoreFilter"])
    assert strict["same"] < strict["replayed"]
    assert len(strict["changes"]) <= 100
    for change in strict["changes"]:
        assert change["before"] != change["after"]


def test_the_window_is_chosen_and_what_is_gone_is_counted(cloud: Cloud, history: Stage) -> None:
    failed = Decision.objects.filter(chosen_host_id="").count()
    moment = timezone.now() + timedelta(hours=1)
    assert replayed(cloud, created_after=moment.isoformat())["replayed"] == 0
    assert replayed(cloud, created_before=moment.isoformat(), limit=7)["replayed"] == 7
    mine = Decision.objects.filter(project_id=PROJECT_A).count()
    assert replayed(cloud, project_id=PROJECT_A, trigger="create")["replayed"] == mine
    assert sum(replayed(cloud)["blocked_by"].values()) <= failed
    last = Decision.objects.values_list("snapshot", flat=True)[0]
    Snapshot.objects.filter(id=last).delete()
    told = replayed(cloud)
    assert told["skipped"] == Decision.objects.filter(snapshot=last).count() > 0
    wrong: list[dict[str, Any]] = [
        {"created_after": "yesterday"}, {"created_after": "2026-01-01T00:00:00"}, {"filters": ["NoFilter"]},
        {"weighers": {"x": 1}}, {"limit": 0}, {"x": 1},
    ]  # fmt: skip
    for body in wrong:
        assert cloud.as_admin.post(REPLAY, body).status_code == 400, body
    assert cloud.as_member.post(REPLAY, {}).status_code == 403
    assert cloud.anonymous.post(REPLAY, {}).status_code == 401
