"""The scheduler's counters: what they count, who may read them, and that several processes add up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from computecloud.conf import conf
from scheduling import service
from scheduling.request import PlacementRequest
from scheduling.service import NoLongerWanted, NoValidHost
from tests.support.client import Cloud
from tests.support.stage import Stage

METRICS = "/api/v1/metrics"
PROGRAM = """
import django
django.setup()
from types import SimpleNamespace as Some
from scheduling import metrics
rules = Some(filters=[Some(name="RamFilter"), Some(name="DiskFilter")])
refusals = [Some(filter="RamFilter", refused=3)]
verdict = Some(request=Some(trigger="create"), blocked_by="", refusals=refusals, hosts=10, rules=rules, filtered_us=100,
               scores=Some(rows=[1]), weighed_us=200)
metrics.count(verdict, is_placed=True, lost_races=2, claim_us=1000)
"""


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.django_db(transaction=True)
def test_decisions_are_counted_once_their_transaction_stands(tmp_path: Path) -> None:
    Stage(tmp_path, hosts=3)
    amounts = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}

    def change(name: str, act: Callable[[], Any], **labels: str) -> float:
        before = value(name, **labels)
        act()
        return value(name, **labels) - before

    def place(consumer: str, stands: bool = True, **more: int) -> None:
        with suppress(NoValidHost, NoLongerWanted):
            service.place(PlacementRequest(consumer, "p", "u", amounts | more), lambda host: stands)

    placed = {"trigger": "create", "outcome": "placed"}
    assert change("computecloud_placements_total", lambda: place("a"), **placed) == 1
    assert change("computecloud_placements_total", lambda: place("b", stands=False), **placed) == 0
    huge = {"MEMORY_MB": 9000}
    assert change("computecloud_placements_blocked_total", lambda: place("c", **huge), filter="RamFilter") == 1
    assert change("computecloud_filter_hosts_refused_total", lambda: place("d", **huge), filter="RamFilter") == 3
    assert change("computecloud_filter_hosts_asked_total", lambda: place("e"), filter="RamFilter") == 3
    assert change("computecloud_filter_hosts_asked_total", lambda: place("f", **huge), filter="DiskFilter") == 0
    assert change("computecloud_placement_seconds_count", lambda: place("g"), stage="claim") == 1


def test_administrators_and_the_networks_of_the_settings_read_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = cloud.as_admin.get(METRICS)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(answer.content.decode())}
    assert {"computecloud_placements", "computecloud_placement_seconds", "computecloud_filter_hosts_refused"} <= names
    assert cloud.as_member.get(METRICS).status_code == 403
    assert cloud.anonymous.get(METRICS).status_code == 401
    assert cloud.as_admin.post(METRICS, {}).status_code == 405
    monkeypatch.setenv("COMPUTECLOUD_METRICS_NETWORKS", '["10.9.0.0/16"]')
    conf.cache_clear()
    try:
        assert cloud.anonymous.get(METRICS).status_code == 401
        assert cloud.anonymous.request("GET", METRICS, REMOTE_ADDR="10.9.1.2").status_code == 200
        assert cloud.with_bad_token.request("GET", METRICS, REMOTE_ADDR="10.9.1.2").status_code == 401
        assert cloud.anonymous.request("GET", METRICS, REMOTE_ADDR="10.8.1.2").status_code == 401
    finally:
        monkeypatch.undo()
        conf.cache_clear()


def test_processes_add_up_and_counts_outlive_them(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "shared"), "COMPUTECLOUD_ROLE": "conductor"}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
    read = "import django; django.setup(); from scheduling import metrics; print(metrics.exposition().decode())"
    told = subprocess.run([sys.executable, "-c", read], env=environment, check=True, capture_output=True, text=True)
    found = {
        (one.name, *(one.labels[key] for key in sorted(one.labels))): one.value
        for family in text_string_to_metric_families(told.stdout)
        for one in family.samples
    }
    assert found["computecloud_placements_total", "placed", "create"] == 2
    assert found["computecloud_filter_hosts_asked_total", "RamFilter"] == 20
    assert found["computecloud_filter_hosts_asked_total", "DiskFilter"] == 14
    assert found["computecloud_filter_hosts_refused_total", "RamFilter"] == 6
    assert found["computecloud_placement_lost_races_total",] == 4
    assert found["computecloud_placement_seconds_sum", "claim"] == pytest.approx(0.002)
