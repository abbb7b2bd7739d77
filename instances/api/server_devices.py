"""Block devices of ``POST /servers``: a root disk from the image, and local disks that the flavor has room for.

Volumes are refused in words until block storage exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computecloud.core.errors import Invalid
from instances.actions.create import FlavorSnapshot

Device = dict[str, Any]
BUSES = frozenset({"fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml"})
NO_VOLUMES = (
    "Block Device Mapping is Invalid: this cloud has no block storage yet; "
    "servers boot from an image onto a local disk."
)


class InvalidDevice(Invalid):
    message = "Block Device Mapping is Invalid: {reason}"


def local_devices(server: Mapping[str, Any], flavor: FlavorSnapshot) -> list[Device]:
    """What the client said of its local disks; [] for one that said nothing. Raises Invalid.

    Each has ``role`` (root, ephemeral, swap), ``size`` (GB; MB for swap; null: the flavor's), ``disk_bus``, ``tag``.
    """
    old, new = server.get("block_device_mapping"), server.get("block_device_mapping_v2")
    if old and new:
        raise Invalid("Using different block_device_mapping syntaxes is not allowed in the same request.")
    if old:
        raise Invalid(NO_VOLUMES)
    devices = [_device(one, server.get("imageRef")) for one in new or () if not _is_nothing(one)]
    if devices or not server.get("imageRef"):
        _check_roots(devices, server.get("imageRef"))
    _check_sizes(devices, flavor)
    return devices


def _is_nothing(one: Mapping[str, Any]) -> bool:
    """``no_device`` takes away a device that the image would bring."""
    word = one.get("no_device")
    return bool(word) and word not in ("false", "False", "0")


def _device(one: Mapping[str, Any], image_id: str | None) -> Device:
    source = one.get("source_type")
    if source in ("volume", "snapshot") or one.get("destination_type") == "volume":
        raise Invalid(NO_VOLUMES)
    if one.get("volume_id") or one.get("snapshot_id"):
        raise Invalid(NO_VOLUMES)
    if source is None:
        raise InvalidDevice(reason="Some required fields are missing")
    if one.get("volume_type"):
        raise InvalidDevice(reason="Specifying a volume_type with destination_type=local is not supported.")
    if (bus := one.get("disk_bus")) and bus not in BUSES:
        raise InvalidDevice(reason=f"Device bus {bus[:60]} is not supported.")
    boot_index = -1 if one.get("boot_index") is None else int(one["boot_index"])
    found: Device = {"boot_index": boot_index, "disk_bus": one.get("disk_bus"), "tag": one.get("tag")}
    if source == "image":
        return found | _root(one, image_id, boot_index)
    return found | _blank(one)


def _root(one: Mapping[str, Any], image_id: str | None, boot_index: int) -> Device:
    if not one.get("uuid"):
        raise InvalidDevice(reason="Missing device UUID.")
    if not image_id or boot_index != 0:
        raise InvalidDevice(reason="Mapping image to local is not supported.")
    if one["uuid"].replace("-", "").lower() != image_id.replace("-", "").lower():
        raise InvalidDevice(reason=f"the root device's image {one['uuid']} is not the server's image.")
    return {"role": "root", "size": None}


def _blank(one: Mapping[str, Any]) -> Device:
    if one.get("uuid"):
        raise InvalidDevice(reason="Invalid device UUID.")
    size = int(one["volume_size"]) if "volume_size" in one else None
    return {"role": "swap" if one.get("guest_format") == "swap" else "ephemeral", "size": size}


def _check_roots(devices: list[Device], image_id: str | None) -> None:
    """Boot indexes count up from 0; the image's disk is 0 whether it is written down or not."""
    indexes = sorted(device["boot_index"] for device in devices if device["boot_index"] >= 0)
    if image_id and not any(device["role"] == "root" for device in devices):
        indexes = sorted([0, *indexes])
    if not indexes or indexes != list(range(len(indexes))):
        raise InvalidDevice(
            reason="Boot sequence for the instance and image/block device mapping combination is not valid."
        )


def _check_sizes(devices: list[Device], flavor: FlavorSnapshot) -> None:
    ephemeral = sum(device["size"] or flavor.ephemeral_gb for device in devices if device["role"] == "ephemeral")
    if ephemeral > flavor.ephemeral_gb:
        raise Invalid("Ephemeral disks requested are larger than the instance type allows.")
    swaps = [device["size"] or 0 for device in devices if device["role"] == "swap"]
    if len(swaps) > 1:
        raise InvalidDevice(reason="More than one swap drive requested.")
    if swaps and swaps[0] > flavor.swap_mb:
        raise Invalid("Swap drive requested is larger than instance type allows.")
