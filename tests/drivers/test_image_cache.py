"""The host's images: fetched once, checked, evicted when nobody stands on them, never above the ceiling (S01, S12)."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from threading import Thread

import pytest

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt.image_cache import ImageCache
from hosts.drivers.specs import ImageSpec
from tests.drivers.build import ImagesInMemory
from tests.drivers.test_qcow2_header import header

KIB = b"x" * 1024


class Wanted(set[str]):
    """Checksums that disks stand on."""

    def __call__(self) -> frozenset[str]:
        return frozenset(self)


def cache(folder: Path, images: ImagesInMemory, pinned: Wanted | None = None, ceiling: int = 4096) -> ImageCache:
    return ImageCache(folder / "images", images, ceiling_bytes=ceiling, pinned=Wanted() if pinned is None else pinned)


def some(images: ImagesInMemory, count: int) -> list[ImageSpec]:
    return [images.add(bytes([number]) * 1024) for number in range(count)]


def test_an_image_is_fetched_once(tmp_path: Path) -> None:
    images = ImagesInMemory()
    image = images.add(KIB)
    cached = cache(tmp_path, images)

    assert cached.ensure(image).read_bytes() == KIB
    cached.ensure(image)

    assert images.fetched == [image.id]


def test_two_builds_at_once_fetch_once(tmp_path: Path) -> None:
    images = ImagesInMemory()
    image = images.add(KIB)
    cached = cache(tmp_path, images)
    threads = [Thread(target=cached.ensure, args=(image,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert images.fetched == [image.id]


def test_wrong_bytes_never_get_a_name(tmp_path: Path) -> None:
    images = ImagesInMemory()
    image = images.add(KIB)
    images.blobs[image.id] = b"y" * 1024

    with pytest.raises(Fatal, match="sha512"):
        cache(tmp_path, images).ensure(image)

    assert list((tmp_path / "images").iterdir()) == []


@pytest.mark.row("S12")
def test_the_same_content_under_another_id_is_the_same_file(tmp_path: Path) -> None:
    """S12: no attribute of an image makes a second copy."""
    images = ImagesInMemory()
    image = images.add(KIB)
    cached = cache(tmp_path, images)
    cached.ensure(image)

    cached.ensure(dataclasses.replace(image, id="another-id"))

    assert len(list((tmp_path / "images").iterdir())) == 1


@pytest.mark.row("S12")
def test_the_least_recently_used_makes_room(tmp_path: Path) -> None:
    images = ImagesInMemory()
    first, second, third, fourth, fifth = some(images, 5)
    cached = cache(tmp_path, images)
    for age, image in enumerate((first, second, third, fourth)):
        os.utime(cached.ensure(image), ns=(age, age))
    cached.ensure(first)

    cached.ensure(fifth)

    assert cached.path(first.sha512).exists()
    assert not cached.path(second.sha512).exists()
    assert sum(path.stat().st_size for path in (tmp_path / "images").iterdir()) <= 4096


@pytest.mark.row("S12")
def test_what_a_disk_stands_on_stays(tmp_path: Path) -> None:
    images, pinned = ImagesInMemory(), Wanted()
    four = some(images, 4)
    cached = cache(tmp_path, images, pinned)
    for image in four:
        cached.ensure(image)
    pinned.update(image.sha512 for image in four)

    with pytest.raises(Fatal, match="cache is full"):
        cached.ensure(images.add(KIB))

    assert all(cached.path(image.sha512).exists() for image in four)


def test_remains_of_old_downloads_go(tmp_path: Path) -> None:
    images = ImagesInMemory()
    cached = cache(tmp_path, images)
    cached.ensure(images.add(KIB))
    old, young = (tmp_path / "images" / f"{letter * 128}.part.part" for letter in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))

    cached.ensure(images.add(b"other"))

    assert (old.exists(), young.exists()) == (False, True)


def test_a_raw_image_that_is_a_qcow2_is_refused(tmp_path: Path) -> None:
    """S02."""
    images = ImagesInMemory()

    with pytest.raises(Fatal, match="content of a qcow2"):
        cache(tmp_path, images).ensure(images.add(header(), "raw"))


def test_a_qcow2_with_a_backing_file_is_refused(tmp_path: Path) -> None:
    """S01."""
    images = ImagesInMemory()

    with pytest.raises(Fatal, match="backing file"):
        cache(tmp_path, images).ensure(images.add(header(backing=512), "qcow2"))


def test_other_formats_are_refused(tmp_path: Path) -> None:
    """S03."""
    images = ImagesInMemory()

    with pytest.raises(Fatal, match="'vmdk' is not supported"):
        cache(tmp_path, images).ensure(images.add(KIB, "vmdk"))


def test_a_checksum_that_is_a_path_is_refused(tmp_path: Path) -> None:
    images = ImagesInMemory()
    image = dataclasses.replace(images.add(KIB), sha512="../" * 42 + "xx")

    with pytest.raises(Fatal, match="not a sha512"):
        cache(tmp_path, images).ensure(image)
