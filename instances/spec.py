"""From rows to a GuestSpec: all that a host needs to make the guest, today and every time again."""

from __future__ import annotations

from typing import Any

from hosts.drivers.specs import ConfigDriveSpec, DiskSpec, FixedIpSpec, GuestSpec, ImageSpec, NetworkSpec, NicSpec
from hosts.models import Host
from instances import config_drive
from instances.models import Instance
from integrations.images import facade as images
from operations import sealed
from operations.models import Operation


def image_spec(image_id: str) -> ImageSpec | None:
    """An image as a host needs it; None for one that has no bytes, or is gone."""
    image = images.known(image_id) if image_id else None
    if image is None or image.sha512 is None:
        return None
    return ImageSpec(image.id, image.sha512, image.size or 0, image.disk_format or "raw")


def _target(number: int) -> str:
    return "vd" + "abcdefghijklmnopqrstuvwxyz"[number]


def _disks(instance: Instance) -> tuple[DiskSpec, ...]:
    """Root, ephemeral disks and swap, in the order of their targets."""
    disks = []
    image = image_spec(instance.image_id)
    if image is not None or instance.disk_gb:
        disks.append(DiskSpec("root", 0, _target(0), instance.disk_gb, image=image))
    if instance.ephemeral_gb:
        disks.append(DiskSpec("ephemeral", len(disks), _target(len(disks)), instance.ephemeral_gb))
    if instance.swap_mb:
        disks.append(DiskSpec("swap", len(disks), _target(len(disks)), 0, size_mb=instance.swap_mb))
    return tuple(disks)


def _nic(port: dict[str, Any], hostname: str) -> NicSpec:
    addresses = tuple(
        FixedIpSpec(
            ip["address"],
            ip["cidr"],
            ip.get("gateway"),
            tuple(ip.get("dns") or ()),
            tuple((route[0], route[1]) for route in ip.get("routes") or ()),
        )
        for ip in port["fixed_ips"]
    )
    network = NetworkSpec(
        id=port["network_id"],
        name=port["network_name"],
        segment=port["segment"],
        mtu=port["mtu"],
        cidrs=tuple(dict.fromkeys(ip["cidr"] for ip in port["fixed_ips"])),
        dhcp_address=port.get("dhcp_address"),
    )
    return NicSpec(
        port["port_id"],
        port["mac"],
        network,
        addresses,
        hostname,
        dhcp=bool(port.get("dhcp_address")),
        tag=port.get("tag"),
    )


def underlay_peers(host_id: str) -> tuple[str, ...]:
    """Addresses of all other hosts on the hosts' own network."""
    others = Host.objects.alive().exclude(id=host_id).filter(underlay_address__isnull=False)
    return tuple(str(address) for address in others.values_list("underlay_address", flat=True))


def guest_spec(instance: Instance, operation: Operation) -> GuestSpec:
    """The spec under the operation's epoch. Secrets are unsealed here, for the host's eyes only."""
    drive = None
    if instance.config_drive:
        password = sealed.unseal(operation.sealed).get("admin_password")
        drive = ConfigDriveSpec(config_drive.files(instance, password))
    nics = tuple(_nic(port, instance.hostname) for port in instance.network_info)
    return GuestSpec(
        id=instance.id,
        name=instance.name,
        project_id=instance.project_id,
        epoch=operation.epoch,
        operation_id=operation.id,
        vcpus=instance.vcpus,
        ram_mb=instance.ram_mb,
        disks=_disks(instance),
        nics=nics,
        config_drive=drive,
        extra_specs=instance.extra_specs,
        image_properties=instance.image_properties,
        peers=underlay_peers(instance.host_id or "") if nics else (),
        host_id=operation.host_id or "",
    )
