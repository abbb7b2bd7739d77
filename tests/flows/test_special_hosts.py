"""Hosts with NUMA cells, devices and resources of their own, and servers that want them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from computecloud.conf import conf
from hosts.models import Allocation, Host, Inventory
from instances.actions.create import FlavorSnapshot
from instances.actions.delete import Delete
from instances.models import Instance
from scheduling import service
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)
CELLS = [
    {"id": number, "cpus": 2, "dedicated": 2, "ram_mb": 4096, "pages": {"2048": 1024}} for number in (0, 1)
]  # fmt: skip
DEVICES = [{"address": f"0000:8{n}:00.0", "vendor_id": "10de", "product_id": "1db4"} for n in (1, 2)]


@pytest.fixture(autouse=True)
def aliases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COMPUTECLOUD_PCI_ALIASES", '{"gpu": {"vendor_id": "10de", "product_id": "1db4"}}')
    conf.cache_clear()
    yield
    monkeypatch.undo()
    conf.cache_clear()


@pytest.fixture
def special(db: None, tmp_path: Path) -> Stage:
    """One host of each kind that is special."""
    return Stage(tmp_path, hosts=1, numa_cells=CELLS, pci_devices=DEVICES, custom_resources={"CUSTOM_FPGA": 1})


def flavor(vcpus: int = 2, ram_mb: int = 1024, **specs: str) -> FlavorSnapshot:
    named = {key.replace("__", ":"): text for key, text in specs.items()}
    return FlavorSnapshot("9", "special", vcpus=vcpus, ram_mb=ram_mb, disk_gb=1, extra_specs=named)


def boot(stage: Stage, member: Member, wanted: FlavorSnapshot, **wishes: Any) -> Instance:
    [server] = member.creates(flavor=wanted, **wishes)
    stage.settle()
    server.refresh_from_db()
    return server


def held(server: Instance) -> dict[str, int]:
    rows = Allocation.objects.filter(consumer_id=server.id)
    return dict(rows.values_list("resource_class", "amount"))


def test_a_host_offers_what_it_reports(special: Stage) -> None:
    offered = dict(Inventory.objects.values_list("resource_class", "capacity"))
    assert (offered["PCPU"], offered["CUSTOM_PCI_10DE_1DB4"], offered["CUSTOM_FPGA"]) == (4, 2, 1)
    assert (offered["CUSTOM_NUMA1_PCPU"], offered["CUSTOM_NUMA1_PAGES_2048KB"]) == (2, 1024)
    assert offered["CUSTOM_NUMA0_VCPU"] == 2 * 16, "the host's ratio holds for its cells"
    [host] = Host.objects.all()
    assert [cell["id"] for cell in host.numa_cells] == [0, 1]
    driver = special.drivers[host.id]
    driver._options.pci_devices.clear()  # type: ignore[attr-defined]
    special.start_agent()
    assert Inventory.objects.get(resource_class="CUSTOM_PCI_10DE_1DB4").capacity == 0, "pulled out while it was down"


def test_dedicated_processors_come_from_one_cell_each_and_go_back(special: Stage, member: Member) -> None:
    first = boot(special, member, flavor(hw__cpu_policy="dedicated"))
    assert first.status == "ACTIVE"
    assert held(first) == {
        "PCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 1, "CUSTOM_NUMA0_PCPU": 2, "CUSTOM_NUMA0_MEMORY_MB": 1024,
    }  # fmt: skip
    wide = flavor(hw__cpu_policy="dedicated", hw__numa_nodes="2")
    refused = boot(special, member, wide)
    assert refused.status == "ERROR"
    assert "NUMATopologyFilter" in refused.fault_message
    assert "the guest wants 2 NUMA cells, 1 of the host have room for one" in refused.fault_message
    second = boot(special, member, flavor(hw__cpu_policy="dedicated"))
    assert held(second)["CUSTOM_NUMA1_PCPU"] == 2
    third = boot(special, member, flavor(hw__cpu_policy="dedicated"))
    assert "ResourceClassFilter: 2 PCPU wanted, at most 0 free on one host (2 PCPU missing)" in third.fault_message
    for server in (first, second):
        Delete.request(member.actor, server, "req-2")
    special.settle()
    assert boot(special, member, wide).status == "ACTIVE"
    special.assert_balanced()


def test_huge_pages_are_counted_by_cell(special: Stage, member: Member) -> None:
    pages = flavor(ram_mb=2048, hw__mem_page_size="2048")
    assert held(boot(special, member, pages))["CUSTOM_NUMA0_PAGES_2048KB"] == 1024
    assert held(boot(special, member, pages))["CUSTOM_NUMA1_PAGES_2048KB"] == 1024
    fault = boot(special, member, pages).fault_message
    assert "NUMATopologyFilter" in fault and "1024 PAGES_2048KB, 0 free" in fault
    fault = boot(special, member, flavor(hw__mem_page_size="1GB")).fault_message
    assert "1 PAGES_1048576KB, 0 free" in fault
    special.assert_balanced()


def test_devices_and_custom_resources_are_claimed(special: Stage, member: Member) -> None:
    both = flavor(pci_passthrough__alias="gpu:2", resources__CUSTOM_FPGA="1")
    server = boot(special, member, both)
    assert (server.status, held(server)["CUSTOM_PCI_10DE_1DB4"], held(server)["CUSTOM_FPGA"]) == ("ACTIVE", 2, 1)
    fault = boot(special, member, flavor(pci_passthrough__alias="gpu:1")).fault_message
    assert "PciPassthroughFilter: 1 PCI devices 10de:1db4 wanted, at most 0 free" in fault
    assert "(1 devices missing)" in fault
    fault = boot(special, member, flavor(resources__CUSTOM_FPGA="1")).fault_message
    assert "ResourceClassFilter: 1 CUSTOM_FPGA wanted, at most 0 free" in fault
    Delete.request(member.actor, server, "req-2")
    special.settle()
    assert boot(special, member, both).status == "ACTIVE"
    special.assert_balanced()


def test_same_host_and_different_host(stage: Stage, member: Member) -> None:
    [first] = member.creates()
    stage.settle()
    first.refresh_from_db()
    for _ in range(3):
        [near] = member.creates(scheduler_hints={"same_host": first.id})
        [far] = member.creates(scheduler_hints={"different_host": [first.id]})
        stage.settle()
        near.refresh_from_db()
        far.refresh_from_db()
        assert near.host_id == first.host_id != far.host_id
    [lost] = member.creates(scheduler_hints={"same_host": far.id, "different_host": far.id})
    stage.settle()
    lost.refresh_from_db()
    assert "DifferentHostFilter: the hint different_host rules out 1 hosts" in lost.fault_message


def test_a_strangers_server_is_no_neighbour(stage: Stage, member: Member) -> None:
    [theirs] = member.creates()
    stage.settle()
    Instance.objects.filter(id=theirs.id).update(project_id="another")
    [server] = member.creates(scheduler_hints={"same_host": theirs.id})
    stage.settle()
    server.refresh_from_db()
    assert "SameHostFilter: none of the servers that the hint same_host names is on a host" in server.fault_message


def test_traits_choose_the_host(stage: Stage, member: Member) -> None:
    golden, plain = stage.hosts
    Host.objects.filter(id=golden.id).update(traits=["CUSTOM_GOLD"])
    service.TABLE.forget()
    wanted = flavor(trait__CUSTOM_GOLD="required")
    unwanted = flavor(trait__CUSTOM_GOLD="forbidden")
    assert {boot(stage, member, wanted).host_id for _ in range(2)} == {golden.id}
    assert {boot(stage, member, unwanted).host_id for _ in range(2)} == {plain.id}
    fault = boot(stage, member, flavor(trait__CUSTOM_SILVER="required")).fault_message
    assert "TraitsFilter: 0 of 2 hosts left have the required trait CUSTOM_SILVER" in fault
