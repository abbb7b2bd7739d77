"""The smallest true qcow2: a disk of zeros. What a simulated guest's root disk holds."""

from __future__ import annotations

import struct

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
PER_L1_ENTRY = CLUSTER * CLUSTER // 8  # bytes of disk that one table of the second level maps


def empty(size_bytes: int) -> bytes:
    """A version 3 image: header, refcount table, one refcount block, an empty L1 table (docs/interop/qcow2.txt)."""
    l1_entries = max(1, -(-size_bytes // PER_L1_ENTRY))
    l1_clusters = -(-l1_entries * 8 // CLUSTER)
    header = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQQIIQQQQII",
        3, 0, 0, CLUSTER_BITS, size_bytes, 0, l1_entries, 3 * CLUSTER, CLUSTER, 1, 0, 0, 0, 0, 0, 4, 104,
    )  # fmt: skip
    refcount_table = struct.pack(">Q", 2 * CLUSTER)
    refcount_block = struct.pack(">H", 1) * (3 + l1_clusters)
    parts = (header, refcount_table, refcount_block)
    return b"".join(part.ljust(CLUSTER, b"\0") for part in parts) + bytes(l1_clusters * CLUSTER)
