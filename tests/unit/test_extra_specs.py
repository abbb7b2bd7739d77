"""Flavor extra specs: what is known, what is refused, what is left to the site."""

from __future__ import annotations

import pytest

from instances.extra_specs import ExtraSpecInvalid, validate


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hw:cpu_policy", "dedicated"),
        ("hw:numa_nodes", "2"),
        ("hw:numa_cpus.0", "0-3,^2"),
        ("hw:mem_page_size", "1GB"),
        ("hw:boot_menu", "True"),
        ("quota:disk_read_iops_sec", "100"),
        ("trait:HW_CPU_X86_AVX2", "required"),
        ("trait_1:CUSTOM_GOLD", "forbidden"),
        ("resources:VGPU", "1"),
        ("resources_GRP:CUSTOM_THING", "3"),
        ("capabilities:vcpus", ">= 5"),
        ("capabilities:cpu_info:arch", "x86_64"),
        ("aggregate_instance_extra_specs:ssd", "true"),
        ("pci_passthrough:alias", "gpu:1, nic:2"),
        ("our-own-key", "anything"),
        ("site:own", "anything"),
    ],
)
def test_what_nova_accepts_is_accepted(key: str, value: str) -> None:
    validate(key, value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("hw:cpu_policy", "sometimes", "not one of: dedicated, shared, mixed"),
        ("hw:numa_nodes", "0", "less than the min value of '1'"),
        ("hw:numa_nodes", "many", "not a valid integer"),
        ("hw:redirected_usb_ports", "16", "greater than the max value of '15'"),
        ("hw:mem_page_size", "huge", "not of the format"),
        ("hw:boot_menu", "perhaps", "boolean"),
        ("hw:cpu_polic", "dedicated", "does not appear to be a valid extra spec"),
        ("trait:NO_SUCH_TRAIT", "required", "does not appear"),
        ("trait:HW_CPU_X86_AVX2", "maybe", "not one of"),
        ("resources:NOTHING", "1", "does not appear"),
        ("quota:cpu_share", "1", "does not appear"),
    ],
)
def test_what_nova_refuses_is_refused(key: str, value: str, words: str) -> None:
    with pytest.raises(ExtraSpecInvalid, match=words):
        validate(key, value)
