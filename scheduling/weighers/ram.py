"""Free memory."""

from __future__ import annotations

from scheduling.weighers.base import FreeResourceWeigher


class RAMWeigher(FreeResourceWeigher):
    """Prefers the host with the most free memory; a negative weight packs."""

    resource_class = "MEMORY_MB"
