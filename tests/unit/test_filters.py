"""Each filter over columns and its plain meaning for one host agree on random tables and requests."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from computecloud.conf import conf
from scheduling import filters
from scheduling.filters.base import HostFilter, PerHostFilter, host_view
from scheduling.filters.registry import IN_TREE
from scheduling.filters.resource import AmountFilter, ResourceFilter
from scheduling.request import Group, GuestCell, PlacementRequest
from scheduling.weighers.registry import IN_TREE as WEIGHERS
from tests.support.tables import make_table
from tests.unit.plain_filters import MEANINGS

BASES = {HostFilter, PerHostFilter, AmountFilter, ResourceFilter}
AMOUNT = st.integers(-5, 60)
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
OTHERS = ("PCPU", "CUSTOM_FPGA", "CUSTOM_PCI_10DE_1DB4")
CELL_KINDS = ("VCPU", "PCPU", "MEMORY_MB", "PAGES_2048KB")
CELL_CLASSES = tuple(f"CUSTOM_NUMA{number}_{kind}" for number in range(3) for kind in CELL_KINDS)
EPYC, OLD = {"model": "EPYC", "features": ["avx2", "aes"]}, {"model": "i486", "features": []}
KVM = [["x86_64", "kvm", "hvm"], ["x86_64", "qemu", "hvm"]]
METADATA = st.dictionaries(
    st.sampled_from(["ssd", "os_distro", "instance_type", "filter_tenant_id", "filter_tenant_id_2",
                     "max_io_ops_per_host", "max_instances_per_host"]),
    st.sampled_from(["p", "q", "p, q", "m1.tiny", "m1.tiny,m1.small", "debian", "true", "3", "60", "many", "1.5"]),
    max_size=3,
)  # fmt: skip
HOST = st.fixed_dictionaries(
    {
        "free": st.fixed_dictionaries(
            dict.fromkeys(CLASSES, AMOUNT), optional={name: st.integers(0, 5) for name in (*OTHERS, *CELL_CLASSES)}
        ),
        "total": st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 60), max_size=3),
        "up": st.booleans(),
        "enabled": st.booleans(),
        "zone": st.sampled_from(["nova", "east"]),
        "servers": st.sampled_from([0, 2, 49, 50, 51]),
        "io_ops": st.sampled_from([0, 2, 7, 8, 9]),
        "aggregates": st.lists(METADATA, max_size=2),
        "arch": st.sampled_from(["x86_64", "aarch64"]),
        "machine_types": st.sampled_from([["q35"], ["q35", "pc"]]),
        "supported": st.sampled_from([[], KVM, [["x86_64", "lxc", "exe"]]]),
        "hypervisor_type": st.sampled_from(["QEMU", "LXC"]),
        "hypervisor_version": st.sampled_from([6_002_000, 7_002_000]),
        "traits": st.lists(st.sampled_from(["HW_CPU_X86_AVX2", "CUSTOM_GOLD", "COMPUTE_NODE"]), max_size=3),
        "cpu_info": st.sampled_from([{}, EPYC, OLD]),
        "metrics": st.sampled_from([{}, {"cpu.percent": 0.5}]),
        "underlay_address": st.sampled_from([None, "10.0.0.7", "10.0.1.7", "fd00::7"]),
    }
)  # fmt: skip
QUERY = st.recursive(
    st.tuples(
        st.sampled_from(["=", "<", ">", "<=", ">=", "in"]),
        st.sampled_from(["$free_ram_mb", "$num_io_ops", "$hypervisor_hostname", "$cpu_info.model", "$nothing", 7]),
        st.sampled_from([20, 7, "host1", "EPYC", "$num_instances"]),
    ).map(list),
    lambda inner: st.tuples(st.sampled_from(["and", "or", "not"]), inner, inner).map(list),
    max_leaves=4,
)
SPECS = st.dictionaries(
    st.sampled_from(["ssd", "capabilities:num_io_ops", "capabilities:free_ram_mb", "capabilities:cpu_info:features",
                     "capabilities:cpu_info:model", "capabilities:hypervisor_type",
                     "aggregate_instance_extra_specs:ssd", "aggregate_instance_extra_specs:os_distro",
                     "hw:cpu_policy"]),
    st.sampled_from(["true", "p", "= 20", "== 7", ">= 2", "<= 40", "!= 7", "s== EPYC", "s!= QEMU", "s< Q", "<in> avx2",
                     "<all-in> aes avx2", "<or> debian <or> p", ">= many", "QEMU", "<in>", "=="]),
    max_size=2,
)  # fmt: skip
CELL = st.builds(
    GuestCell,
    cpus=st.integers(0, 4), pinned=st.integers(0, 4), ram_mb=st.integers(1, 6), page_kb=st.sampled_from([0, 2048]),
)  # fmt: skip
IDS = st.frozensets(st.sampled_from(["id0", "id1", "id2", "gone"]), max_size=3)
REQUEST = st.builds(
    PlacementRequest,
    consumer_id=st.just("server"),
    project_id=st.sampled_from(["p", "q", "r"]),
    user_id=st.just("u"),
    resources=st.fixed_dictionaries(
        {name: st.integers(1, 30) for name in CLASSES}, optional={name: st.integers(1, 4) for name in OTHERS}
    ),
    availability_zone=st.sampled_from([None, "nova", "east", "west"]),
    forced_host=st.sampled_from([None, None, "host0", "host9"]),
    excluded_host_ids=IDS,
    flavor_name=st.sampled_from(["m1.tiny", "m1.small", "m1.huge"]),
    image_id=st.sampled_from(["", "special", "plain"]),
    image_properties=st.dictionaries(
        st.sampled_from(["hw_architecture", "img_hv_type", "hw_vm_mode", "hw_machine_type", "os_distro"]),
        st.sampled_from(["aarch64", "amd64", "x86_64", "QEMU", "kvm", "lxc", "hvm", "exe", "q35", "debian"]),
        max_size=2,
    ) | st.just({"img_hv_requested_version": ">=7.0"}),
    extra_specs=SPECS,
    hints=st.fixed_dictionaries({}, optional={
        "query": QUERY.map(lambda query: msgspec.json.encode(query).decode()),
        "build_near_host_ip": st.sampled_from(["10.0.0.1", "10.0.1.200", "fd00::1"]),
        "cidr": st.sampled_from(["/16", "/24", "/31"]),
    }),
    group=st.none() | st.builds(
        Group,
        id=st.just("group"),
        policy=st.sampled_from(["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]),
        max_per_host=st.integers(1, 2),
        members=st.dictionaries(st.sampled_from(["id0", "id1", "gone"]), st.integers(1, 3), max_size=3),
    ),
    same_host_ids=st.none() | IDS,
    different_host_ids=IDS,
    required_traits=st.frozensets(st.sampled_from(["HW_CPU_X86_AVX2", "CUSTOM_GOLD"]), max_size=2),
    forbidden_traits=st.frozensets(st.sampled_from(["CUSTOM_GOLD", "COMPUTE_NODE"]), max_size=1),
    cells=st.lists(CELL, max_size=3).map(tuple),
)  # fmt: skip


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site that isolates an image and weighs a metric."""
    values = {"ISOLATED_IMAGES": '["special"]', "ISOLATED_HOSTS": '["host0"]', "METRICS_WEIGHTS": '{"cpu.percent": -1}'}
    for name, value in values.items():
        monkeypatch.setenv(f"COMPUTECLOUD_{name}", value)
    conf.cache_clear()
    yield
    monkeypatch.undo()
    conf.cache_clear()


