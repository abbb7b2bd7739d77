"""Free memory."""

from __future__ import annotations

from scheduling.weighers.base import FreeResourceWeigher


class RAMWeigher(FreeResourceWeigher):
    """Prefers the host with the most free memory; a negative weight packs."""

    multiplier_key = "ram_weight_multiplier"
    resource_class = "MEMORY_MB"
