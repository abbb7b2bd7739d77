"""Enough virtual processors are left."""

from __future__ import annotations

from scheduling.filters.resource import ResourceFilter


class CoreFilter(ResourceFilter):
    """The host's free virtual processors, after its ratio, hold the flavor's."""

    resource_class = "VCPU"
    unit = "vCPU"
    word = "processors"
