"""What a flavor's extra specs and an image's properties ask of a host: resource classes, traits, NUMA cells, devices.

Read as Nova and Placement read them. Pure: no database, no NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import os_resource_classes

from computecloud.conf import conf
from computecloud.core.errors import Invalid
from hosts.resource_classes import DISK_GB, MEMORY_MB, PCPU, VCPU, device_class
from scheduling.request import GuestCell

RESOURCE = re.compile(r"resources[a-zA-Z0-9_-]*:([A-Z0-9_]+)")
TRAIT = re.compile(r"trait[a-zA-Z0-9_-]*:([A-Z0-9_]+)")
ALIAS = "pci_passthrough:alias"
LARGE_KB = 2048  # what "large" pages are, here
UNITS_KB = {"": 1, "K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}
MOST_CELLS = 8


class BadPageSize(Invalid):
    message = "Page size {size} is not known, or the flavor does not let the image choose one."


class BadCells(Invalid):
    message = "The flavor's NUMA cells do not fit its processors and memory: {problem}."


class BadPolicy(Invalid):
    message = "CPU policy {policy} of the {owner} is not possible: {problem}."


class UnknownAlias(Invalid):
    message = "PCI alias {name} is not defined"


@dataclass(frozen=True, slots=True)
class Wishes:
    """``resources`` are positive amounts, without those of the host's cells that ``cells`` will take."""

    resources: dict[str, int]
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    cells: tuple[GuestCell, ...] = ()


def read(
    vcpus: int, ram_mb: int, disk_gb: int, specs: Mapping[str, str], image: Mapping[str, Any] | None = None
) -> Wishes:
    """The wishes of a server. Raises BadPageSize, BadCells, BadPolicy, UnknownAlias."""
    properties = image or {}
    figures = {VCPU: vcpus, MEMORY_MB: ram_mb, DISK_GB: disk_gb}
    if not specs and not properties:
        return Wishes({name: amount for name, amount in figures.items() if amount})
    pinned = _pinned(vcpus, specs, properties)
    if pinned:
        figures |= {VCPU: vcpus - len(pinned), PCPU: len(pinned)}
    resources = figures | _classes(specs) | _devices(specs)
    return Wishes(
        {name: amount for name, amount in resources.items() if amount},
        frozenset(_traits(specs, "required")) | frozenset(_traits(properties, "required")),
        frozenset(_traits(specs, "forbidden")),
        tuple(cell for _cpus, cell in _cells(vcpus, ram_mb, pinned, specs, properties)),
    )


# --- resource classes, traits, devices


def _classes(specs: Mapping[str, str]) -> dict[str, int]:
    """``resources:CLASS`` and those of numbered groups, added up: a host is one provider. Unreadable ones are left."""
    found: dict[str, int] = {}
    for key, text in specs.items():
        if (match := RESOURCE.fullmatch(key)) and _is_class(match[1]) and str(text).isdecimal():
            found[match[1]] = found.get(match[1], 0) + int(text)
    return found


def _is_class(name: str) -> bool:
    return name in os_resource_classes.STANDARDS or name.startswith("CUSTOM_")


def _traits(source: Mapping[str, Any], kind: str) -> Iterator[str]:
    for key, text in source.items():
        if text == kind and (match := TRAIT.fullmatch(key)):
            yield match[1]


