"""Two hundred requests that no host can take, of every kind: each fault names the rule that stopped it and the numbers.

Two hosts of 8 processors (ratio 16), 8192 MB, 100 GB, with what ``SPECIAL`` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from computecloud.conf import conf
from hosts.models import Aggregate, AggregateHost
from instances.actions.create import FlavorSnapshot
from instances.models import Instance
from instances.models.server_group import ServerGroup
from integrations.images.facade import Image
from scheduling import configuration, service
from scheduling.models import Decision
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)
SPECIAL: dict[str, Any] = {
    "traits": ["COMPUTE_NODE", "CUSTOM_OLD"],
    "custom_resources": {"CUSTOM_FPGA": 2},
    "pci_devices": [{"address": "0000:81:00.0", "vendor_id": "10de", "product_id": "1db4"}],
    "numa_cells": [{"id": n, "cpus": 4, "dedicated": 2, "ram_mb": 2048, "pages": {"2048": 512}} for n in (0, 1)],
    "metrics": {"cpu.percent": 0.5},
}
EXTRA_RULES = ["JsonFilter", "SimpleCIDRAffinityFilter", "AggregateInstanceExtraSpecsFilter",
               "AggregateMultiTenancyIsolation", "AggregateTypeAffinityFilter", "NumInstancesFilter",
               "AggregateImagePropertiesIsolation"]  # fmt: skip
Case = tuple[str, str, dict[str, Any]]


def flavor(name: str = "m1", vcpus: int = 1, ram_mb: int = 64, disk_gb: int = 1, **specs: str) -> FlavorSnapshot:
    named = {key.replace("__", ":"): text for key, text in specs.items()}
    return FlavorSnapshot("9", name, vcpus=vcpus, ram_mb=ram_mb, disk_gb=disk_gb, extra_specs=named)


def image(**properties: str) -> Image:
    return Image("an-image", "image", "active", "p", "public", "raw", "bare", 1, 1, "", "0" * 128, 0, 0, properties)


def special(**specs: str) -> dict[str, Any]:
    return {"flavor": flavor(**specs)}


def cases() -> Iterator[Case]:
    """(rule, what the fault must say, wishes)."""
    for more in range(1, 26):
        text = rf"{8192 + more} MB of RAM wanted, at most 8192 free on one host \({more} MB missing\)"
        yield "RamFilter", text, {"flavor": flavor(ram_mb=8192 + more)}
        text = rf"{100 + more} GB of disk wanted, at most 100 free on one host \({more} GB missing\)"
        yield "DiskFilter", text, {"flavor": flavor(disk_gb=100 + more)}
    for more in range(1, 21):
        text = rf"{8 + more} vCPU of processors wanted, at most 8 free on one host \({more} vCPU missing\)"
        yield "CoreFilter", text, {"flavor": flavor(vcpus=8 + more)}
        text = rf"{2 + more} CUSTOM_FPGA wanted, at most 2 free on one host \({more} CUSTOM_FPGA missing\)"
        yield "ResourceClassFilter", text, special(resources__CUSTOM_FPGA=str(2 + more))
    for more in range(1, 13):
        text = rf"{1 + more} PCI devices 10de:1db4 wanted, at most 1 free on one host \({more} devices missing\)"
        yield "PciPassthroughFilter", text, special(pci_passthrough__alias=f"gpu:{1 + more}")
        text = f"0 of 2 hosts left have the required trait CUSTOM_T{more}; it would fit without it"
        yield "TraitsFilter", text, special(**{f"trait__CUSTOM_T{more}": "required"})
        text = f"0 of 2 hosts left have num_instances >= {more}"
        yield "ComputeCapabilitiesFilter", text, special(capabilities__num_instances=f">= {more}")
        text = f"0 of 2 hosts left are in an aggregate with size s== {more}"
        yield "AggregateInstanceExtraSpecsFilter", text, special(aggregate_instance_extra_specs__size=f"s== {more}")
        pages = 512 + more
        yield "NUMATopologyFilter", f"{pages} PAGES_2048KB, 512 free", {
            "flavor": flavor(ram_mb=pages * 2, hw__mem_page_size="2048")
        }
        yield "JsonFilter", rf'0 of 2 hosts left are what the hint query asks for: \["<","\$free_ram_mb",{more}\]', {
            "scheduler_hints": {"query": f'["<", "$free_ram_mb", {more}]'}
        }
        yield "SimpleCIDRAffinityFilter", rf"none of the 2 hosts left has an address in 10\.{more}\.0\.0/24", {
            "scheduler_hints": {"build_near_host_ip": f"10.{more}.0.1"}
        }
    for number in range(8):
        zone = {"availability_zone": f"zone-{number}"}
        yield "AvailabilityZoneFilter", f"in zone zone-{number}; there are: nova", zone
    for arch in ("aarch64", "ppc64le", "s390x", "riscv64", "armv7l"):
        yield "ImagePropertiesFilter", f"architecture {arch}, host has x86_64", {"image": image(hw_architecture=arch)}
    yield "ImagePropertiesFilter", "hypervisor hyperv, host has fake", {"image": image(img_hv_type="hyperv")}
    yield "ImagePropertiesFilter", "version >=7, host has 1.0.0", {"image": image(img_hv_requested_version=">=7")}
    yield "TraitsFilter", "all 2 hosts left have the forbidden trait CUSTOM_OLD", special(trait__CUSTOM_OLD="forbidden")
    yield "ComputeFilter", "the host that was asked for is unknown", {"forced_host": "nowhere"}
    yield "SameHostFilter", "none of the servers that the hint same_host names", {"scheduler_hints": {"same_host": "x"}}
    dedicated = special(hw__cpu_policy="dedicated", vcpus=4, hw__numa_nodes="1", name="wide")  # type: ignore[arg-type]
    yield "NUMATopologyFilter", "4 PCPU, 2 free", dedicated
    three = {"flavor": flavor(vcpus=3, ram_mb=96, hw__numa_nodes="3")}
    yield "NUMATopologyFilter", "the guest wants 3 NUMA cells, 2 of the host have room for one", three


CASES = list(cases())


@pytest.fixture
def site(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("COMPUTECLOUD_PCI_ALIASES", '{"gpu": {"vendor_id": "10de", "product_id": "1db4"}}')
    conf.cache_clear()
    configuration.IN_FORCE.forget()
    stage = Stage(tmp_path, hosts=2, **SPECIAL)
    configuration.change([*conf().scheduler_filters, *EXTRA_RULES], None, expected=None, reason="", user_id="admin")
    Member().has_no_limits()
    yield stage
    monkeypatch.undo()
    conf.cache_clear()
    configuration.IN_FORCE.forget()


def refused(server: Instance) -> str:
    server.refresh_from_db()
    assert (server.status, server.host_id) == ("ERROR", None), server.status
    assert server.fault_message.startswith("No valid host was found. ")
    return server.fault_message.removeprefix("No valid host was found. ")


def test_each_fault_names_the_rule_and_the_numbers(site: Stage, member: Member) -> None:
    asked = [(rule, text, member.creates(f"s{n}", **wishes)[0]) for n, (rule, text, wishes) in enumerate(CASES)]
    site.settle()
    for rule, text, server in asked:
        fault = refused(server)
        assert fault.startswith(f"{rule}: "), (rule, fault)
        assert re.search(text, fault), (text, fault)
        assert not re.search(r"\bhost[12]\b", fault), f"owners do not read names of hosts: {fault}"
    assert Decision.objects.filter(chosen_host_id="").count() == len(CASES)
    site.assert_balanced()


def test_there_are_two_hundred_and_every_rule_that_can_refuse_is_among_them(site: Stage, member: Member) -> None:
    """The rest of the kinds, which need a world of their own."""
    named = {rule for rule, _text, _wishes in CASES}
    faults: dict[str, tuple[str, str]] = {}
    apart = ServerGroup.objects.create(project_id="p", user_id="u", name="g", policy="anti-affinity")
    together = ServerGroup.objects.create(project_id="p", user_id="u", name="h", policy="affinity")
    for _ in range(2):
        [one] = member.creates(server_group_id=apart.id)
        site.settle()
    one.refresh_from_db()
    [third] = member.creates(server_group_id=apart.id)
    [first] = member.creates(server_group_id=together.id)
    site.settle()
    first.refresh_from_db()
    other = next(host for host in site.hosts if host.id != first.host_id)
    [elsewhere] = member.creates(server_group_id=together.id, forced_host=other.name)
    [far] = member.creates(scheduler_hints={"different_host": [one.id, first.id, *_of(site, other.id)]})
    site.settle()
    faults |= {
        "ServerGroupAntiAffinityFilter": (refused(third), "at most 1 on one host, and each of the 2 hosts left has 1"),
        "ServerGroupAffinityFilter": (refused(elsewhere), "the host of the 1 it has is not among the 1 hosts left"),
        "DifferentHostFilter": (refused(far), "rules out 2 hosts and 2 are left"),
    }

    kept = Aggregate.objects.create(
        name="kept", metadata={"filter_tenant_id": "another", "instance_type": "gold", "os_distro": "debian",
                               "max_instances_per_host": "1"},
    )  # fmt: skip
    AggregateHost.objects.bulk_create(AggregateHost(aggregate=kept, host=host) for host in site.hosts)
    arch = {"image": image(os_distro="arch")}
    for rule, wishes, text in (
        ("AggregateMultiTenancyIsolation", {}, "all 2 hosts left are kept for other projects"),
        ("AggregateTypeAffinityFilter", {}, "all 2 hosts left take other flavors than m1.tiny: gold"),
        ("AggregateImagePropertiesIsolation", arch, "0 of 2 hosts left take images with os_distro arch"),
        ("AggregateNumInstancesFilter", {}, "it would fit with a limit of"),
    ):  # fmt: skip
        configuration.change(["ComputeFilter", rule], None, expected=None, reason="", user_id="admin")
        service.forget()
        [server] = member.creates(**wishes)
        site.settle()
        faults[rule] = (refused(server), text)
    for rule, (fault, text) in faults.items():
        assert fault.startswith(f"{rule}: ") and text in fault, fault
        assert not re.search(r"\bhost[12]\b", fault), fault
    assert len(CASES) + len(faults) >= 200
    always = {"AggregateCoreFilter", "AggregateRamFilter", "AggregateDiskFilter"}  # other names of Core, Ram and Disk
    busy = {"IoOpsFilter", "AggregateIoOpsFilter", "NumInstancesFilter", "IsolatedHostsFilter", "MetricsFilter"}
    rest = set(configuration.known_filters()) - named - set(faults) - always - {"AllHostsFilter"}
    assert rest == busy, "held to their words in tests/unit/test_filters.py"


def _of(stage: Stage, host_id: str) -> list[str]:
    return [guest for guest, at in stage.guests().items() if at == host_id]
