"""Free virtual processors."""

from __future__ import annotations

from scheduling.weighers.base import FreeResourceWeigher


class CPUWeigher(FreeResourceWeigher):
    """Prefers the host with the most free virtual processors; a negative weight packs."""

    multiplier_key = "cpu_weight_multiplier"
    resource_class = "VCPU"
