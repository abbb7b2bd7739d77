"""What each filter means, for one host in plain words. The vectorised ones are held against these.

``host`` is what ``host_view`` makes of a row. A filter without a definition here fails the test.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

from computecloud.conf import conf
from scheduling.request import PlacementRequest

Host = Mapping[str, Any]
Meaning = Callable[[Host, PlacementRequest], bool]


def has(host: Host, request: PlacementRequest, *names: str) -> bool:
    return all(
        host["free"].get(name, 0) >= request.resources[name] <= host["total"].get(name, 0)
        for name in names
        if name in request.resources
    )


def words_of(host: Host, key: str) -> set[str]:
    """Every value that the host's aggregates have for a key."""
    return {word.strip() for metadata in host["aggregates"] if key in metadata for word in metadata[key].split(",")}


def least(host: Host, key: str, default: float) -> float:
    found = [float(word) for word in words_of(host, key) if re.fullmatch(r"-?\d+(\.\d+)?", word)]
    return min(found, default=default)


def matches(value: Any, wanted: str) -> bool:
    """Nova's operators, told once more."""
    if value is None:
        return False
    operator, _, rest = wanted.partition(" ")
    text = str(value)
    if not rest and re.fullmatch(r"s?[<>=!]{1,2}|<(in|all-in|or)>", operator):
        return False  # nothing to compare with
    if operator == "<or>":
        return text in [word.strip() for word in rest.split("<or>")]
    if operator == "<in>":
        return rest in value if isinstance(value, list) else rest in text
    if operator == "<all-in>":
        return all(word in value if isinstance(value, list) else word in text for word in rest.split())
    if operator in ("=", "==", "!=", ">=", "<="):
        try:
            have, want = float(text), float(rest)
        except ValueError:
            return False
        return {"=": have >= want, "==": have == want, "!=": have != want, ">=": have >= want, "<=": have <= want}[
            operator
        ]
    if operator in ("s==", "s!=", "s<", "s<=", "s>", "s>="):
        return {
            "s==": text == rest, "s!=": text != rest, "s<": text < rest,
            "s<=": text <= rest, "s>": text > rest, "s>=": text >= rest,
        }[operator]  # fmt: skip
    return text == wanted


def capability(host: Host, path: list[str]) -> Any:
    known = {
        "free_ram_mb": host["total"]["MEMORY_MB"] - host["used"]["MEMORY_MB"],
        "num_instances": host["servers"],
        "num_io_ops": host["io_ops"],
        "hypervisor_hostname": host["name"],
    }
    value = known.get(path[0], host.get(path[0]))
    for key in path[1:]:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def compute(host: Host, request: PlacementRequest) -> bool:
    named = request.forced_host in (None, host["name"])
    return host["up"] and host["enabled"] and host["id"] not in request.excluded_host_ids and named


def capabilities(host: Host, request: PlacementRequest) -> bool:
    wanted = {key.removeprefix("capabilities:"): text for key, text in request.extra_specs.items()
              if ":" not in key or key.startswith("capabilities:")}  # fmt: skip
    return all(matches(capability(host, key.split(":")), text) for key, text in wanted.items())


def image(host: Host, request: PlacementRequest) -> bool:
    properties = request.image_properties
    arch = {"amd64": "x86_64"}.get(properties.get("hw_architecture", ""), properties.get("hw_architecture"))
    guests = [
        guest
        for guest in host["supported"]
        if arch in (None, guest[0])
        and properties.get("img_hv_type", guest[1]).lower() == guest[1]
        and properties.get("hw_vm_mode", guest[2]) == guest[2]
    ]
    machine = properties.get("hw_machine_type")
    version = properties.get("img_hv_requested_version")
    new_enough = version is None or (version == ">=7.0" and host["hypervisor_version"] >= 7_000_000)
    return bool(guests) and new_enough and (machine is None or machine in host["machine_types"])


def aggregate_specs(host: Host, request: PlacementRequest) -> bool:
    scope = "aggregate_instance_extra_specs:"
    wanted = {key.removeprefix(scope): text for key, text in request.extra_specs.items()
              if ":" not in key or key.startswith(scope)}  # fmt: skip
    return all(any(matches(word, text) for word in words_of(host, key)) for key, text in wanted.items())


def aggregate_image(host: Host, request: PlacementRequest) -> bool:
    return all(
        not words_of(host, key) or value in words_of(host, key) for key, value in request.image_properties.items()
    )


def tenants(host: Host, request: PlacementRequest) -> bool:
    keys = {key for metadata in host["aggregates"] for key in metadata if key.startswith("filter_tenant_id")}
    return not keys or any(request.project_id in words_of(host, key) for key in keys)


def query(host: Host, request: PlacementRequest) -> bool:
    asked = request.hints.get("query")
    return not asked or holds(host, json.loads(asked))


