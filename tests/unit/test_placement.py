"""The scheduler's arithmetic as a whole, on random tables and without a database: filter, weigh, order, explain."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.decisions import decide
from scheduling.filters.base import HostFilter, PerHostFilter, host_view
from scheduling.filters.registry import IN_TREE
from scheduling.request import Group, PlacementRequest
from scheduling.rules import Rules
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher
from scheduling.weighers.registry import IN_TREE as WEIGHERS
from tests.support.tables import make_table
from tests.unit.plain_filters import MEANINGS

NAMES = ["ComputeFilter", "AvailabilityZoneFilter", "RamFilter", "DiskFilter", "CoreFilter", "ImagePropertiesFilter"]
FILTERS: list[HostFilter] = [IN_TREE[name]() for name in NAMES]
RAM = WEIGHERS["RAMWeigher"]()
RULES = Rules(tuple(FILTERS), ((RAM, 1.0),))
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
HOST = st.fixed_dictionaries(
    {
        "free": st.fixed_dictionaries({name: st.integers(-5, 40) for name in CLASSES}),
        "up": st.booleans(),
        "enabled": st.booleans(),
        "zone": st.sampled_from(["nova", "east"]),
        "arch": st.sampled_from(["x86_64", "aarch64"]),
    }
)
REQUEST = st.builds(
    PlacementRequest,
    consumer_id=st.just("server"),
    project_id=st.just("p"),
    user_id=st.just("u"),
    resources=st.fixed_dictionaries({name: st.integers(1, 20) for name in CLASSES}),
    availability_zone=st.sampled_from([None, "nova", "east", "west"]),
    excluded_host_ids=st.sampled_from([frozenset(), frozenset({"id0", "id2"})]),
    image_properties=st.sampled_from([{}, {"hw_architecture": "aarch64"}]),
)
WANTED = PlacementRequest("server", "p", "u", {"VCPU": 1})


@settings(max_examples=60, deadline=None)
@given(hosts=st.lists(HOST, max_size=8), request=REQUEST)
def test_the_winner_passes_everything_and_a_fault_names_a_rule(
    hosts: list[dict[str, Any]], request: PlacementRequest
) -> None:
    table = make_table(hosts)
    verdict = decide(table, request, RULES)
    for row in verdict.candidates:
        assert all(MEANINGS[name](host_view(table, row), request) for name in NAMES)
    if not verdict.candidates:
        assert verdict.fault
        assert not hosts or verdict.fault.split(":")[0] in NAMES
        assert "host0" not in verdict.fault, "owners must not read names of hosts"
    assert sum(one.refused for one in verdict.refusals) + np.count_nonzero(verdict.first_refusal == -1) == len(table)


def test_the_same_request_on_the_same_table_gets_the_same_answer() -> None:
    answers = {tuple(decide(make_table([{}] * 6), WANTED, RULES, seed=7).candidates) for _ in range(5)}
    assert len(answers) == 1


class Raises(PerHostFilter):
    """A site's own filter with a mistake in it."""

    def accepts_host(self, host: dict[str, Any], request: PlacementRequest) -> bool:
        raise ZeroDivisionError


class RaisesToo(HostWeigher):
    """And a weigher."""

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        raise KeyError("mistake")


def test_a_rule_that_raises_is_named_and_stops_nothing() -> None:
    verdict = decide(make_table([{}]), WANTED, Rules((Raises(), *FILTERS), ((RaisesToo(), 1.0), (RAM, 1.0))))
    assert verdict.candidates == [0]
    assert verdict.notes == [
        "Raises raised ZeroDivisionError and was passed over",
        "RaisesToo raised KeyError and was passed over",
    ]


# --- weighers


def order(hosts: list[dict[str, Any]], name: str, weight: float, **wishes: Any) -> list[int]:
    """Rows, best first, by one weigher alone; those that are equal are left out of the first place by the shuffle."""
    request = PlacementRequest("server", "p", "u", {"VCPU": 1}, **wishes)
    return decide(make_table(hosts), request, Rules((), ((WEIGHERS[name](), weight),)), seed=3).candidates


