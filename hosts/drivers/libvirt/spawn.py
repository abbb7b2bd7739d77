"""Make a guest and start it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hosts.drivers.errors import GuestNotFound
from hosts.drivers.libvirt import config_drive, domain_xml, files
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestSpec, Step


def steps(host: LibvirtHost, spec: GuestSpec) -> Sequence[Step]:
    """The build; each step's undo takes back what it made."""
    return [
        Step("fetch_images", partial(fetch_images, host, spec)),
        Step("make_disks", partial(make_disks, host, spec), partial(host.disks.remove, spec.id)),
        Step("config_drive", partial(make_config_drive, host, spec), partial(_remove_config_drive, host, spec)),
        Step("plug_ports", partial(host.ports.plug, spec), partial(host.ports.unplug, spec.id)),
        Step("define", partial(define, host, spec), partial(host.domains.undefine, spec.id)),
        Step("start", partial(host.domains.start, spec.id), partial(host.domains.stop, spec.id)),
    ]


def restart_steps(host: LibvirtHost, spec: GuestSpec) -> list[Step]:
    """Start a guest that exists: its disks must be there, everything else is made anew from ``spec``."""
    return [
        Step("check_disks", partial(check_disks, host, spec)),
        Step("plug_ports", partial(host.ports.plug, spec)),
        Step("define", partial(define, host, spec)),
        Step("start", partial(host.domains.start, spec.id)),
    ]


def fetch_images(host: LibvirtHost, spec: GuestSpec) -> None:
    """The images of all disks are in the cache."""
    for disk in spec.disks:
        if disk.image is not None:
            host.cache.ensure(disk.image)


def make_disks(host: LibvirtHost, spec: GuestSpec) -> None:
    """The guest has its folder and its disks."""
    host.disks.make(spec, host.cache)


def make_config_drive(host: LibvirtHost, spec: GuestSpec, target: Path | None = None) -> None:
    """The guest's config drive is there if it has one; one that is there stays as it is."""
    target = target or host.config_drive(spec.id)
    if spec.config_drive is not None and not target.exists():
        files.private_folder(target.parent)
        config_drive.write(target, spec.config_drive.files, spec.operation_id or "none")


def check_disks(host: LibvirtHost, spec: GuestSpec) -> None:
    """All disks are here. A lost one is never made again from its image; a lost image may be fetched again.

    Raises GuestNotFound when there is nothing of the guest at all, Fatal when a disk is missing.
    """
    if not host.disks.folder(spec.id).is_dir() and not host.domains.exists(spec.id):
        raise GuestNotFound(f"no guest {spec.id} on this host")
    host.disks.require(spec)
    records = host.disks.records(spec.id)
    for disk in spec.disks:  # what was shelved or copied stands on another image than the one it was once made of
        if disk.image is not None and records[disk.target].base == disk.image.sha512:
            host.cache.ensure(disk.image)
    make_config_drive(host, spec)


def define(host: LibvirtHost, spec: GuestSpec) -> None:
    """libvirt knows the guest as ``spec`` says."""
    drive = host.rescue_drive(spec.id) if spec.rescue else host.config_drive(spec.id)
    wiring = domain_xml.Wiring(
        disks=host.disks.sources(spec, host.cache),
        boots_from="rescue" if spec.rescue else "",
        taps=host.ports.taps(spec.id),
        console_log=host.console_log(spec.id),
        config_drive=drive if spec.config_drive is not None or drive.exists() else None,
    )
    host.domains.define(spec.id, domain_xml.build(spec, wiring, host.platform), spec.epoch)


def _remove_config_drive(host: LibvirtHost, spec: GuestSpec) -> None:
    host.config_drive(spec.id).unlink(missing_ok=True)
