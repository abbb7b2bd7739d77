"""Free disk."""

from __future__ import annotations

from scheduling.weighers.base import FreeResourceWeigher


class DiskWeigher(FreeResourceWeigher):
    """Prefers the host with the most free disk; a negative weight packs."""

    multiplier_key = "disk_weight_multiplier"
    resource_class = "DISK_GB"
