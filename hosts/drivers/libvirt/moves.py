"""Take a guest to another host: its disks travel flat, and the old host keeps its folder under the trip's name."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from computecloud.core.checksum import sha512_of
from hosts.drivers import names
from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import destroy, files, power, qcow2_header, qemu_img, spawn
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import CarriedDisk, GuestRef, GuestSpec, Step, Trip

MANIFEST = "carried.json"
_CARRIED = msgspec.json.Decoder(tuple[CarriedDisk, ...])


def leave_steps(host: LibvirtHost, spec: GuestSpec, trip: Trip, timeout_s: int) -> Sequence[Step]:
    """Nothing is taken back here: the way back is ``come_back_steps``, from wherever this ended."""
    return [
        *power.off(host, spec.ref, max(timeout_s, 1)),
        Step("pack_disks", partial(_pack, host, spec, trip)),
        Step("send_disks", partial(_send, host, spec, trip)),
        Step("undefine", partial(host.domains.undefine, spec.id)),
        Step("unplug_ports", partial(host.ports.unplug, spec.id)),
        Step("keep_disks", partial(_keep, host, spec, trip)),
    ]


def packed(host: LibvirtHost, guest_id: str, trip: Trip) -> tuple[CarriedDisk, ...]:
    """What was packed, as long as anything is kept for the trip. Raises Fatal."""
    for folder in (host.disks.kept_place(guest_id, trip.id), host.disks.folder(guest_id)):
        manifest = _copies(folder, trip) / MANIFEST
        if manifest.exists():
            return _CARRIED.decode(manifest.read_bytes())
    raise Fatal(f"nothing of {guest_id} was packed")


def arrive_steps(host: LibvirtHost, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
    """As a build, of the disks that came."""
    start = Step("start", partial(host.domains.start, spec.id))
    return [
        Step("receive_disks", partial(_receive, host, spec, trip)),
        Step("make_disks", partial(_make, host, spec, trip)),
        Step("config_drive", partial(spawn.make_config_drive, host, spec)),
        Step("plug_ports", partial(host.ports.plug, spec)),
        Step("define", partial(spawn.define, host, spec)),
        *([start] if starts else []),
    ]


def come_back_steps(host: LibvirtHost, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
    """From its old folder, wherever that is by now."""
    again = spawn.restart_steps(host, spec)
    return [
        Step("put_disks_back", partial(_put_back, host, spec, trip)),
        *(again if starts else again[:-1]),
        *forget_steps(host, spec.ref, trip),
    ]


def forget_steps(host: LibvirtHost, ref: GuestRef, trip: Trip) -> Sequence[Step]:
    return [Step("remove_remains", partial(_forget, host, ref.id, trip), tidies=True)]


def clear_steps(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    """As a destruction; what is kept for a trip stays."""
    return [*destroy.steps(host, ref)[:-1], Step("remove_disks", partial(host.disks.remove, ref.id))]


# --- on the old host


def _pack(host: LibvirtHost, spec: GuestSpec, trip: Trip) -> None:
    """Each disk as one flat file that needs no other. Swap holds nothing that lasts; a CD-ROM is its image."""
    copies = _copies(host.disks.folder(spec.id), trip)
    if host.disks.kept_place(spec.id, trip.id).exists() or (copies / MANIFEST).exists():
        return
    host.disks.require(spec)
    files.private_folder(copies)
    carried = []
    for target, record in host.disks.records(spec.id).items():
        if record.role in ("root", "ephemeral") and record.device == "disk":
            copy = copies / host.disks.path(spec.id, target).name
            source = host.disks.path(spec.id, target)
            with files.whole(copy, names.guest_id(trip.id)) as part:
                qemu_img.convert(source, record.format, part, "qcow2", timeout_s=host.options.copy_deadline_s)
            carried.append(CarriedDisk(target, record.role, sha512_of(copy), record.size_bytes))
    files.write(copies / MANIFEST, msgspec.json.encode(carried), names.guest_id(trip.id))


def _send(host: LibvirtHost, spec: GuestSpec, trip: Trip) -> None:
    if host.disks.kept_place(spec.id, trip.id).exists():
        return
    if host.images is None:
        raise Fatal("this host has nowhere to bring a disk to")
    for disk in packed(host, spec.id, trip):
        copy = _copies(host.disks.folder(spec.id), trip) / host.disks.path(spec.id, disk.target).name
        host.images.send_disk(trip.id, spec.operation_id, disk.target, copy)


def _keep(host: LibvirtHost, spec: GuestSpec, trip: Trip) -> None:
    """The folder has the trip's name; what was sent is there no more, but what was sent is still known."""
    folder, place = host.disks.folder(spec.id), host.disks.kept_place(spec.id, trip.id)
    if not place.exists():
        files.private_folder(place.parent)
        folder.rename(place)
        files.sync(place.parent)
        files.sync(folder.parent)
    for copy in _copies(place, trip).glob("disk-*"):
        copy.unlink()


def _put_back(host: LibvirtHost, spec: GuestSpec, trip: Trip) -> None:
    folder, place = host.disks.folder(spec.id), host.disks.kept_place(spec.id, trip.id)
    if place.exists():
        if folder.exists():
            raise Fatal(f"{spec.id} has disks here already")
        place.rename(folder)
        files.sync(folder.parent)
        files.sync(place.parent)
    if _copies(folder, trip).exists():
        shutil.rmtree(_copies(folder, trip))


def _forget(host: LibvirtHost, guest_id: str, trip: Trip) -> None:
    place = host.disks.kept_place(guest_id, trip.id)
    if place.exists():
        shutil.rmtree(place)


# --- on the new host


def _receive(host: LibvirtHost, spec: GuestSpec, trip: Trip) -> None:
    """Each file is what was sent, and opens no other (S01). Its format is recorded here, once."""
    if host.images is None:
        raise Fatal("this host has nowhere to fetch a disk from")
    files.private_folder(host.disks.folder(spec.id))
    for disk in trip.disks:
        if host.disks.has(spec.id, disk.target):
            continue
        _check_size(spec, disk)
        target = host.disks.path(spec.id, disk.target)
        with files.whole(target, names.guest_id(trip.id)) as part:
            host.images.fetch_disk(trip.id, spec.operation_id, disk.target, disk.sha512, part)
            if qcow2_header.read(part).virtual_bytes != disk.size_bytes:
                raise Fatal(f"disk {disk.target} came with another size than was told")
        host.disks.record_received(spec, disk)


def _check_size(spec: GuestSpec, disk: CarriedDisk) -> None:
    for wanted in spec.disks:
        if wanted.target == disk.target and 0 < wanted.size_gb * 2**30 < disk.size_bytes:
            raise Fatal("Unable to resize disk down.")


def _make(host: LibvirtHost, spec: GuestSpec, trip: Trip) -> None:
    """What came is as large as it is to be; what did not come is made."""
    came = {disk.target for disk in trip.disks}
    for disk in spec.disks:
        if disk.target in came:
            host.disks.grow(spec, disk)
    disks = tuple(replace(disk, image=None) if disk.target in came else disk for disk in spec.disks)
    host.disks.make(replace(spec, disks=disks), host.cache)


def _copies(folder: Path, trip: Trip) -> Path:
    return folder / f"move-{names.guest_id(trip.id)}"
