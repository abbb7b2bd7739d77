"""The scheduler's arithmetic on random tables: a vectorised filter and its plain definition agree; no database."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.decisions import decide
from scheduling.filters.availability_zone import AvailabilityZoneFilter
from scheduling.filters.base import HostFilter, PerHostFilter, host_view
from scheduling.filters.compute import ComputeFilter
from scheduling.filters.core import CoreFilter
from scheduling.filters.disk import DiskFilter
from scheduling.filters.image_properties import ImagePropertiesFilter
from scheduling.filters.ram import RamFilter
from scheduling.request import PlacementRequest
from scheduling.table import HostTable
from scheduling.weighers.ram import RAMWeigher

FILTERS = [ComputeFilter(), AvailabilityZoneFilter(), RamFilter(), DiskFilter(), CoreFilter(), ImagePropertiesFilter()]
HOST = st.fixed_dictionaries(
    {
        "free": st.fixed_dictionaries({name: st.integers(-5, 40) for name in ("VCPU", "MEMORY_MB", "DISK_GB")}),
        "up": st.booleans(),
        "enabled": st.booleans(),
        "zone": st.sampled_from(["nova", "east"]),
        "arch": st.sampled_from(["x86_64", "aarch64"]),
    }
)


def table_of(hosts: list[dict[str, Any]]) -> HostTable:
    table = HostTable()
    table.load_hosts([], {})
    table.ids = [f"id{row}" for row in range(len(hosts))]
    table.names = [f"host{row}" for row in range(len(hosts))]
    table.row_of = {name: row for row, name in enumerate(table.ids)}
    table.zones = [host["zone"] for host in hosts]
    table.facts = [
        {"arch": host["arch"], "hypervisor_type": "QEMU", "machine_types": ["q35"], "traits": frozenset()}
        for host in hosts
    ]
    table._resize(len(hosts))
    table.up[:] = [host["up"] for host in hosts]
    table.enabled[:] = [host["enabled"] for host in hosts]
    for name in table.capacity:
        table.capacity[name][:] = 40
        table.used[name][:] = [40 - host["free"][name] for host in hosts]
    return table


REQUEST = st.builds(
    PlacementRequest,
    consumer_id=st.just("server"),
    project_id=st.just("p"),
    user_id=st.just("u"),
    resources=st.fixed_dictionaries({name: st.integers(1, 20) for name in ("VCPU", "MEMORY_MB", "DISK_GB")}),
    availability_zone=st.sampled_from([None, "nova", "east", "west"]),
    excluded_host_ids=st.sampled_from([frozenset(), frozenset({"id0", "id2"})]),
    image_properties=st.sampled_from([{}, {"hw_architecture": "aarch64"}, {"img_hv_type": "qemu"}]),
)


def plainly(rule: HostFilter, host: dict[str, Any], request: PlacementRequest) -> bool:
    """Each filter's definition in one sentence."""
    match rule:
        case ComputeFilter():
            return host["up"] and host["enabled"] and host["id"] not in request.excluded_host_ids
        case AvailabilityZoneFilter():
            return request.availability_zone in (None, host["zone"])
        case RamFilter() | DiskFilter() | CoreFilter():
            return bool(host["free"][rule.resource_class] >= request.amount(rule.resource_class))
        case _:
            return request.image_properties.get("hw_architecture") in (None, host["arch"])


@pytest.mark.parametrize("rule", FILTERS, ids=lambda rule: rule.name)
@settings(max_examples=60, deadline=None)
@given(hosts=st.lists(HOST, max_size=8), request=REQUEST)
def test_columns_and_plain_definitions_agree(
    rule: HostFilter, hosts: list[dict[str, Any]], request: PlacementRequest
) -> None:
    table = table_of(hosts)
    found = rule.accepts(table, request).tolist()
    assert found == [plainly(rule, host_view(table, row), request) for row in range(len(table))]


@settings(max_examples=60, deadline=None)
@given(hosts=st.lists(HOST, max_size=8), request=REQUEST)
def test_the_winner_passes_everything_and_a_fault_names_a_rule(
    hosts: list[dict[str, Any]], request: PlacementRequest
) -> None:
    table = table_of(hosts)
    verdict = decide(table, request, FILTERS, [(RAMWeigher(), 1.0)])
    for row in verdict.candidates:
        assert all(plainly(rule, host_view(table, row), request) for rule in FILTERS)
    if not verdict.candidates:
        assert verdict.fault
        assert not hosts or verdict.fault.split(":")[0] in {rule.name for rule in FILTERS}
        assert "host0" not in verdict.fault, "owners must not read names of hosts"
    assert sum(one["refused"] for one in verdict.refusals) + np.count_nonzero(verdict.first_refusal == -1) == len(table)


def test_the_same_request_on_the_same_table_gets_the_same_answer() -> None:
    hosts = [{"free": dict.fromkeys(("VCPU", "MEMORY_MB", "DISK_GB"), 40), "up": True, "enabled": True,
              "zone": "nova", "arch": "x86_64"}] * 6  # fmt: skip
    request = PlacementRequest("server", "p", "u", {"VCPU": 1})
    answers = {
        tuple(decide(table_of(hosts), request, FILTERS, [(RAMWeigher(), 1.0)], seed=7).candidates) for _ in range(5)
    }
    assert len(answers) == 1


class Raises(PerHostFilter):
    """A site's own filter with a mistake in it."""

    def accepts_host(self, host: dict[str, Any], request: PlacementRequest) -> bool:
        raise ZeroDivisionError


def test_a_filter_that_raises_is_named_and_stops_nothing() -> None:
    hosts = [{"free": dict.fromkeys(("VCPU", "MEMORY_MB", "DISK_GB"), 40), "up": True, "enabled": True,
              "zone": "nova", "arch": "x86_64"}]  # fmt: skip
    verdict = decide(table_of(hosts), PlacementRequest("s", "p", "u", {"VCPU": 1}), [Raises(), *FILTERS], [])
    assert verdict.candidates == [0]
    assert verdict.notes == ["Raises raised ZeroDivisionError and was passed over"]
