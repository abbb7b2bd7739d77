"""QEMU's own formats: qcow2 is read carefully, qcow and QED are recognised in order to be refused.

Layout after QEMU's docs/interop/qcow2.txt. Whatever makes QEMU open a second file (backing file, external data file)
or that we do not know is refused before any program of QEMU sees the image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from integrations.images.inspect.window import Finding, Window

MAGIC = b"QFI\xfb"
QED_MAGIC = b"QED\0"
DIRTY, CORRUPT, DATA_FILE, COMPRESSION, EXTENDED_L2 = (1 << bit for bit in range(5))
HARMLESS = DIRTY | COMPRESSION | EXTENDED_L2
END, BACKING_FORMAT, DATA_FILE_NAME, ENCRYPTION = 0, 0xE2792ACA, 0x44415441, 0x0537BE77
MAX_L1_BYTES = 32 * 1024**2  # QEMU's own bound
MAX_REFCOUNT_TABLE_BYTES = 8 * 1024**2  # QEMU's own bound
MAX_SNAPSHOTS = 1024
MAX_EXTENSIONS = 64


def parse_qed(window: Window) -> Finding | None:
    """QED: superseded, and its header can name a backing file. Never accepted."""
    if window.read(0, 4) != QED_MAGIC:
        return None
    return Finding("qed", refusal="QED images are not supported")


def parse(window: Window) -> Finding | None:
    """qcow2 versions 2 and 3; version 1 is recognised and refused."""
    header = window.read(0, 112)
    if header[:4] != MAGIC:
        return None
    version, size = struct.unpack_from(">I", header, 4)[0], struct.unpack_from(">Q", header, 24)[0]
    if version not in (2, 3):
        return Finding("qcow2", refusal=f"qcow version {version} is not supported")
    refusal = next(_objections(window, header, version), None)
    return Finding("qcow2", size, refusal)


def _objections(window: Window, header: bytes, version: int) -> Iterator[str]:
    backing_offset, backing_size, cluster_bits, size, encryption, l1_entries = struct.unpack_from(">QIIQII", header, 8)
    l1_offset, refcounts_offset, refcount_clusters, snapshots, snapshots_offset = struct.unpack_from(
        ">QQIIQ", header, 40
    )
    if window.size < 72:
        yield "the qcow2 header is cut off"
    if backing_offset or backing_size:
        yield "it names a backing file"
    if encryption:
        yield "encrypted qcow2 is not supported"
    if not 9 <= cluster_bits <= 21:
        yield f"its cluster size of 2^{cluster_bits} bytes is impossible"
        return
    cluster = 1 << cluster_bits
    incompatible, header_length = 0, 72
    if version == 3:
        incompatible, _, _, refcount_order, header_length = struct.unpack_from(">QQQII", header, 72)
        yield from _version_3(header, incompatible, refcount_order, header_length, cluster, window.size)
    yield from _extensions(window, header_length, cluster)
    per_l1_entry = cluster * cluster // (16 if incompatible & EXTENDED_L2 else 8)
    if l1_entries * 8 > MAX_L1_BYTES or l1_entries < -(-size // per_l1_entry):
        yield "its L1 table does not fit its size"
    if refcount_clusters * cluster > MAX_REFCOUNT_TABLE_BYTES or not refcount_clusters:
        yield "its refcount table has an impossible size"
    if snapshots > MAX_SNAPSHOTS:
        yield "it holds too many internal snapshots"
    for name, offset in (("L1", l1_offset), ("refcount", refcounts_offset), ("snapshot", snapshots_offset)):
        needed = bool({"L1": l1_entries, "refcount": 1, "snapshot": snapshots}[name])
        if needed and (offset % cluster or not offset):
            yield f"its {name} table is misplaced"
        if needed and window.complete and offset >= window.size:
            yield f"its {name} table lies beyond the end of the file"


def _version_3(
    header: bytes, incompatible: int, refcount_order: int, header_length: int, cluster: int, file_size: int
) -> Iterator[str]:
    if incompatible & DATA_FILE:
        yield "its data is in an external file"
    if incompatible & CORRUPT:
        yield "it is marked as corrupt"
    if incompatible & ~(HARMLESS | DATA_FILE | CORRUPT):
        yield f"it needs unknown features ({incompatible:#x})"
    if incompatible & COMPRESSION and (header_length < 112 or header[104] > 1):
        yield "its compression type is unknown"
    if refcount_order > 6:
        yield "its refcount width is impossible"
    if not 104 <= header_length <= min(cluster, file_size) or header_length % 8:
        yield "its header length is impossible"


def _extensions(window: Window, start: int, cluster: int) -> Iterator[str]:
    """Header extensions stand one after the other between the header and the end of the first cluster."""
    offset = start
    for _ in range(MAX_EXTENSIONS):
        kind, length = struct.unpack(">II", window.read(offset, 8))
        if kind == END or offset + 8 > cluster:
            return
        if kind == BACKING_FORMAT:
            yield "it names the format of a backing file"
        if kind == DATA_FILE_NAME:
            yield "it names an external data file"
        if kind == ENCRYPTION:
            yield "encrypted qcow2 is not supported"
        if offset + 8 + length > cluster:
            yield "a header extension leaves the first cluster"
            return
        offset += 8 + (length + 7) // 8 * 8
    yield "it has too many header extensions"