def holds(host: Host, term: Any) -> Any:
    if isinstance(term, str) and term.startswith("$"):
        return capability(host, term[1:].split("."))
    if not isinstance(term, list):
        return term
    name, *values = term
    found = [value for value in (holds(host, one) for one in values) if value is not None]
    if name == "and":
        return all(found)
    if name == "or":
        return any(found)
    if name == "not":
        return not all(found)
    if len(found) < 2:
        return False
    first, *others = found
    if name == "in":
        return first in others
    try:
        return all(
            {"=": first == one, "<": first < one, ">": first > one, "<=": first <= one, ">=": first >= one}[name]
            for one in others
        )
    except TypeError:
        return False


def cells(host: Host, request: PlacementRequest) -> bool:
    """Some way to give each of the guest's cells one of the host's."""

    def fits(number: int, cell: Any) -> bool:
        wanted = {"VCPU": cell.cpus, "PCPU": cell.pinned}
        wanted[f"PAGES_{cell.page_kb}KB" if cell.page_kb else "MEMORY_MB"] = cell.pages or cell.ram_mb
        return all(host["free"].get(f"CUSTOM_NUMA{number}_{kind}", 0) >= n for kind, n in wanted.items() if n)

    return any(
        all(fits(number, cell) for number, cell in zip(chosen, request.cells, strict=True))
        for chosen in permutations(range(3), len(request.cells))
    )


def near(host: Host, request: PlacementRequest) -> bool:
    address = request.hints.get("build_near_host_ip")
    if not address:
        return True
    network = ipaddress.ip_network(f"{address}{request.hints.get('cidr', '/24')}", strict=False)
    return host["host_ip"] != "" and ipaddress.ip_address(host["host_ip"]) in network


def anti_affinity(host: Host, request: PlacementRequest) -> bool:
    group = request.group
    return group is None or group.policy != "anti-affinity" or group.members.get(host["id"], 0) < group.max_per_host


def affinity(host: Host, request: PlacementRequest) -> bool:
    group = request.group
    return group is None or group.policy != "affinity" or not group.members or host["id"] in group.members


def isolated(host: Host, request: PlacementRequest) -> bool:
    special = request.image_id in conf().isolated_images
    return special == (host["name"] in conf().isolated_hosts)


def others(request: PlacementRequest) -> list[str]:
    plain = ("VCPU", "MEMORY_MB", "DISK_GB")
    return [name for name in request.resources if name not in plain and not name.startswith("CUSTOM_PCI_")]


MEANINGS: dict[str, Meaning] = {
    "AllHostsFilter": lambda host, request: True,
    "ComputeFilter": compute,
    "AvailabilityZoneFilter": lambda host, request: request.availability_zone in (None, host["zone"]),
    "RamFilter": lambda host, request: has(host, request, "MEMORY_MB"),
    "DiskFilter": lambda host, request: has(host, request, "DISK_GB"),
    "CoreFilter": lambda host, request: has(host, request, "VCPU"),
    "AggregateRamFilter": lambda host, request: has(host, request, "MEMORY_MB"),
    "AggregateDiskFilter": lambda host, request: has(host, request, "DISK_GB"),
    "AggregateCoreFilter": lambda host, request: has(host, request, "VCPU"),
    "ResourceClassFilter": lambda host, request: has(host, request, *others(request)),
    "PciPassthroughFilter": lambda host, request: has(host, request, "CUSTOM_PCI_10DE_1DB4"),
    "TraitsFilter": lambda host, request: request.required_traits <= host["traits"]
    and not request.forbidden_traits & host["traits"],
    "ImagePropertiesFilter": image,
    "ComputeCapabilitiesFilter": capabilities,
    "ServerGroupAntiAffinityFilter": anti_affinity,
    "ServerGroupAffinityFilter": affinity,
    "SameHostFilter": lambda host, request: request.same_host_ids is None or host["id"] in request.same_host_ids,
    "DifferentHostFilter": lambda host, request: host["id"] not in request.different_host_ids,
    "NUMATopologyFilter": cells,
    "AggregateImagePropertiesIsolation": aggregate_image,
    "AggregateInstanceExtraSpecsFilter": aggregate_specs,
    "AggregateMultiTenancyIsolation": tenants,
    "AggregateTypeAffinityFilter": lambda host, request: not words_of(host, "instance_type")
    or request.flavor_name in words_of(host, "instance_type"),
    "IoOpsFilter": lambda host, request: host["io_ops"] < 8,
    "AggregateIoOpsFilter": lambda host, request: host["io_ops"] < least(host, "max_io_ops_per_host", 8),
    "NumInstancesFilter": lambda host, request: host["servers"] < 50,
    "AggregateNumInstancesFilter": lambda host, request: host["servers"] < least(host, "max_instances_per_host", 50),
    "IsolatedHostsFilter": isolated,
    "JsonFilter": query,
    "MetricsFilter": lambda host, request: "cpu.percent" in host["metrics"],
    "SimpleCIDRAffinityFilter": near,
}