def _devices(specs: Mapping[str, str]) -> dict[str, int]:
    """``pci_passthrough:alias`` = ``gpu:2, nic:1``: the resource class of each alias's device."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in specs.get(ALIAS, "").split(","))):
        name, _colon, count = part.partition(":")
        device = conf().pci_aliases.get(name.strip())
        if device is None or not count.strip().isdecimal():
            raise UnknownAlias(name=name[:80])
        kind = device_class(device.get("vendor_id", ""), device.get("product_id", ""))
        found[kind] = found.get(kind, 0) + int(count)
    return found


# --- processors of its own, NUMA cells, pages


def _pinned(vcpus: int, specs: Mapping[str, str], properties: Mapping[str, Any]) -> frozenset[int]:
    """Which of the guest's processors get one of the host's each. The flavor's word goes before the image's."""
    flavor, image = specs.get("hw:cpu_policy"), properties.get("hw_cpu_policy")
    if image == "dedicated" and flavor == "shared":
        raise BadPolicy(policy=image, owner="image", problem="the flavor says shared")
    policy = flavor or image or "shared"
    if policy == "shared":
        return frozenset()
    if policy == "dedicated":
        return frozenset(range(vcpus))
    if policy != "mixed":
        raise BadPolicy(policy=str(policy)[:40], owner="flavor", problem="it is one of dedicated, shared, mixed")
    mask = _cpu_set(specs.get("hw:cpu_dedicated_mask", ""), vcpus)
    if not mask or len(mask) == vcpus:
        raise BadPolicy(policy=policy, owner="flavor", problem="hw:cpu_dedicated_mask names some, not all")
    return mask


def _cpu_set(text: str, vcpus: int) -> frozenset[int]:
    """``0-3,^2`` as numbers below ``vcpus``; beginning with ``^`` it takes away from all. Raises BadCells."""
    taken: set[int] = set()
    left: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        match = re.fullmatch(r"(\^?)(\d{1,4})(?:-(\d{1,4}))?", part)
        if match is None:
            raise BadCells(problem=f"{text[:40]} is no set of processors")
        numbers = range(int(match[2]), int(match[3] or match[2]) + 1)
        (left if match[1] else taken).update(numbers)
    found = (taken or set(range(vcpus))) - left if text else set()
    if any(number >= vcpus for number in found):
        raise BadCells(problem=f"{text[:40]} is beyond the {vcpus} processors")
    return frozenset(found)


def guest_cells(
    vcpus: int, ram_mb: int, specs: Mapping[str, str], image: Mapping[str, Any] | None = None
) -> list[tuple[frozenset[int], GuestCell]]:
    """The cells of a server, each with the numbers of its processors. Raises what ``read`` does."""
    properties = image or {}
    return _cells(vcpus, ram_mb, _pinned(vcpus, specs, properties), specs, properties)


def _cells(
    vcpus: int, ram_mb: int, pinned: frozenset[int], specs: Mapping[str, str], properties: Mapping[str, Any]
) -> list[tuple[frozenset[int], GuestCell]]:
    """None unless something asks for them; one when only pinning or pages do."""
    page_kb, asks_pages = _page_size(specs, properties)
    nodes = str(specs.get("hw:numa_nodes") or properties.get("hw_numa_nodes") or "")
    if not nodes and not pinned and not asks_pages:
        return []
    count = int(nodes or 1) if (nodes or "1").isdecimal() else 0
    if not 1 <= count <= min(vcpus, MOST_CELLS):
        raise BadCells(problem=f"{count} cells of {vcpus} processors; at most {MOST_CELLS}")
    processors, memory = _shares(count, vcpus, ram_mb, specs, properties)
    cells = []
    for cpus, ram in zip(processors, memory, strict=True):
        own = len(cpus & pinned)
        cells.append((cpus, GuestCell(cpus=len(cpus) - own, pinned=own, ram_mb=ram, page_kb=page_kb)))
    return cells


def _shares(
    count: int, vcpus: int, ram_mb: int, specs: Mapping[str, str], properties: Mapping[str, Any]
) -> tuple[list[frozenset[int]], list[int]]:
    """Processors and memory of each cell: as written for each, or equal shares."""
    cpus = [specs.get(f"hw:numa_cpus.{n}") or properties.get(f"hw_numa_cpus.{n}") for n in range(count)]
    memory = [specs.get(f"hw:numa_mem.{n}") or properties.get(f"hw_numa_mem.{n}") for n in range(count)]
    if not any(cpus) and not any(memory):
        if vcpus % count or ram_mb % count:
            raise BadCells(problem=f"{vcpus} processors and {ram_mb} MB are not divided evenly by {count} cells")
        each = vcpus // count
        return [frozenset(range(n * each, (n + 1) * each)) for n in range(count)], [ram_mb // count] * count
    if not all(cpus) or not all(str(amount or "").isdecimal() for amount in memory):
        raise BadCells(problem=f"each of the {count} cells needs both processors and memory")
    sets, amounts = [_cpu_set(str(text), vcpus) for text in cpus], [int(str(amount)) for amount in memory]
    if sum(map(len, sets)) != vcpus or len(frozenset().union(*sets)) != vcpus or sum(amounts) != ram_mb:
        raise BadCells(problem=f"the cells do not add up to {vcpus} processors and {ram_mb} MB")
    return sets, amounts


def _page_size(specs: Mapping[str, str], properties: Mapping[str, Any]) -> tuple[int, bool]:
    """(page size in KB, 0 for the ordinary ones; whether one was asked for)."""
    flavor, image = specs.get("hw:mem_page_size", ""), str(properties.get("hw_mem_page_size", ""))
    if image and flavor not in ("large", "any"):
        raise BadPageSize(size=image[:20])
    wanted = image or flavor
    if wanted in ("", "small", "any"):
        return 0, bool(wanted)
    if wanted == "large":
        return LARGE_KB, True
    match = re.fullmatch(r"(\d{1,9})([KMGT]?)i?[bB]?", wanted)
    if match is None or not int(match[1]):
        raise BadPageSize(size=wanted[:20])
    size = int(match[1]) * UNITS_KB[match[2]]
    return (0 if size == UNITS_KB["K"] * 4 else size), True