def test_every_filter_is_registered_and_has_a_plain_meaning() -> None:
    modules = [import_module(f"{filters.__name__}.{module.name}") for module in pkgutil.iter_modules(filters.__path__)]
    written = {
        kind
        for module in modules
        for _name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, HostFilter) and kind not in BASES
    }
    assert written == set(IN_TREE.values())
    assert set(MEANINGS) == set(IN_TREE), "write down in plain_filters.py what the filter means for one host"
    assert set(conf().scheduler_filters) <= set(IN_TREE) and set(conf().scheduler_weighers) == set(WEIGHERS)
    for kind in (*IN_TREE.values(), *WEIGHERS.values()):
        assert kind.__doc__ and len(kind.__doc__) > 20, f"an operator reads the docstring of {kind.__name__}"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hosts=st.lists(HOST, min_size=1, max_size=5), request=REQUEST)
def test_columns_and_plain_meanings_agree(hosts: list[dict[str, Any]], request: PlacementRequest) -> None:
    table = make_table(hosts)
    views = [host_view(table, row) for row in range(len(table))]
    for name, kind in IN_TREE.items():
        rule = kind()
        found = rule.accepts(table, request).tolist() if rule.applies(request) else [True] * len(table)
        assert found == [bool(MEANINGS[name](view, request)) for view in views], name
        if not any(found):
            assert_owner_may_read(rule.shortfall(table, request, np.ones(len(table), dtype=bool)), request)
        for row in range(len(table)):
            if not found[row]:
                assert rule.reason(table, request, row) not in ("", "accepted"), name


def test_the_reference_tells_each_rule_as_it_is() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "scheduler.md").read_text()
    for name, kind in {**IN_TREE, **WEIGHERS}.items():
        assert f"| {name} | " in page and " ".join(str(kind.__doc__).split()) in page, name


def assert_owner_may_read(text: str, request: PlacementRequest) -> None:
    """No host's name, but for those that the owner wrote himself."""
    assert text
    assert not re.search(r"host\d", text.replace(str(request.hints.get("query")), ""))
