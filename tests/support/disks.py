"""Small disk images for tests, built byte by byte: good ones and evil ones."""

from __future__ import annotations

import struct
import uuid
from typing import Any

CLUSTER = 65536


def qcow2(
    *,
    virtual_size: int = 16 * 1024**2,
    version: int = 3,
    backing: bytes = b"",
    incompatible: int = 0,
    extensions: list[tuple[int, bytes]] | None = None,
    l1_entries: int | None = None,
    cluster_bits: int = 16,
    crypt: int = 0,
    header_length: int = 104,
    snapshots: int = 0,
    l1_offset: int = 3 * CLUSTER,
    length: int = 4 * CLUSTER,
    **_: Any,
) -> bytes:
    """A qcow2 with an empty L1 table."""
    if l1_entries is None:
        l1_entries = max(1, -(-virtual_size // ((1 << cluster_bits) * (1 << cluster_bits) // 8)))
    tail = b"".join(
        struct.pack(">II", kind, len(data)) + data.ljust(-(-len(data) // 8) * 8, b"\0")
        for kind, data in extensions or []
    )
    head_size = header_length if version == 3 else 72
    backing_offset = head_size + len(tail) + 8 if backing else 0
    head = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQQIIQ",
        version, backing_offset, len(backing), cluster_bits, virtual_size, crypt, l1_entries, l1_offset,
        CLUSTER, 1, snapshots, CLUSTER if snapshots else 0,
    )  # fmt: skip
    if version == 3:
        head += struct.pack(">QQQII", incompatible, 0, 0, 4, header_length)
        head = head.ljust(header_length, b"\0")
    return (head + tail + bytes(8) + backing).ljust(length, b"\0")


def with_partition_table(image: bytes) -> bytes:
    """The image with a bootable MBR entry over its first sector."""
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\x02\0", 0x83, b"\0\0\0", 2048, 20480)
    return image[:446] + entry + bytes(48) + b"\x55\xaa" + image[512:]


def raw(length: int = 1024**2) -> bytes:
    return with_partition_table(bytes(length))


def iso(length: int = 128 * 1024) -> bytes:
    image = bytearray(length)
    image[0x8000:0x8007] = b"\x01CD001\x01"
    return bytes(image)


def vmdk(kind: str = "monolithicSparse", extent: str = 'RW 2048 SPARSE "disk.vmdk"', more: str = "") -> bytes:
    head = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 2048, 128, 1, 20)
    text = f'# Disk DescriptorFile\nversion=1\nCID=fffffffe\ncreateType="{kind}"\n{more}\n{extent}\n'.encode()
    return (head.ljust(512, b"\0") + text).ljust(128 * 1024, b"\0")


def vmdk_descriptor(target: str = "/etc/shadow") -> bytes:
    text = f'# Disk DescriptorFile\nversion=1\nCID=fffffffe\ncreateType="monolithicFlat"\nRW 2048 FLAT "{target}" 0\n'
    return text.encode().ljust(1024, b"\0")


def vhd(kind: int = 3, virtual_size: int = 8 * 1024**2, *, at_end_only: bool = False) -> bytes:
    footer = bytearray(512)
    footer[:8] = b"conectix"
    struct.pack_into(">Q", footer, 48, virtual_size)
    struct.pack_into(">I", footer, 60, kind)
    return (bytes(512) if at_end_only else bytes(footer)) + bytes(4096) + bytes(footer)


def vhdx(virtual_size: int = 8 * 1024**2, flags: int = 0) -> bytes:
    image = bytearray(1024**2)
    image[:8] = b"vhdxfile"
    region = 512 * 1024
    image[192 * 1024 : 192 * 1024 + 4] = b"regi"
    struct.pack_into("<I", image, 192 * 1024 + 8, 1)
    image[192 * 1024 + 16 : 192 * 1024 + 32] = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
    struct.pack_into("<QII", image, 192 * 1024 + 32, region, 65536, 1)
    image[region : region + 8] = b"metadata"
    struct.pack_into("<H", image, region + 10, 2)
    items = (
        ("CAA16737-FA36-4D43-B3B6-33F0AA44E76B", struct.pack("<II", 1024**2, flags)),
        ("2FA54224-CD1B-4876-B211-5DBED83BF4B8", struct.pack("<Q", virtual_size)),
    )
    for number, (name, value) in enumerate(items):
        at = region + 32 + 32 * number
        image[at : at + 16] = uuid.UUID(name).bytes_le
        struct.pack_into("<II", image, at + 16, 65536 + 16 * number, 8)
        start = region + 65536 + 16 * number
        image[start : start + 8] = value
    return bytes(image)


def vdi(kind: int = 1, virtual_size: int = 8 * 1024**2) -> bytes:
    image = bytearray(4096)
    image[:40] = b"<<< Oracle VM VirtualBox Disk Image >>>\n"
    struct.pack_into("<I", image, 0x40, 0xBEDA107F)
    struct.pack_into("<I", image, 0x4C, kind)
    struct.pack_into("<Q", image, 0x170, virtual_size)
    return bytes(image)
