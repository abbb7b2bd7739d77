"""Free virtual processors."""

from __future__ import annotations

from scheduling.weighers.base import FreeResourceWeigher


class CPUWeigher(FreeResourceWeigher):
    """Prefers the host with the most free virtual processors; a negative weight packs."""

    resource_class = "VCPU"
