"""Which flavor extra specs are known, and what their values may look like (checked from microversion 2.86 on).

A key in a namespace that Nova knows must be a known key; other namespaces and plain keys are left to the site.
Source: https://docs.openstack.org/nova/latest/configuration/extra-specs.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

import os_resource_classes
import os_traits

from computecloud.core.errors import Invalid

BOOLEAN_WORDS = frozenset({"1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"})
GROUP = r"([a-zA-Z0-9_-]{1,64})?"
CPU_SET = r"\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*"

Check = Callable[[str], str | None]
"""Takes a value, returns what is wrong with it, or None."""


class ExtraSpecInvalid(Invalid):
    message = "Validation failed; {problem}."


def text(value: str) -> str | None:
    """Any value will do."""
    return None


def boolean(value: str) -> str | None:
    if value.strip().lower() in BOOLEAN_WORDS:
        return None
    return f"'{value}' is not a valid boolean-like value"


def number(lowest: int | None = None, highest: int | None = None) -> Check:
    """A whole number within bounds."""

    def check(value: str) -> str | None:
        try:
            found = int(value)
        except ValueError:
            return f"'{value}' is not a valid integer value"
        if highest is not None and found > highest:
            return f"'{value}' is greater than the max value of '{highest}'"
        if lowest is not None and found < lowest:
            return f"'{value}' is less than the min value of '{lowest}'"
        return None

    return check


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: str) -> str | None:
        return None if value in words else f"'{value}' is not one of: {', '.join(words)}"

    return check


def shaped(pattern: str) -> Check:
    """A text that matches the whole of a regular expression."""
    compiled = re.compile(pattern)

    def check(value: str) -> str | None:
        return None if compiled.fullmatch(value) else f"'{value}' is not of the format '{pattern}'"

    return check


def _quota_keys() -> Iterable[tuple[str, Check]]:
    for kind in ("cpu", "memory", "disk_io", "vif"):
        yield f"quota:{kind}_limit", number(0)
        yield f"quota:{kind}_reservation", number()
        yield f"quota:{kind}_shares_level", one_of("custom", "high", "normal", "low")
        yield f"quota:{kind}_shares_share", number(0)
    yield from (("quota:cpu_shares", number(0)), ("quota:cpu_period", number(0)), ("quota:cpu_quota", number()))
    for way in ("read", "write", "total"):
        for metric in ("bytes", "iops"):
            yield f"quota:disk_{way}_{metric}_sec", number(0)
    for way in ("inbound", "outbound"):
        for metric in ("average", "peak", "burst"):
            yield f"quota:vif_{way}_{metric}", number(0)


CAPABILITIES = [
    "id",
    "uuid",
    "service_id",
    "host",
    "vcpus",
    "memory_mb",
    "local_gb",
    "vcpus_used",
    "memory_mb_used",
    "local_gb_used",
    "hypervisor_type",
    "hypervisor_version",
    "hypervisor_hostname",
    "free_ram_mb",
    "free_disk_gb",
    "current_workload",
    "running_vms",
    "disk_available_least",
    "host_ip",
    "mapped",
    "cpu_allocation_ratio",
    "ram_allocation_ratio",
    "disk_allocation_ratio",
    "total_usable_ram_mb",
    "total_usable_disk_gb",
    "disk_mb_used",
    "free_disk_mb",
    "vcpus_total",
    "num_instances",
    "num_io_ops",
    "failed_builds",
    "aggregates",
    "cell_uuid",
    "updated",
]
NESTED_CAPABILITIES = [
    "cpu_info",
    "metrics",
    "stats",
    "numa_topology",
    "supported_hv_specs",
    "pci_device_pools",
    "nodename",
    "pci_stats",
    "supported_instances",
    "limits",
    "instances",
]

KNOWN: dict[str, Check] = {
    "hide_hypervisor_id": boolean,
    "group_policy": one_of("isolate", "none"),
    "accel:device_profile": text,
    "hw:cpu_realtime": boolean,
    "hw:cpu_realtime_mask": shaped(CPU_SET),
    "hw:hide_hypervisor_id": boolean,
    "hw:cpu_policy": one_of("dedicated", "shared", "mixed"),
    "hw:cpu_thread_policy": one_of("prefer", "isolate", "require"),
    "hw:emulator_threads_policy": one_of("isolate", "share"),
    "hw:cpu_dedicated_mask": shaped(CPU_SET),
    "hw:mem_page_size": shaped(r"(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)"),
    "hw:locked_memory": boolean,
    "hw:numa_nodes": number(1),
    "hw:pci_numa_affinity_policy": one_of("required", "preferred", "legacy", "socket"),
    "hw:cpu_sockets": number(1),
    "hw:cpu_cores": number(1),
    "hw:cpu_threads": number(1),
    "hw:cpu_max_sockets": number(1),
    "hw:cpu_max_cores": number(1),
    "hw:cpu_max_threads": number(1),
    "hw:boot_menu": boolean,
    "hw:vif_multiqueue_enabled": boolean,
    "hw:mem_encryption": boolean,
    "hw:mem_encryption_model": one_of("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx"),
    "hw:pmem": shaped("([a-zA-Z0-9_]+,?)+"),
    "hw:pmu": boolean,
    "hw:serial_port_count": number(0),
    "hw:tpm_model": one_of("tpm-tis", "tpm-crb"),
    "hw:tpm_version": one_of("1.2", "2.0"),
    "hw:tpm_secret_security": one_of("user", "host", "deployment"),
    "hw:watchdog_action": one_of("none", "pause", "poweroff", "reset", "disabled"),
    "hw:viommu_model": one_of("intel", "smmuv3", "virtio", "auto"),
    "hw:virtio_packed_ring": boolean,
    "hw:sound_model": one_of("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio"),
    "hw:usb_model": one_of("none", "nec-xhci", "qemu-xhci"),
    "hw:redirected_usb_ports": number(0, 15),
    "hw:ephemeral_encryption": boolean,
    "hw:ephemeral_encryption_format": one_of("plain", "luks", "luksv2"),
    "hw_rng:allowed": boolean,
    "hw_rng:rate_bytes": number(0),
    "hw_rng:rate_period": number(0),
    "hw_video:ram_max_mb": number(0),
    "os:secure_boot": one_of("disabled", "required"),
    "pci_passthrough:alias": shaped(r"[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*"),
    "vmware:hw_version": text,
    "vmware:storage_policy": text,
    **dict(_quota_keys()),
    **{f"capabilities:{name}": text for name in CAPABILITIES},
}

PATTERNS: tuple[tuple[re.Pattern[str], Check], ...] = (
    (re.compile(r"hw:numa_cpus\.\d+"), shaped(CPU_SET)),
    (re.compile(r"hw:numa_mem\.\d+"), number(1)),
    (re.compile(f"trait{GROUP}:CUSTOM_[A-Z0-9_]+"), one_of("required", "forbidden")),
    (re.compile(f"resources{GROUP}:CUSTOM_[A-Z0-9_]+"), number()),
    (re.compile(r"aggregate_instance_extra_specs:.+"), text),
    (re.compile(rf"capabilities:({'|'.join(NESTED_CAPABILITIES)})(:\w+)*"), text),
)
TRAIT = re.compile(f"trait{GROUP}:(?P<name>[A-Z0-9_]+)")
RESOURCE = re.compile(f"resources{GROUP}:(?P<name>[A-Z0-9_]+)")
NAMESPACES = re.compile(
    rf"accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|vmware"
    rf"|trait{GROUP}|resources{GROUP}"
)


@cache
def standard_traits() -> frozenset[str]:
    """The traits that Placement knows (package os-traits)."""
    return frozenset(os_traits.get_traits())


def _check_for(key: str) -> Check | None:
    if key in KNOWN:
        return KNOWN[key]
    for pattern, check in PATTERNS:
        if pattern.fullmatch(key):
            return check
    if (trait := TRAIT.fullmatch(key)) and trait["name"] in standard_traits():
        return one_of("required", "forbidden")
    if (resource := RESOURCE.fullmatch(key)) and resource["name"] in os_resource_classes.STANDARDS:
        return number()
    return None


def validate(key: str, value: str) -> None:
    """Check one extra spec.

    Raises:
        ExtraSpecInvalid: the value is wrong, or the key is unknown in a known namespace.
    """
    check = _check_for(key)
    if check is None:
        namespace, colon, _ = key.partition(":")
        if colon and NAMESPACES.fullmatch(namespace):
            raise ExtraSpecInvalid(problem=f"extra spec '{key}' does not appear to be a valid extra spec")
        return
    problem = check(value)
    if problem:
        raise ExtraSpecInvalid(problem=problem)
