"""Copy a guest's root disk into an image. The guest goes on: QEMU copies the disk as it was at the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hosts.drivers import names
from hosts.drivers.errors import Fatal, GuestNotFound
from hosts.drivers.libvirt import files, qemu_img
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestRef, Step


def steps(host: LibvirtHost, ref: GuestRef, image_id: str) -> Sequence[Step]:
    """The copy lies in the guest's own folder, named after the operation (S15), and leaves with it at the latest."""
    return [
        Step("copy_disk", partial(_copy, host, ref), partial(_remove, host, ref)),
        Step("upload_image", partial(_upload, host, ref, image_id)),
        Step("remove_copy", partial(_remove, host, ref), tidies=True),
    ]


def _copy(host: LibvirtHost, ref: GuestRef) -> None:
    """The whole disk, flat, in one file. A guest that runs or is paused is copied by QEMU, which owns its disk."""
    target = _place(host, ref)
    if target.exists():
        return
    disk = _root(host, ref)
    if host.domains.is_running(ref.id):
        part = target.with_name(f"{target.name}.part")
        host.domains.back_up(ref.id, disk, part)
        files.keep(part, target)
        return
    record = host.disks.records(ref.id)[disk]
    with files.whole(target, "copy") as part:
        source = host.disks.path(ref.id, disk)
        qemu_img.convert(source, record.format, part, "qcow2", timeout_s=host.options.copy_deadline_s)


def _upload(host: LibvirtHost, ref: GuestRef, image_id: str) -> None:
    host.cache.give(image_id, ref.operation_id, _place(host, ref))


def _remove(host: LibvirtHost, ref: GuestRef) -> None:
    target = _place(host, ref)
    target.with_name(f"{target.name}.part").unlink(missing_ok=True)
    target.unlink(missing_ok=True)


def _place(host: LibvirtHost, ref: GuestRef) -> Path:
    return host.disks.folder(ref.id) / f"snapshot-{names.guest_id(ref.operation_id)}"


def _root(host: LibvirtHost, ref: GuestRef) -> str:
    """The root disk's target. Raises GuestNotFound, and Fatal where there is nothing of the guest's own to copy."""
    records = host.disks.records(ref.id)
    if not records:
        raise GuestNotFound(f"no guest {ref.id} on this host")
    for target, record in records.items():
        if record.role == "root" and record.device == "disk":
            return target
    raise Fatal(f"guest {ref.id} has no root disk of its own")
