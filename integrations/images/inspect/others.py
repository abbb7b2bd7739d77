"""VDI, ISO 9660 and UDF, partition tables (which are raw disks), and formats known only in order to be refused."""

from __future__ import annotations

import struct

from integrations.images.inspect.window import Finding, Window

VDI_SIGNATURE = 0xBEDA107F
VDI_DYNAMIC, VDI_STATIC = 1, 2
ISO_DESCRIPTORS = (0x8000, 0x8800, 0x9000)
ISO_MARKS = (b"CD001", b"NSR02", b"NSR03", b"BEA01")
FOREIGN = {
    "luks": (b"LUKS\xba\xbe",),
    "parallels": (b"WithoutFreeSpace", b"WithouFreSpacExt"),
    "bochs": (b"Bochs Virtual HD Image",),
    "cloop": (b"#!/bin/sh\n#V2.0 Format\n",),
}


def parse_vdi(window: Window) -> Finding | None:
    """VirtualBox. Undo and differencing kinds refer to another disk."""
    head = window.read(0, 512)
    if struct.unpack_from("<I", head, 0x40)[0] != VDI_SIGNATURE:
        return None
    kind, size = struct.unpack_from("<I", head, 0x4C)[0], struct.unpack_from("<Q", head, 0x170)[0]
    refusal = None if kind in (VDI_DYNAMIC, VDI_STATIC) else f"VDI of type {kind} is not self-contained"
    return Finding("vdi", size, refusal)


def parse_iso(window: Window) -> Finding | None:
    """An optical disc: its descriptors start at 32 KiB."""
    if any(window.read(at + 1, 5) in ISO_MARKS for at in ISO_DESCRIPTORS):
        return Finding("iso", window.size if window.complete else None)
    return None


def parse_gpt(window: Window) -> Finding | None:
    """A partition table: an MBR with at least one sane entry, or a GUID table at either sector size."""
    head = window.read(0, 512)
    guid_table = window.read(512, 8) == b"EFI PART" or window.read(4096, 8) == b"EFI PART"
    if guid_table or (head[510:] == b"\x55\xaa" and _sane_partitions(head[446:510])):
        return Finding("gpt", window.size if window.complete else None)
    return None


def _sane_partitions(table: bytes) -> bool:
    entries = [table[at : at + 16] for at in range(0, 64, 16)]
    if any(entry[0] not in (0x00, 0x80) for entry in entries):
        return False
    return any(entry[4] and struct.unpack_from("<I", entry, 12)[0] for entry in entries)


def parse_foreign(window: Window) -> Finding | None:
    """Formats that QEMU would open when it guesses, and that nobody needs here."""
    head = window.read(0, 64)
    for name, marks in FOREIGN.items():
        if head.startswith(marks):
            return Finding(name, refusal=f"{name} content is not supported")
    return None
