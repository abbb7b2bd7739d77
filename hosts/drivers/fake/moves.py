"""Guests on their way to another simulated host: what travels is empty disks of the right size."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hosts.drivers import names, steps
from hosts.drivers.base import ImageSource, Moving
from hosts.drivers.errors import Fatal
from hosts.drivers.fake import qcow2
from hosts.drivers.fake.guests import Guest
from hosts.drivers.specs import CarriedDisk, GuestRef, GuestSpec, Step, Trip

if TYPE_CHECKING:
    from hosts.drivers.fake.driver import FakeDriver

MIB = 2**20
RECORD, DISKS, COPIES, MANIFEST = "guest.json", "disks", "copies", "carried.json"
_CARRIED = msgspec.json.Decoder(tuple[CarriedDisk, ...])


class Moves:
    """``<folder>/<guest>~<trip>/`` holds what the old host keeps: the guest's record, its disks, what was sent."""

    def __init__(self, driver: FakeDriver, folder: Path, images: ImageSource | None) -> None:
        self._driver, self._folder, self._images = driver, folder, images

    def leave(self, spec: GuestSpec, trip: Trip) -> Sequence[Step]:
        driver, step, ref = self._driver, self._driver.step, spec.ref
        return [
            step("shut_down", spec.id, partial(driver.shut_down, spec.id)),
            step("stop", spec.id, partial(driver.stop, ref)),
            step("pack_disks", spec.id, partial(self._pack, spec, trip)),
            step("send_disks", spec.id, partial(self._send, spec, trip)),
            step("undefine", spec.id, partial(driver.undefine, ref)),
            step("unplug_ports", spec.id, partial(driver.unplug_ports, ref)),
            step("keep_disks", spec.id, partial(self._keep, spec, trip)),
        ]

    def packed(self, guest_id: str, trip: Trip) -> tuple[CarriedDisk, ...]:
        try:
            return _CARRIED.decode((self._place(guest_id, trip) / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise Fatal(f"nothing of {guest_id} was packed") from None

    def arrive(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        driver, step = self._driver, self._driver.step
        start = step("start", spec.id, partial(driver.start_guest, spec))
        return [
            step("receive_disks", spec.id, partial(self._receive, spec, trip)),
            step("make_disks", spec.id, partial(driver.make_disks, spec)),
            step("config_drive", spec.id, partial(driver.write_config_drive, spec)),
            step("plug_ports", spec.id, partial(driver.plug_ports, spec)),
            step("define", spec.id, partial(driver.define, spec)),
            *([start] if starts else []),
        ]

    def come_back(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        driver, step = self._driver, self._driver.step
        start = step("start", spec.id, partial(driver.start_guest, spec))
        return [
            step("put_disks_back", spec.id, partial(self._put_back, spec, trip)),
            step("check_disks", spec.id, partial(driver.check_disks, spec)),
            step("plug_ports", spec.id, partial(driver.plug_ports, spec)),
            step("define", spec.id, partial(driver.define, spec)),
            *([start] if starts else []),
            self._forgetting(spec.ref, trip),
        ]

    def forget(self, ref: GuestRef, trip: Trip) -> Sequence[Step]:
        return [self._forgetting(ref, trip)]

    def kept(self, guest_id: str) -> list[Path]:
        """Places of all its trips."""
        return list(self._folder.glob(f"{names.guest_id(guest_id)}~*"))

    def guests(self) -> set[str]:
        """Ids of all guests of which something is kept."""
        return {place.name.partition("~")[0] for place in self._folder.glob("*~*")}

    def remove_all(self, guest_id: str) -> None:
        for place in self.kept(guest_id):
            shutil.rmtree(place)

    # --- what they do

    def _forgetting(self, ref: GuestRef, trip: Trip) -> Step:
        return self._driver.step("remove_remains", ref.id, partial(self._forget, ref.id, trip), tidies=True)

    def _forget(self, guest_id: str, trip: Trip) -> None:
        shutil.rmtree(self._place(guest_id, trip), ignore_errors=True)

    def _is_kept(self, guest_id: str, trip: Trip) -> bool:
        return (self._place(guest_id, trip) / RECORD).exists()

    def _pack(self, spec: GuestSpec, trip: Trip) -> None:
        place = self._place(spec.id, trip)
        if (place / MANIFEST).exists():
            return
        guest = self._driver.known(spec.id)
        self._driver.check_disks(spec)
        copies = place / COPIES
        copies.mkdir(mode=0o700, parents=True, exist_ok=True)
        carried = []
        for disk in spec.disks:
            if disk.role != "swap":
                data = qcow2.empty(guest.disks[disk.target] * MIB)
                (copies / disk.target).write_bytes(data)
                digest = hashlib.sha512(data).hexdigest()
                carried.append(CarriedDisk(disk.target, disk.role, digest, guest.disks[disk.target] * MIB))
        _write(place / MANIFEST, msgspec.json.encode(carried))

    def _send(self, spec: GuestSpec, trip: Trip) -> None:
        if self._is_kept(spec.id, trip) or self._images is None:
            return
        for disk in self.packed(spec.id, trip):
            source = self._place(spec.id, trip) / COPIES / disk.target
            self._images.send_disk(trip.id, spec.operation_id, disk.target, source)

    def _keep(self, spec: GuestSpec, trip: Trip) -> None:
        """The record's move is what counts; what a death left behind it is moved by the next attempt."""
        place, file = self._place(spec.id, trip), self._driver.guests.file(spec.id)
        folder = self._driver.files.folder(spec.id)
        steps.require(f"keeping disks of {spec.id}")
        if folder.exists():
            folder.rename(place / DISKS)
        if file.exists():
            file.rename(place / RECORD)
        shutil.rmtree(place / COPIES, ignore_errors=True)

    def _put_back(self, spec: GuestSpec, trip: Trip) -> None:
        place, file = self._place(spec.id, trip), self._driver.guests.file(spec.id)
        folder = self._driver.files.folder(spec.id)
        steps.require(f"putting back disks of {spec.id}")
        if (place / RECORD).exists():
            (place / RECORD).rename(file)
        if (place / DISKS).exists():
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            (place / DISKS).rename(folder)

    def _receive(self, spec: GuestSpec, trip: Trip) -> None:
        guest = self._driver.guests.find(spec.id) or Guest(spec.id)
        sizes = {disk.target: disk.size_gb * 1024 for disk in spec.disks}
        for disk in trip.disks:
            names.disk_target(disk.target)
            if disk.target in guest.disks:
                continue
            has = disk.size_bytes // MIB
            if sizes.get(disk.target, 0) and sizes[disk.target] < has:
                raise Fatal("Unable to resize disk down.")
            self._fetch(spec, trip, disk)
            self._driver.files.make(spec.id, [disk.target])
            guest.disks[disk.target] = has
            self._driver.guests.save(guest)

    def _fetch(self, spec: GuestSpec, trip: Trip, disk: CarriedDisk) -> None:
        if self._images is None:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        target = self._incoming(spec.id)
        try:
            self._images.fetch_disk(trip.id, spec.operation_id, disk.target, disk.sha512, target)
        finally:
            target.unlink(missing_ok=True)

    def drop_incoming(self, guest_id: str) -> None:
        """What a death left of a disk that came."""
        self._incoming(guest_id).unlink(missing_ok=True)

    def _incoming(self, guest_id: str) -> Path:
        return self._folder / f"{names.guest_id(guest_id)}.part"

    def _place(self, guest_id: str, trip: Trip) -> Path:
        return self._folder / f"{names.guest_id(guest_id)}~{names.guest_id(trip.id)}"


class MovesGuests(Moving):
    """The role, of a driver that has ``moves``."""

    moves: Moves

    def leave(self, spec: GuestSpec, trip: Trip, *, timeout_s: int = 60) -> Sequence[Step]:
        return self.moves.leave(spec, trip)

    def packed(self, ref: GuestRef, trip: Trip) -> tuple[CarriedDisk, ...]:
        return self.moves.packed(ref.id, trip)

    def arrive(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        return self.moves.arrive(spec, trip, starts=starts)

    def come_back(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        return self.moves.come_back(spec, trip, starts=starts)

    def forget(self, ref: GuestRef, trip: Trip) -> Sequence[Step]:
        return self.moves.forget(ref, trip)


def _write(target: Path, data: bytes) -> None:
    part = target.with_suffix(".part")
    part.write_bytes(data)
    part.replace(target)
