"""A guest's folder on this host: its local disks, with their formats recorded once and never probed (S04).

``<state>/instances/<guest>/`` holds ``disks.json`` (written before the first disk), ``disk-<target>`` files, the config
drive, ``ports.json`` and the console log. Folders are 0700 and files 0600 (S15).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from computecloud.core.command import CommandFailed, run
from hosts.drivers import names
from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import files, kept_disks, qemu_img
from hosts.drivers.libvirt.image_cache import ImageCache, virtual_bytes
from hosts.drivers.quarantine import Quarantine
from hosts.drivers.specs import CarriedDisk, DiskSpec, GuestSpec, ImageSpec

LAZY = "nodiscard,lazy_itable_init=1,lazy_journal_init=1"  # a fresh file is zeros already: 0.7 MB instead of 33


class DiskRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a disk is, for the whole of its life."""

    format: Literal["raw", "qcow2"]
    size_bytes: int
    role: str = "root"
    device: Literal["disk", "cdrom"] = "disk"
    base: str = ""  # sha512 of the image it stands on
    base_format: Literal["raw", "qcow2"] = "raw"


_RECORDS = msgspec.json.Decoder(dict[str, DiskRecord])


class DiskSource(msgspec.Struct, frozen=True):
    """A disk as the domain XML names it: the file, its format, and what lies below."""

    target: str
    path: Path
    record: DiskRecord
    base: Path | None = None
    bus: str = "virtio"
    dev: str = ""  # its name in the guest, where that is not ``target``


