"""What extra specs and image properties come to, as Nova and Placement read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from computecloud.conf import conf
from computecloud.core.errors import Invalid
from scheduling import wishes
from scheduling.hints import network_of, query_of, servers_of
from scheduling.request import GuestCell
from scheduling.wishes import Wishes


@pytest.fixture(autouse=True)
def aliases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    aliases = '{"gpu": {"vendor_id": "10de", "product_id": "1db4"}, "nic": {"vendor_id": "8086", "product_id": "1572"}}'
    monkeypatch.setenv("COMPUTECLOUD_PCI_ALIASES", aliases)
    conf.cache_clear()
    yield
    monkeypatch.undo()
    conf.cache_clear()


def of(specs: dict[str, str], image: dict[str, Any] | None = None) -> Wishes:
    return wishes.read(4, 4096, 10, specs, image)


PLAIN = {"VCPU": 4, "MEMORY_MB": 4096, "DISK_GB": 10}


@pytest.mark.parametrize(
    ("specs", "resources"),
    [
        ({}, PLAIN),
        ({"resources:CUSTOM_FPGA": "2"}, PLAIN | {"CUSTOM_FPGA": 2}),
        ({"resources1:CUSTOM_FPGA": "1", "resources_A:CUSTOM_FPGA": "2"}, PLAIN | {"CUSTOM_FPGA": 3}),
        ({"resources:VCPU": "0", "resources:DISK_GB": "3"}, {"MEMORY_MB": 4096, "DISK_GB": 3}),
        ({"resources:GIZMO": "2", "resources:CUSTOM_X": "-1", "resources:CUSTOM_Y": "many"}, PLAIN),
        ({"hw:cpu_policy": "dedicated"}, {"PCPU": 4, "MEMORY_MB": 4096, "DISK_GB": 10}),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "1-3,^2"}, PLAIN | {"VCPU": 2, "PCPU": 2}),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"}, PLAIN | {"VCPU": 1, "PCPU": 3}),
        ({"pci_passthrough:alias": "gpu:2, nic:1"}, PLAIN | {"CUSTOM_PCI_10DE_1DB4": 2, "CUSTOM_PCI_8086_1572": 1}),
    ],
)
def test_resource_classes(specs: dict[str, str], resources: dict[str, int]) -> None:
    assert of(specs).resources == resources


def test_traits_of_flavor_and_image() -> None:
    found = of(
        {"trait:HW_CPU_X86_AVX2": "required", "trait1:CUSTOM_GOLD": "required", "trait:CUSTOM_OLD": "forbidden",
         "trait:CUSTOM_ODD": "maybe"},
        {"trait:CUSTOM_IMAGE": "required", "os_distro": "debian"},
    )  # fmt: skip
    assert found.required_traits == {"HW_CPU_X86_AVX2", "CUSTOM_GOLD", "CUSTOM_IMAGE"}
    assert found.forbidden_traits == {"CUSTOM_OLD"}


def test_cells() -> None:
    assert of({}).cells == ()
    assert of({"hw:numa_nodes": "2"}).cells == (GuestCell(2, 0, 2048), GuestCell(2, 0, 2048))
    assert of({"hw:cpu_policy": "dedicated"}).cells == (GuestCell(0, 4, 4096),)
    assert of({}, {"hw_cpu_policy": "dedicated", "hw_numa_nodes": "2"}).cells == (GuestCell(0, 2, 2048),) * 2
    assert of({"hw:mem_page_size": "large"}).cells == (GuestCell(4, 0, 4096, 2048),)
    assert of({"hw:mem_page_size": "1GB"}).cells == (GuestCell(4, 0, 4096, 1024**2),)
    assert of({"hw:mem_page_size": "small"}).cells == (GuestCell(4, 0, 4096),)
    assert of({"hw:mem_page_size": "any"}, {"hw_mem_page_size": "2048"}).cells == (GuestCell(4, 0, 4096, 2048),)
    uneven = {"hw:numa_nodes": "2", "hw:numa_cpus.0": "0", "hw:numa_mem.0": "1024", "hw:numa_cpus.1": "1-3",
              "hw:numa_mem.1": "3072", "hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-1"}  # fmt: skip
    assert of(uneven).cells == (GuestCell(0, 1, 1024), GuestCell(2, 1, 3072))
    assert GuestCell(1, 0, 5, 2048).pages == 3, "a page that is begun is taken whole"


@pytest.mark.parametrize(
    ("specs", "image"),
    [
        ({"hw:numa_nodes": "3"}, {}),
        ({"hw:numa_nodes": "9"}, {}),
        ({"hw:numa_nodes": "-1"}, {}),
        ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0-1"}, {}),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-7", "hw:numa_mem.0": "4096"}, {}),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1"}, {}),
        ({"hw:cpu_policy": "mixed"}, {}),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-3"}, {}),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "a-b"}, {}),
        ({"hw:cpu_policy": "loud"}, {}),
        ({"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}),
        ({"hw:mem_page_size": "huge"}, {}),
        ({}, {"hw_mem_page_size": "2048"}),
        ({"pci_passthrough:alias": "disk:1"}, {}),
        ({"pci_passthrough:alias": "gpu"}, {}),
    ],
)
def test_what_cannot_be_is_said_at_once(specs: dict[str, str], image: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        of(specs, image)


def test_hints() -> None:
    assert servers_of({"same_host": "one"}, "same_host") == ["one"]
    assert servers_of({"same_host": ["one", "two"]}, "same_host") == ["one", "two"]
    assert str(network_of({"build_near_host_ip": "10.1.2.3", "cidr": "/28"})) == "10.1.2.0/28"
    assert str(network_of({"build_near_host_ip": "10.1.2.3"})) == "10.1.2.0/24"
    assert network_of({"cidr": "/28"}) is None
    assert query_of({"query": '["and", [">=", "$free_ram_mb", 1]]'}) == ["and", [">=", "$free_ram_mb", 1]]
    for bad in ("[", "{}", '["~", 1]', '["and", ["nand", 1]]', "[" * 40 + "]" * 40, {"and": 1}, "[1]"):
        with pytest.raises(ValueError):
            query_of({"query": bad})
    with pytest.raises(ValueError):
        network_of({"build_near_host_ip": "10.1.2.3", "cidr": "/99"})
