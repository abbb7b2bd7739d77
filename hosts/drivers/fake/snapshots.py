"""Images of simulated guests: empty disks of the right size."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hosts.drivers import names
from hosts.drivers.base import ImageSource
from hosts.drivers.errors import Fatal
from hosts.drivers.fake import qcow2
from hosts.drivers.specs import GuestRef, Step

if TYPE_CHECKING:
    from hosts.drivers.fake.driver import FakeDriver


class Snapshots:
    """The copies of one fake host, each named after its guest and operation."""

    def __init__(self, driver: FakeDriver, folder: Path, images: ImageSource | None) -> None:
        self._driver, self._folder, self._images = driver, folder, images

    def steps(self, ref: GuestRef, image_id: str) -> list[Step]:
        step = self._driver.step
        return [
            step("copy_disk", ref.id, partial(self._copy, ref), partial(self._remove, ref)),
            step("upload_image", ref.id, partial(self._upload, ref, image_id)),
            step("remove_copy", ref.id, partial(self._remove, ref), tidies=True),
        ]

    def remove_all(self, guest_id: str) -> None:
        """No copy of the guest is left."""
        if self._folder.exists():
            for copy in self._folder.glob(f"{names.guest_id(guest_id)}-*"):
                copy.unlink(missing_ok=True)

    def _copy(self, ref: GuestRef) -> None:
        guest = self._driver.known(ref.id)
        if not guest.disks:
            raise Fatal(f"guest {ref.id} has no root disk of its own")
        place = self._place(ref)
        if not place.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            part = place.with_suffix(".part")
            part.write_bytes(qcow2.empty(next(iter(guest.disks.values())) * 2**20))
            part.replace(place)

    def _upload(self, ref: GuestRef, image_id: str) -> None:
        if self._images is None:
            raise Fatal("this host has nowhere to bring an image to")
        self._images.store(image_id, ref.operation_id, self._place(ref))

    def _remove(self, ref: GuestRef) -> None:
        self._place(ref).unlink(missing_ok=True)

    def _place(self, ref: GuestRef) -> Path:
        return self._folder / f"{names.guest_id(ref.id)}-{names.guest_id(ref.operation_id)}"