class Disks:
    """The guests' folders of one host."""

    def __init__(self, folder: Path, *, ephemeral_format: str = "ext4", quarantine: Quarantine | None = None) -> None:
        self._folder = folder
        self._kept = folder.parent / "moves"
        self._quarantine = quarantine
        self._ephemeral_format = ephemeral_format

    def folder(self, guest_id: str) -> Path:
        return self._folder / names.guest_id(guest_id)

    def path(self, guest_id: str, target: str) -> Path:
        return self.folder(guest_id) / f"disk-{names.disk_target(target)}"

    def guests(self) -> list[str]:
        """Ids of all guests that have a folder."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    def kept_place(self, guest_id: str, trip_id: str) -> Path:
        """Where the folder of a guest that left for another host is kept."""
        return self._kept / f"{names.guest_id(guest_id)}~{names.guest_id(trip_id)}"

    def kept_places(self, guest_id: str = "*") -> list[Path]:
        """Folders of guests, or of one, that left for other hosts."""
        return sorted(self._kept.glob(f"{guest_id}~*"))

    def records(self, guest_id: str) -> dict[str, DiskRecord]:
        """Target -> record; empty for a guest without disks."""
        return _records(self.folder(guest_id))

    def bases(self) -> frozenset[str]:
        """Checksums of all images that any guest's disk stands on, in quarantine too."""
        folders = [self.folder(guest_id) for guest_id in self.guests()]
        folders += [place for folder in folders for place in folder.glob("before-*")]
        folders += self.kept_places()
        if self._quarantine is not None:
            folders += [folder for place in self._quarantine.held() for folder in place.iterdir()]
        records = (record for folder in folders for record in _records(folder).values())
        return frozenset(record.base for record in records if record.base)

    def used_bytes(self) -> int:
        """What all guests' files take on the disk now."""
        return sum(
            entry.stat(follow_symlinks=False).st_blocks * 512
            for guest_id in self.guests()
            for entry in os.scandir(self.folder(guest_id))
        )

    def make(self, spec: GuestSpec, cache: ImageCache) -> None:
        """Every disk of ``spec`` is there. A disk that is there already is never made again."""
        files.private_folder(self.folder(spec.id))
        records = self.records(spec.id)
        planned = {disk.target: records.get(disk.target) or _plan(disk, cache) for disk in spec.disks}
        if planned.keys() - records.keys():
            self._write(spec, records | planned)
        for disk in spec.disks:
            self._make(spec, disk, planned[disk.target], cache)

    def has(self, guest_id: str, target: str) -> bool:
        """Whether the disk has its record and its file."""
        return self._is_here(guest_id, target, self.records(guest_id))

    def record_received(self, spec: GuestSpec, disk: CarriedDisk) -> None:
        """A disk that came from another host: flat, whatever it was there."""
        record = DiskRecord("qcow2", disk.size_bytes, disk.role)
        self._write(spec, self.records(spec.id) | {disk.target: record})

    def grow(self, spec: GuestSpec, disk: DiskSpec) -> None:
        """A disk that is there is as large as it is to be; it never shrinks."""
        records, wanted = self.records(spec.id), disk.size_gb * 2**30
        record = records[disk.target]
        if wanted > record.size_bytes:
            qemu_img.grow(self.path(spec.id, disk.target), record.format, wanted)
            self._write(spec, records | {disk.target: msgspec.structs.replace(record, size_bytes=wanted)})

    def _write(self, spec: GuestSpec, records: dict[str, DiskRecord]) -> None:
        files.write(self.folder(spec.id) / "disks.json", msgspec.json.encode(records), _mark(spec))

    def require(self, spec: GuestSpec) -> None:
        """Every disk of ``spec`` has its record and its file. Raises Fatal."""
        records = self.records(spec.id)
        lost = sorted(disk.target for disk in spec.disks if not self._is_here(spec.id, disk.target, records))
        if lost:
            raise Fatal(f"disk lost: {', '.join(lost)} of {spec.id}")

    def lost(self) -> dict[str, str]:
        """Guest → disks that have a record and no file. A build under way has its records first, and is passed over."""
        found = {}
        for guest_id in self.guests():
            records = self.records(guest_id)
            gone = [target for target in sorted(records) if not self._is_here(guest_id, target, records)]
            if gone:
                found[guest_id] = ", ".join(gone)
        return found

    def make_rescue(self, spec: GuestSpec, cache: ImageCache) -> None:
        """The disk that ``spec`` is rescued with is there, of this very image: what another rescue left is replaced."""
        if spec.rescue is None:
            raise Fatal(f"guest {spec.id} was given no disk to be rescued with")
        disk = spec.rescue.disk
        left = self.records(spec.id).get(disk.target)
        if left is not None and (disk.image is None or left.base != disk.image.sha512):
            self.remove_rescue(spec.id)
        self.make(replace(spec, disks=(disk,)), cache)

    def remove_rescue(self, guest_id: str) -> None:
        """Neither the disk that the guest was rescued with is there, nor its record."""
        records = self.records(guest_id)
        self.path(guest_id, "rescue").unlink(missing_ok=True)
        if records.pop("rescue", None) is not None:
            files.write(self.folder(guest_id) / "disks.json", msgspec.json.encode(records), "rescue")

    def keep(self, guest_id: str, mark: str, stays: frozenset[str]) -> None:
        """No disk is there but those that stay; the others are kept under the mark, and have no record."""
        records, folder = self.records(guest_id), self.folder(guest_id)
        going = [target for target in records if target not in stays]
        if kept_disks.keep(folder, mark, [self.path(guest_id, target).name for target in going]):
            left = {target: record for target, record in records.items() if target in stays}
            files.write(folder / "disks.json", msgspec.json.encode(left), mark)
            kept_disks.close(folder, mark)

    def put_back(self, guest_id: str, mark: str) -> None:
        """The disks are those that were kept under the mark."""
        folder, place = self.folder(guest_id), kept_disks.place(self.folder(guest_id), mark)
        before = _records(place)
        replaced = [
            self.path(guest_id, target).name
            for target in self.records(guest_id)
            if target not in before or before[target].device == "cdrom" or (place / f"disk-{target}").exists()
        ]
        kept_disks.put_back(folder, mark, replaced)

    def forget(self, guest_id: str, mark: str) -> None:
        """What was kept under the mark is gone."""
        kept_disks.forget(self.folder(guest_id), mark)

    def sources(self, spec: GuestSpec, cache: ImageCache) -> Sequence[DiskSource]:
        """The disks of ``spec`` as its bus has them. Raises Fatal when one was never made."""
        if spec.rescue is None:
            return self._sources(spec.id, spec.disks, cache)
        own = self._sources(spec.id, spec.disks, cache)
        [rescue] = self._sources(spec.id, [spec.rescue.disk], cache)
        return _stable(own, rescue) if spec.rescue.is_stable else _shifted(own, rescue)

    def _sources(self, guest_id: str, disks: Sequence[DiskSpec], cache: ImageCache) -> list[DiskSource]:
        records = self.records(guest_id)
        found = []
        for disk in disks:
            record = records.get(disk.target)
            if record is None:
                raise Fatal(f"disk {disk.target} of {guest_id} was never made")
            base = cache.path(record.base) if record.base else None
            if record.device == "cdrom" and base is not None:
                found.append(DiskSource(disk.target, base, record, bus=disk.bus))
            else:
                found.append(DiskSource(disk.target, self.path(guest_id, disk.target), record, base, disk.bus))
        return found

    def remove(self, guest_id: str) -> None:
        """The guest's folder is gone. (Not synced: a folder that a crash brings back is found as a leftover.)"""
        folder = self.folder(guest_id)
        if folder.exists():
            shutil.rmtree(folder)

    def _is_here(self, guest_id: str, target: str, records: dict[str, DiskRecord]) -> bool:
        record = records.get(target)
        return record is not None and (record.device == "cdrom" or self.path(guest_id, target).exists())

    def _make(self, spec: GuestSpec, disk: DiskSpec, record: DiskRecord, cache: ImageCache) -> None:
        target = self.path(spec.id, disk.target)
        if disk.image is not None:
            base = cache.ensure(disk.image)
            if record.device == "disk" and not target.exists():
                with files.whole(target, _mark(spec)) as part:
                    qemu_img.create_overlay(part, record.size_bytes, base=base, base_format=record.base_format)
        elif not target.exists():
            with files.whole(target, _mark(spec)) as part:
                _make_sparse(part, record.size_bytes)
                self._format(part, disk)

    def _format(self, part: Path, disk: DiskSpec) -> None:
        if disk.role == "swap":
            _run(["mkswap", "--", str(part)])
        elif disk.role == "ephemeral" and self._ephemeral_format == "ext4":
            _run(["mkfs.ext4", "-q", "-F", "-E", LAZY, "-L", f"ephemeral{disk.index}", "--", str(part)])


