"""VHD (fixed, dynamic; differencing refused) and VHDX, after Microsoft's published specifications [MS-VHDX]."""

from __future__ import annotations

import struct
import uuid

from integrations.images.inspect.window import Finding, Window

VHD_COOKIE = b"conectix"
VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING = 2, 3, 4
VHDX_SIGNATURE = b"vhdxfile"
REGION_TABLES = (192 * 1024, 256 * 1024)
METADATA_REGION = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le
VIRTUAL_DISK_SIZE = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8").bytes_le
PARENT_LOCATOR = uuid.UUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C").bytes_le
HAS_PARENT = 2
MAX_ENTRIES = 2047  # bound of both tables in the specification


def parse_vhd(window: Window) -> Finding | None:
    """A dynamic VHD begins with a copy of its footer; a fixed one has it in the last 512 bytes only."""
    footer = window.read(0, 512)
    if footer[:8] != VHD_COOKIE:
        if not window.complete or window.size < 512:
            return None
        footer = window.read(window.size - 512, 512)
        if footer[:8] != VHD_COOKIE:
            return None
    size, kind = struct.unpack_from(">Q", footer, 48)[0], struct.unpack_from(">I", footer, 60)[0]
    refusal = None
    if kind == VHD_DIFFERENCING:
        refusal = "it is a differencing disk and names a parent"
    elif kind not in (VHD_FIXED, VHD_DYNAMIC):
        refusal = f"VHD disk type {kind} is unknown"
    return Finding("vhd", size, refusal)


def parse_vhdx(window: Window) -> Finding | None:
    """The virtual size stands in the metadata region, which the region table finds."""
    if window.read(0, 8) != VHDX_SIGNATURE:
        return None
    if not window.complete:
        return Finding("vhdx")
    items = _metadata(window)
    size = items.get(VIRTUAL_DISK_SIZE)
    parameters = items.get(FILE_PARAMETERS)
    if size is None or parameters is None:
        return Finding("vhdx", refusal="its metadata cannot be read")
    flags = struct.unpack_from("<I", parameters, 4)[0]
    refusal = "it names a parent disk" if flags & HAS_PARENT or PARENT_LOCATOR in items else None
    return Finding("vhdx", struct.unpack_from("<Q", size)[0], refusal)


def _metadata(window: Window) -> dict[bytes, bytes]:
    """Item id → its first 8 bytes."""
    for table in REGION_TABLES:
        region = _region(window, table, METADATA_REGION)
        if region is not None:
            return _items(window, region)
    return {}


def _region(window: Window, table: int, wanted: bytes) -> int | None:
    head = window.read(table, 16)
    count = struct.unpack_from("<I", head, 8)[0]
    if head[:4] != b"regi" or count > MAX_ENTRIES:
        return None
    entries = window.read(table + 16, count * 32)
    for at in range(0, len(entries), 32):
        if entries[at : at + 16] == wanted:
            return int(struct.unpack_from("<Q", entries, at + 16)[0])
    return None


def _items(window: Window, region: int) -> dict[bytes, bytes]:
    head = window.read(region, 32)
    count = struct.unpack_from("<H", head, 10)[0]
    if head[:8] != b"metadata" or count > MAX_ENTRIES:
        return {}
    entries = window.read(region + 32, count * 32)
    found: dict[bytes, bytes] = {}
    for at in range(0, len(entries), 32):
        offset = struct.unpack_from("<I", entries, at + 16)[0]
        found[entries[at : at + 16]] = window.read(region + offset, 8)
    return found
