"""The domain XML against golden files, and what must hold for any guest. ``GOLDEN=write`` writes the files anew."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from hosts.drivers.errors import Fatal
from hosts.drivers.specs import GuestSpec
from tests.drivers import build

pytest.importorskip("libvirt")

from hosts.drivers.libvirt import domain_xml
from hosts.drivers.libvirt.disks import DiskRecord, DiskSource
from hosts.drivers.libvirt.domain_xml import Mark, Platform, Wiring

GOLDEN = Path(__file__).parent / "golden"
ID = "6a1c8bb0-6f0e-4c52-9d39-5a5f8f0c1d2e"
FOLDER = Path("/state/instances") / ID
SHA = "ab" * 64
ROOT = DiskSource("vda", FOLDER / "disk-vda", DiskRecord("qcow2", 2**30, base=SHA), Path("/state/images") / SHA)
EPHEMERAL = DiskSource("vdb", FOLDER / "disk-vdb", DiskRecord("raw", 2**30, "ephemeral"))
ISO = DiskSource("vda", Path("/state/images") / SHA, DiskRecord("raw", 2**20, device="cdrom", base=SHA), Path("/x"))
NETWORKED = Wiring([ROOT], {build.nic().port_id: "tap00000001"}, FOLDER / "console.log", FOLDER / "disk-config")


def spec(**changes: object) -> GuestSpec:
    return build.guest(
        **({"id": ID, "operation_id": "op-1", "nics": (build.nic(),), "vcpus": 2, "ram_mb": 512} | changes)
    )


CASES: dict[str, tuple[GuestSpec, Wiring, Platform]] = {
    "q35-tcg": (spec(), NETWORKED, Platform(hotplug_ports=2)),
    "pc-kvm": (spec(image_properties={"hw_machine_type": "pc"}), NETWORKED, Platform("kvm")),
    "agent": (spec(image_properties={"hw_qemu_guest_agent": "yes"}), NETWORKED, Platform(hotplug_ports=0)),
    "diskless": (spec(nics=()), Wiring([], {}), Platform(hotplug_ports=0)),
    "iso-and-ephemeral": (
        spec(nics=()),
        Wiring([ISO, EPHEMERAL], {}),
        Platform(disk_cache="writeback", hotplug_ports=0),
    ),
    "old-image": (
        spec(
            image_properties={
                "hw_machine_type": "pc",
                "hw_cdrom_bus": "ide",
                "hw_vif_model": "e1000",
                "hw_video_model": "cirrus",
                "hw_pointer_model": "usbtablet",
            }
        ),
        NETWORKED,
        Platform(),
    ),
    "aarch64": (spec(arch="aarch64", machine_type="virt", nics=()), Wiring([ROOT], {}), Platform(hotplug_ports=0)),
}


@pytest.mark.parametrize("name", CASES)
def test_as_the_golden_file_says(name: str) -> None:
    golden = GOLDEN / f"{name}.xml"
    built = domain_xml.build(*CASES[name])
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(built)

    assert built == golden.read_text()


def test_a_name_never_becomes_markup() -> None:
    nasty = "x</name><devices><disk type='file'><source file='/c'/></disk></devices><name>\x00\x1b\n\ud800"

    built = ElementTree.fromstring(domain_xml.build(spec(name=nasty), NETWORKED, Platform()))

    assert len(built.findall("devices")) == 1
    assert [source.attrib["file"] for source in built.iterfind("devices/disk/source")] == [
        str(FOLDER / "disk-vda"),
        str(FOLDER / "disk-config"),
    ]
    assert built.findtext("name") == f"instance-{ID}"


def test_every_disk_names_its_format_and_the_end_of_its_chain() -> None:
    """S04: nothing is left for libvirt or QEMU to probe."""
    built = ElementTree.fromstring(domain_xml.build(*CASES["q35-tcg"]))

    for disk in built.iterfind("devices/disk"):
        driver = disk.find("driver")
        assert driver is not None
        assert driver.attrib["type"] in ("raw", "qcow2")
        chain = disk.find("backingStore")
        while chain is not None and len(chain):
            assert chain.find("format") is not None
            chain = chain.find("backingStore")
        assert chain is not None


def test_the_screen_listens_on_no_address() -> None:
    """S21."""
    for case in CASES.values():
        built = ElementTree.fromstring(domain_xml.build(*case))
        for graphics in built.iterfind("devices/graphics"):
            assert set(graphics.attrib) == {"type"}
            assert [listen.attrib for listen in graphics] == [{"type": "socket"}]


def test_the_mark_survives_the_way_through_libvirt() -> None:
    mark = Mark(ID, 7, "op-9", 'gull & "friends" <3')

    assert domain_xml.read_mark(domain_xml.mark_xml(mark)) == mark


@pytest.mark.parametrize("text", ["<x/>", "not xml", "<g id='x' epoch='seven'/>"])
def test_a_damaged_mark_is_said_so(text: str) -> None:
    with pytest.raises(Fatal, match="damaged"):
        domain_xml.read_mark(text)


@pytest.mark.parametrize("machine", ["xenpv", "q35 -device x", "pc-q35-7.2'/>", "../pc"])
def test_a_machine_type_that_is_none_is_refused(machine: str) -> None:
    with pytest.raises(Fatal, match="machine type"):
        domain_xml.build(spec(machine_type=machine), NETWORKED, Platform())


def test_a_port_without_a_device_is_refused() -> None:
    with pytest.raises(Fatal, match="no device"):
        domain_xml.build(spec(), Wiring([], {}), Platform())
