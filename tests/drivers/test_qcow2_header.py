"""A qcow2 header that would make QEMU open another file, or that is nonsense, is refused before QEMU sees it."""

from __future__ import annotations

import struct

import pytest

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import qcow2_header


def header(
    *,
    magic: bytes = b"QFI\xfb",
    version: int = 3,
    backing: int = 0,
    cluster_bits: int = 16,
    size: int = 2**30,
    encrypted: int = 0,
    l1_size: int = 2,
    snapshots: int = 0,
    incompatible: int = 0,
) -> bytes:
    fixed = struct.pack(
        ">4sIQIIQIIQQIIQ", magic, version, backing, 0, cluster_bits, size, encrypted, l1_size, 0, 0, 0, snapshots, 0
    )
    return fixed + struct.pack(">QQQII", incompatible, 0, 0, 4, 104)


def test_a_plain_image_tells_its_size() -> None:
    assert qcow2_header.parse(header()).virtual_bytes == 2**30


def test_version_2_has_no_features() -> None:
    assert qcow2_header.parse(header(version=2)[:72]).version == 2


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (header(magic=b"VMDK"), "not a qcow2"),
        (header()[:50], "not a qcow2"),
        (header(version=1), "version"),
        (header(version=4), "version"),
        (header(backing=512), "backing file"),
        (header(incompatible=0b100), "data file"),
        (header(incompatible=0b10), "features"),
        (header(incompatible=1 << 40), "features"),
        (header(encrypted=1), "encryption"),
        (header(snapshots=1), "snapshots"),
        (header(cluster_bits=30), "cluster size"),
        (header(l1_size=2**31), "impossible size"),
        (header()[:80], "cut short"),
    ],
)
def test_what_is_refused(bad: bytes, why: str) -> None:
    with pytest.raises(Fatal, match=why):
        qcow2_header.parse(bad)


def test_compressed_clusters_are_harmless() -> None:
    assert qcow2_header.parse(header(incompatible=0b1000)).version == 3
