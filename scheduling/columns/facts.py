"""What a host reports of itself, as filters read it. One dict a host; new facts are added here."""

from __future__ import annotations

from typing import Any

from hosts.models import Host


def facts_of(host: Host) -> dict[str, Any]:
    """Facts change when an agent registers, seldom otherwise."""
    return {
        "arch": host.arch,
        "hypervisor_type": host.hypervisor_type,
        "hypervisor_version": host.hypervisor_version,
        "machine_types": host.machine_types,
        "supported": [tuple(one) for one in host.supported] or [(host.arch, host.hypervisor_type.lower(), "hvm")],
        "traits": frozenset(host.traits),
        "cpu_info": host.cpu_info,
        "host_ip": str(host.underlay_address or ""),
        "cells": host.numa_cells,
        "metrics": host.metrics,
        "failed_builds": host.failed_builds,
        "disk_free_gb": host.disk_free_gb,
        "running_vms": host.running_vms,
    }
