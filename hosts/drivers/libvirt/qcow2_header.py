"""Reads a qcow2 header and nothing else, to refuse images that would make QEMU open other files (S01, S10).

Format: https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from hosts.drivers.errors import Fatal

MAGIC = b"QFI\xfb"
_FIXED = struct.Struct(">4sIQIIQIIQQIIQ")  # up to the snapshots offset: 72 bytes
_FEATURES = struct.Struct(">QQQII")  # incompatible, compatible, autoclear, refcount order, header length
_KNOWN_INCOMPATIBLE = 0b11000  # compression type, extended L2 entries; dirty, corrupt and data file are refused
_LONGEST_L1 = 32 * 2**20 // 8  # QEMU's own limit


@dataclass(frozen=True, slots=True)
class Header:
    version: int
    virtual_bytes: int
    cluster_bytes: int


def looks_like(start: bytes) -> bool:
    """True when these first bytes are those of a qcow2 (or qcow) file."""
    return start[:4] == MAGIC


def read(path: Path) -> Header:
    """The header of the file at ``path``.

    Raises Fatal for what is not a plain, self-contained qcow2 of version 2 or 3: with a backing file, a data file,
    encryption, internal snapshots, unknown incompatible features, or tables of impossible size.
    """
    with path.open("rb") as file:
        return parse(file.read(4096))


def parse(start: bytes) -> Header:
    """As ``read``, from the file's first bytes (104 are enough)."""
    if len(start) < _FIXED.size or not looks_like(start):
        raise Fatal("not a qcow2 image")
    (_, version, backing, _, cluster_bits, size, encrypted, l1_size, _, _, _, snapshots, _) = _FIXED.unpack_from(start)
    if version not in (2, 3):
        raise Fatal(f"qcow2 version {version} is not supported")
    if backing:
        raise Fatal("qcow2 image with a backing file refused")
    if encrypted or snapshots:
        raise Fatal("qcow2 image with encryption or internal snapshots refused")
    if not 9 <= cluster_bits <= 21:
        raise Fatal(f"qcow2 cluster size 2^{cluster_bits} refused")
    if l1_size > _LONGEST_L1 or size > 2**63:
        raise Fatal("qcow2 tables of impossible size refused")
    if version == 3:
        _check_features(start)
    return Header(version, size, 1 << cluster_bits)


def _check_features(start: bytes) -> None:
    if len(start) < _FIXED.size + _FEATURES.size:
        raise Fatal("qcow2 header is cut short")
    incompatible = _FEATURES.unpack_from(start, _FIXED.size)[0]
    if incompatible & 0b100:
        raise Fatal("qcow2 image with an external data file refused")
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise Fatal(f"qcow2 image with incompatible features {incompatible:#x} refused")
