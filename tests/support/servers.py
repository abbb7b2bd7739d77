"""Rows for tests of servers: one call, one server, as the engine would have left it."""

from __future__ import annotations

from typing import Any

import msgspec

from computecloud.core.clock import utcnow
from hosts.drivers.specs import PowerState
from hosts.models import Agent, Host
from instances import flavor_snapshots
from instances.api import server_hosts, server_rows
from instances.models import Flavor, Instance, KeyPair
from instances.states import VmState, view
from integrations.images import facade as images
from integrations.images.models import Image
from integrations.networks import facade as networks
from tests.support.auth import PROJECT_A, user_id

NICS = [
    {
        "port_id": "0d2d7d5a-8ed1-4f0c-a8c4-1f7fcb1ea001", "created_here": True, "mac": "fa:16:3e:00:00:01",
        "network_id": "9a1c0a52-53a6-4b54-8a9e-8e6b6c6f0001", "network_name": "private-net", "mtu": 1450,
        "segment": 1001, "dhcp_address": "10.0.0.2", "security_groups": [], "tag": None,
        "fixed_ips": [
            {"address": "10.0.0.5", "subnet_id": "9a1c0a52-53a6-4b54-8a9e-8e6b6c6f0002", "cidr": "10.0.0.0/24"},
            {"address": "fd00::5", "subnet_id": "9a1c0a52-53a6-4b54-8a9e-8e6b6c6f0003", "cidr": "fd00::/64"},
        ],
    }
]  # fmt: skip


def make_host(name: str = "compute-1", **columns: Any) -> Host:
    number = Host.objects.count() + 1
    agent = Agent.objects.first() or Agent.enrol()[0]
    return Host.objects.create(name=name, number=number, agent=agent, driver="fake", **columns)


def make_flavor(name: str = "m1.tiny", **columns: Any) -> Flavor:
    values = {"id": "1", "vcpus": 1, "ram_mb": 512, "disk_gb": 1} | columns
    return Flavor.objects.create(name=name, **values)


def make_key(owner: str = "member-a", name: str = "mine") -> KeyPair:
    return KeyPair.objects.create(user_id=user_id(owner), name=name, fingerprint="aa:bb", public_key="ssh-rsa AAAA")


def build(state: VmState = VmState.ACTIVE, **columns: Any) -> Instance:
    """A server that is not saved yet, for bulk_create."""
    power = PowerState.RUNNING if state == VmState.ACTIVE else PowerState.SHUTDOWN
    values: dict[str, Any] = {
        "project_id": PROJECT_A, "user_id": user_id("member-a"), "name": "web", "hostname": "web",
        "flavor_id": "1", "flavor_name": "m1.tiny", "vcpus": 1, "ram_mb": 512, "disk_gb": 1,
        "image_id": "70a599e0-31e7-49b7-b260-868f441e862b", "extra_specs": {"hw:cpu_policy": "shared"},
        "image_properties": {"hw_disk_bus": "virtio", "colour": "blue"}, "network_info": NICS,
        "settled": state.value, "observed_power": power.value, "reservation_id": "r-1", "description": "web",
        "created_at": utcnow(), "updated_at": utcnow(), "launched_at": utcnow(), "availability_zone": "nova",
        **view(state, observed=power).columns(),
    }  # fmt: skip
    return Instance(**(values | columns))


def make_server(state: VmState = VmState.ACTIVE, **columns: Any) -> Instance:
    row = build(state, **columns)
    row.save(force_insert=True)
    return row


IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"


def make_image(**columns: Any) -> Image:
    values: dict[str, Any] = {
        "id": IMAGE, "name": "guest", "status": "active", "owner": PROJECT_A, "visibility": "public",
        "disk_format": "qcow2", "container_format": "bare", "size_bytes": 10_000, "virtual_size_bytes": 100_000_000,
        "md5": "0" * 32, "sha512": "0" * 128,
        "created_at": utcnow(), "updated_at": utcnow(), "properties": {"hw_disk_bus": "virtio"},
    }  # fmt: skip
    return Image.objects.create(**(values | columns))


def forget_everything() -> None:
    """What this process keeps for a few seconds between requests."""
    flavor_snapshots.forget()
    server_hosts.forget()
    server_rows.forget_groups()
    images.forget(IMAGE)


def make_server_with_port(**columns: Any) -> Instance:
    """A running server on a host, with one real port in its project's default group."""
    host = make_host()
    server = make_server(host=host, network_info=[], **columns)
    network = networks.ensure_network(server.project_id, "private-net", "10.9.0.0/24")
    reference = networks.ServerRef(server.id, server.project_id, server.hostname, "nova")
    nics = networks.allocate(reference, [networks.PortPlan(network)], ["default"], host.id, host.name)
    Instance.objects.filter(id=server.id).update(network_info=msgspec.to_builtins(nics))
    return server
