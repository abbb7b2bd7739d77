"""GET /servers/{id}/diagnostics in both forms, and /topology."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hosts.drivers.specs import Diagnostics as Counters
from hosts.drivers.specs import DiskCounters, NicCounters
from hosts.models import Allocation
from hosts.resource_classes import cell_class
from instances.actions.diagnostics import Diagnostics
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_host, make_server

PATH = "/compute/v2.1/servers"
COUNTED = Counters(
    "kvm", 512, 400, (7, 9), (DiskCounters("vda", 1, 2, 3, 4, 5),),
    (NicCounters("cc1", "fa:16:3e:00:00:01", 1, 2, 3, 4, 5, 6, 7, 8),), {"actual": 524288},
)  # fmt: skip


@pytest.fixture(autouse=True)
def host_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's side has tests of its own (tests/flows/test_questions.py)."""
    forget_everything()
    monkeypatch.setattr(Diagnostics, "ask", lambda *_: msgspec.to_builtins(COUNTED))


def test_until_2_47_in_the_words_of_libvirt(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    assert cloud.as_admin.at("2.47").get(f"{PATH}/{server.id}/diagnostics").json() == {
        "cpu0_time": 7, "cpu1_time": 9, "memory": 524288, "memory-actual": 524288,
        "vda_read_req": 1, "vda_read": 2, "vda_write_req": 3, "vda_write": 4, "vda_errors": 5,
        "cc1_rx": 1, "cc1_rx_packets": 2, "cc1_rx_errors": 3, "cc1_rx_drop": 4,
        "cc1_tx": 5, "cc1_tx_packets": 6, "cc1_tx_errors": 7, "cc1_tx_drop": 8,
    }  # fmt: skip


def test_from_2_48_in_the_words_of_nova(cloud: Cloud) -> None:
    server = make_server(host=make_host(), config_drive=True)

    told: dict[str, Any] = cloud.as_admin.at("2.48").get(f"{PATH}/{server.id}/diagnostics").json()

    assert told.pop("uptime") >= 0
    assert told == {
        "state": "running", "driver": "libvirt", "hypervisor": "kvm", "hypervisor_os": "linux", "config_drive": True,
        "num_cpus": 2, "num_disks": 1, "num_nics": 1, "memory_details": {"maximum": 512, "used": 400},
        "cpu_details": [{"id": 0, "time": 7, "utilisation": None}, {"id": 1, "time": 9, "utilisation": None}],
        "disk_details": [
            {"read_requests": 1, "read_bytes": 2, "write_requests": 3, "write_bytes": 4, "errors_count": 5}
        ],
        "nic_details": [{
            "mac_address": "fa:16:3e:00:00:01", "rx_octets": 1, "rx_packets": 2, "rx_errors": 3, "rx_drop": 4,
            "rx_rate": None, "tx_octets": 5, "tx_packets": 6, "tx_errors": 7, "tx_drop": 8, "tx_rate": None,
        }],
    }  # fmt: skip


def test_who_may_ask(cloud: Cloud) -> None:
    place = f"{PATH}/{make_server(host=make_host()).id}/diagnostics"

    assert cloud.as_member.get(place).status_code == 403
    assert cloud.as_admin.get(f"{PATH}/nothing/diagnostics").status_code == 404


def test_the_cells_of_a_server_and_for_administrators_where_they_lie(cloud: Cloud) -> None:
    host = make_host()
    specs = {"hw:numa_nodes": "2", "hw:numa_cpus.0": "0,3", "hw:numa_cpus.1": "1,2", "hw:numa_mem.0": "128",
             "hw:numa_mem.1": "384"}  # fmt: skip
    server = make_server(host=host, vcpus=4, extra_specs=specs)
    for cell, amount in ((1, 384), (5, 128)):
        kind = cell_class(cell, "MEMORY_MB")
        Allocation.objects.create(consumer_id=server.id, host=host, resource_class=kind, amount=amount)

    for version in ("2.78", "2.104"):
        place = cloud.as_reader.at(version).get(f"{PATH}/{server.id}/topology")
        assert place.json() == {
            "nodes": [
                {"vcpu_set": [0, 3], "siblings": [], "memory_mb": 128},
                {"vcpu_set": [1, 2], "siblings": [], "memory_mb": 384},
            ],
            "pagesize_kb": None,
        }
    nodes = cloud.as_admin.at("2.78").get(f"{PATH}/{server.id}/topology").json()["nodes"]
    assert [(node["host_node"], node["cpu_pinning"]) for node in nodes] == [(5, {}), (1, {})]
