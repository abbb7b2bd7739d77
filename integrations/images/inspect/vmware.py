"""VMDK. Its text descriptor can name any file of the host, so only the two self-contained kinds are ever accepted."""

from __future__ import annotations

import re
import struct

from integrations.images.inspect.window import Finding, Window

SECTOR = 512
SELF_CONTAINED = {"monolithicsparse", "streamoptimized"}
AT_THE_END = b"\xff" * 8  # the grain directory's place is told by a footer, which QEMU then reads as the header
MAX_DESCRIPTOR_SECTORS = 128
EXTENT = re.compile(r"^\s*(RW|RDONLY|NOACCESS)\s+\d+\s+(\S+)(?:\s+\"([^\"]*)\")?", re.MULTILINE | re.IGNORECASE)


def parse(window: Window) -> Finding | None:
    """A hosted sparse file (KDMV), an ESX sparse file (COWD), or a bare text descriptor."""
    head = window.read(0, 512)
    if head[:4] == b"COWD":
        return Finding("vmdk", refusal="this kind of VMDK is not supported")
    if head[:4] == b"KDMV":
        return _sparse(window, head)
    if _looks_like_descriptor(head):
        return Finding("vmdk", refusal="it is a descriptor that names other files")
    return None


def _looks_like_descriptor(head: bytes) -> bool:
    """QEMU takes a file for a descriptor when comments and blank lines lead to ``version=``; so do we, or sooner."""
    for line in head.replace(b"\r", b"\n").split(b"\n"):
        text = line.strip(b" \t\0").lower()
        if text.startswith((b"# disk descriptorfile", b"version=")):
            return True
        if text and not text.startswith(b"#"):
            return False
    return False


def _sparse(window: Window, head: bytes) -> Finding:
    capacity, _, descriptor_at, descriptor_sectors = struct.unpack_from("<QQQQ", head, 12)
    size = capacity * SECTOR
    if not descriptor_at or not 0 < descriptor_sectors <= MAX_DESCRIPTOR_SECTORS:
        return Finding("vmdk", size, "it has no descriptor of its own")
    if descriptor_at * SECTOR >= 64 * 1024:
        return Finding("vmdk", size, "its descriptor is misplaced")
    if head[56:64] == AT_THE_END and window.complete:
        footer = window.read(max(window.size - 2 * SECTOR, 0), SECTOR)
        if footer[:48] != head[:48]:
            return Finding("vmdk", size, "its footer contradicts its header")
    text = window.read(descriptor_at * SECTOR, descriptor_sectors * SECTOR).split(b"\0", 1)[0].decode("latin-1")
    return Finding("vmdk", size, _objection(text))


def _objection(descriptor: str) -> str | None:
    kind = re.findall(r"^\s*createType\s*=\s*\"?(\w+)", descriptor, re.MULTILINE | re.IGNORECASE)
    if len(kind) != 1 or kind[0].lower() not in SELF_CONTAINED:
        return f"VMDK of type {kind[0] if kind else 'unknown'} is not self-contained"
    if re.search(r"^\s*parentFileNameHint", descriptor, re.MULTILINE | re.IGNORECASE):
        return "it names a parent disk"
    extents = EXTENT.findall(descriptor)
    if len(extents) != 1 or extents[0][1].upper() != "SPARSE":
        return "its extents are not self-contained"
    if "/" in extents[0][2] or "\\" in extents[0][2]:
        return "its extent names a path"
    return None