def _shifted(own: Sequence[DiskSource], rescue: DiskSource) -> list[DiskSource]:
    """The rescue disk is the first; the others follow in their order, each under the next name."""
    return [msgspec.structs.replace(disk, dev=_name("vd", place)) for place, disk in enumerate([rescue, *own])]


def _stable(own: Sequence[DiskSource], rescue: DiskSource) -> list[DiskSource]:
    """The rescue disk comes after the others, which keep their names."""
    start = "vd" if rescue.bus == "virtio" else "sd"
    return [*own, msgspec.structs.replace(rescue, dev=_name(start, len(own)))]


def _name(start: str, place: int) -> str:
    return start + "abcdefghijklmnopqrstuvwxyz"[place]


def _records(folder: Path) -> dict[str, DiskRecord]:
    try:
        data = (folder / "disks.json").read_bytes()
    except FileNotFoundError:
        return {}
    return _RECORDS.decode(data)


def _plan(disk: DiskSpec, cache: ImageCache) -> DiskRecord:
    wanted = disk.size_mb * 2**20 or disk.size_gb * 2**30
    if disk.image is None:
        if wanted <= 0:
            raise Fatal(f"disk {disk.target} has neither an image nor a size")
        return DiskRecord("raw", wanted, disk.role)
    return _plan_image(disk, disk.image, wanted, virtual_bytes(cache.ensure(disk.image), disk.image.disk_format))


def _plan_image(disk: DiskSpec, image: ImageSpec, wanted: int, virtual: int) -> DiskRecord:
    if image.disk_format == "iso":
        return DiskRecord("raw", virtual, disk.role, device="cdrom", base=image.sha512)
    if wanted and virtual > wanted:
        raise Fatal(f"image {image.id} needs {virtual} bytes, the disk has {wanted}")
    base_format = qemu_img.check_format(image.disk_format)
    return DiskRecord("qcow2", max(wanted, virtual), disk.role, base=image.sha512, base_format=base_format)


def _make_sparse(part: Path, size_bytes: int) -> None:
    """A file of zeros that takes no space (S14)."""
    part.touch(mode=0o600)
    os.truncate(part, size_bytes)


def _run(argv: list[str]) -> None:
    try:
        run(argv, timeout_s=120)
    except CommandFailed as failed:
        raise Fatal(str(failed)) from failed


def _mark(spec: GuestSpec) -> str:
    return names.guest_id(spec.operation_id or "none")
