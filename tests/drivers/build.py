"""Specs for driver tests, with sensible values that a test overrides."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hosts.drivers.errors import Fatal
from hosts.drivers.specs import (
    ConfigDriveSpec,
    DiskSpec,
    FixedIpSpec,
    GuestRef,
    GuestSpec,
    ImageSpec,
    NetworkSpec,
    NicSpec,
    Step,
)
from hosts.drivers.steps import run, undo

NETWORK = NetworkSpec("5f0c7a52-0d7c-4b7e-9d6a-5d4f0c1b2a3e", "private-net", 100, 1450, ("10.0.0.0/24",), "10.0.0.2")


class ImagesInMemory:
    """An ImageSource whose images are bytes; it counts fetches."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.stored: dict[str, bytes] = {}

    def add(self, data: bytes, disk_format: str = "raw") -> ImageSpec:
        image_id = str(uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(data).hexdigest()))
        self.blobs[image_id] = data
        return ImageSpec(image_id, hashlib.sha512(data).hexdigest(), len(data), disk_format)

    def fetch(self, image_id: str, sha512: str, target: Path) -> None:
        self.fetched.append(image_id)
        target.write_bytes(self.blobs[image_id])

    def store(self, image_id: str, operation_id: str, source: Path) -> None:
        del operation_id
        self.stored[image_id] = source.read_bytes()

    def send_disk(self, trip_id: str, operation_id: str, disk: str, source: Path) -> None:
        del operation_id
        self.stored[f"{trip_id}/{disk}"] = source.read_bytes()

    def fetch_disk(self, trip_id: str, operation_id: str, disk: str, sha512: str, target: Path) -> None:
        del operation_id
        data = self.stored[f"{trip_id}/{disk}"]
        if hashlib.sha512(data).hexdigest() != sha512:
            raise Fatal("other bytes")
        target.write_bytes(data)


def guest(**changes: Any) -> GuestSpec:
    """A guest with one CPU and 64 MB, without disks and networks unless given."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "name": "gull",
        "project_id": "a" * 32,
        "epoch": 1,
        "operation_id": str(uuid.uuid4()),
        "vcpus": 1,
        "ram_mb": 64,
    }
    return GuestSpec(**(values | changes))


def root(image: ImageSpec | None, size_gb: int = 1) -> DiskSpec:
    return DiskSpec("root", 0, "vda", size_gb, image=image)


def nic(number: int = 1, network: NetworkSpec = NETWORK) -> NicSpec:
    return NicSpec(
        port_id=str(uuid.UUID(int=number)),
        mac=f"fa:16:3e:00:00:{number:02x}",
        network=network,
        fixed_ips=(FixedIpSpec(f"10.0.0.{number + 10}", "10.0.0.0/24", "10.0.0.1"),),
        hostname="gull",
    )


def config_drive() -> ConfigDriveSpec:
    return ConfigDriveSpec(
        {
            "openstack/latest/meta_data.json": b'{"hostname": "gull"}',
            "openstack/latest/user_data": b"#!/bin/sh\necho hello\n",
            "openstack/2018-08-27/network_data.json": b"{}",
        }
    )


def ref(spec: GuestSpec) -> GuestRef:
    return GuestRef(spec.id, spec.epoch, spec.operation_id)


def undone(steps: Sequence[Step]) -> None:
    """Do them and then, as when the next one failed, undo them."""
    for step in steps:
        run(step)
    for step in reversed(steps):
        undo(step)