def free(**amounts: int) -> dict[str, Any]:
    return {"free": dict.fromkeys(CLASSES, 10) | amounts}


def test_each_weigher_prefers_what_it_says() -> None:
    assert order([free(MEMORY_MB=4), free(MEMORY_MB=30)], "RAMWeigher", 1) == [1, 0]
    assert order([free(MEMORY_MB=4), free(MEMORY_MB=30)], "RAMWeigher", -1) == [0, 1]
    assert order([free(VCPU=4), free(VCPU=30)], "CPUWeigher", 1) == [1, 0]
    assert order([free(DISK_GB=4), free(DISK_GB=30)], "DiskWeigher", 1) == [1, 0]
    assert order([{"io_ops": 3}, {"io_ops": 1}, {"io_ops": 2}], "IoOpsWeigher", -1) == [1, 2, 0]
    assert order([{"servers": 3}, {"servers": 5}], "NumInstancesWeigher", 1) == [1, 0]
    assert order([{"failed_builds": count} for count in (2, 0, 1)], "BuildFailureWeigher", 1e6) == [1, 2, 0]
    versions = [{"hypervisor_version": 6_002_000}, {"hypervisor_version": 7_002_000}]
    assert order(versions, "HypervisorVersionWeigher", 1) == [1, 0]
    devices = [{"free": free()["free"] | {"CUSTOM_PCI_10DE_1DB4": count}} for count in (4, 0, 2)]
    assert order(devices, "PCIWeigher", 1) == [1, 2, 0]


def test_soft_groups_are_weighed_by_their_members() -> None:
    def group(policy: str) -> Group:
        return Group("g", policy, members={"id0": 1, "id2": 2})

    hosts: list[dict[str, Any]] = [{}, {}, {}]
    assert order(hosts, "ServerGroupSoftAffinityWeigher", 1, group=group("soft-affinity")) == [2, 0, 1]
    assert order(hosts, "ServerGroupSoftAntiAffinityWeigher", 1, group=group("soft-anti-affinity")) == [1, 0, 2]
    verdict = decide(
        make_table(hosts),
        PlacementRequest("s", "p", "u", {"VCPU": 1}, group=group("affinity")),
        Rules((), ((WEIGHERS["ServerGroupSoftAffinityWeigher"](), 1.0),)),
    )
    assert verdict.scores.weighers == [], "the hard policies are no business of the soft weighers"


def test_an_aggregate_sets_another_multiplier_for_its_hosts() -> None:
    """Three hosts with much and little memory; in the aggregate little counts for more."""
    packs = [{"ram_weight_multiplier": "-1"}]
    hosts = [free(MEMORY_MB=4), free(MEMORY_MB=30), free(MEMORY_MB=17)]
    assert order(hosts, "RAMWeigher", 1) == [1, 2, 0]
    assert order([{**host, "aggregates": packs} for host in hosts], "RAMWeigher", 1) == [0, 2, 1]
    assert order([hosts[0], {**hosts[1], "aggregates": packs}, hosts[2]], "RAMWeigher", 1) == [2, 0, 1]
    both = [{"ram_weight_multiplier": "5"}, {"ram_weight_multiplier": "-1"}]
    assert order([{**host, "aggregates": both} for host in hosts], "RAMWeigher", 1) == [0, 2, 1], "the least holds"
    wrong = [{"ram_weight_multiplier": "much"}]
    assert order([{**host, "aggregates": wrong} for host in hosts], "RAMWeigher", 1) == [1, 2, 0]
    assert order([{**host, "aggregates": packs} for host in hosts], "RAMWeigher", 0) == [0, 2, 1], "0 is off elsewhere"


def test_a_host_that_shrank_is_refused_at_the_next_decision() -> None:
    table = make_table([{"free": dict.fromkeys(CLASSES, 40)}])
    wanted = PlacementRequest("server", "p", "u", {"VCPU": 30})
    assert decide(table, wanted, RULES).candidates == [0]
    table.apply("id0", "VCPU", 400, 0, 20)
    verdict = decide(table, wanted, RULES)
    assert verdict.blocked_by == "CoreFilter" and "20" in verdict.fault
