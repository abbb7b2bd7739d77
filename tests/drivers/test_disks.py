"""Disks of a guest: made once, their format written down once, and gone without a trace."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import qemu_img
from hosts.drivers.libvirt.disks import Disks
from hosts.drivers.libvirt.image_cache import ImageCache
from hosts.drivers.specs import DiskSpec, GuestSpec
from tests.drivers import build
from tests.drivers.build import ImagesInMemory

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
MIB = 2**20


class Host:
    def __init__(self, folder: Path) -> None:
        self.images = ImagesInMemory()
        self.disks = Disks(folder / "instances")
        self.cache = ImageCache(folder / "images", self.images, ceiling_bytes=2**30, pinned=self.disks.bases)

    def make(self, *disks: DiskSpec) -> GuestSpec:
        spec = build.guest(disks=disks)
        self.disks.make(spec, self.cache)
        return spec


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def info(path: Path, disk_format: str) -> dict[str, object]:
    text = subprocess.run(
        ["qemu-img", "info", "--output=json", "-f", disk_format, path], capture_output=True, check=True
    ).stdout
    found: dict[str, object] = json.loads(text)
    return found


def start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def test_a_root_disk_is_an_overlay_that_names_the_format_below(host: Host) -> None:
    image = host.images.add(b"\1" * MIB)
    spec = host.make(build.root(image))

    found = info(host.disks.path(spec.id, "vda"), "qcow2")

    assert found["virtual-size"] == 2**30
    assert found["full-backing-filename"] == str(host.cache.path(image.sha512))
    assert found["backing-filename-format"] == "raw"


def test_a_disk_of_size_0_is_as_large_as_its_image(host: Host) -> None:
    spec = host.make(build.root(host.images.add(b"\1" * (MIB + 100)), size_gb=0))

    assert info(host.disks.path(spec.id, "vda"), "qcow2")["virtual-size"] == MIB + 512


@pytest.mark.row("S10")
def test_an_image_larger_than_its_disk_is_refused_before_a_disk_exists(host: Host, tmp_path: Path) -> None:
    """S10: a tiny file that says it is a petabyte."""
    giant = tmp_path / "giant"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", giant, "1P"], check=True)
    image = host.images.add(giant.read_bytes(), "qcow2")

    with pytest.raises(Fatal, match="needs 1125899906842624 bytes"):
        host.make(build.root(image))

    assert list((tmp_path / "instances").rglob("disk*")) == []


def test_ephemeral_and_swap_disks_are_formatted_and_take_no_space(host: Host) -> None:
    spec = host.make(DiskSpec("ephemeral", 0, "vdb", 1), DiskSpec("swap", 0, "vdc", 0, size_mb=64))
    ephemeral, swap = host.disks.path(spec.id, "vdb"), host.disks.path(spec.id, "vdc")

    assert (ephemeral.stat().st_size, swap.stat().st_size) == (2**30, 64 * MIB)
    assert ephemeral.stat().st_blocks * 512 < 8 * MIB
    assert start_of(swap)[4086:4096] == b"SWAPSPACE2"
    assert b"ephemeral0" in start_of(ephemeral)[1024:2048]


def test_a_made_disk_is_never_made_again(host: Host) -> None:
    spec = host.make(DiskSpec("ephemeral", 0, "vdb", 1))
    path = host.disks.path(spec.id, "vdb")
    with path.open("r+b") as disk:
        disk.write(b"precious")

    host.disks.make(spec, host.cache)

    assert start_of(path)[:8] == b"precious"


def test_a_format_once_recorded_stays(host: Host, tmp_path: Path) -> None:
    """S04: whatever a guest writes into its disk, and whatever a later spec says."""
    spec = host.make(DiskSpec("ephemeral", 0, "vdb", 1))
    path = host.disks.path(spec.id, "vdb")
    evil = tmp_path / "evil"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", evil, "1M"], check=True
    )
    with path.open("r+b") as disk:
        disk.write(evil.read_bytes())

    host.disks.make(spec, host.cache)

    (source,) = host.disks.sources(spec, host.cache)
    assert source.record.format == "raw"
    assert source.base is None


def test_a_half_made_disk_is_made_anew(host: Host) -> None:
    spec = host.make(build.root(host.images.add(b"\1" * MIB)))
    path = host.disks.path(spec.id, "vda")
    path.rename(path.with_name(f"{path.name}.part-{spec.operation_id}"))

    host.disks.make(spec, host.cache)

    assert path.exists()
    assert list(path.parent.glob("*.part*")) == []


def test_nobody_else_may_read(host: Host, tmp_path: Path) -> None:
    """S15."""
    host.make(build.root(host.images.add(b"\1" * MIB)), DiskSpec("swap", 0, "vdc", 0, size_mb=64))

    inside = [path for part in ("instances", "images") for path in (tmp_path / part).rglob("*")]
    assert inside
    assert [path for path in inside if path.stat().st_mode & 0o077] == []


def test_bases_are_pinned_from_the_record_on_and_let_go_at_the_end(host: Host) -> None:
    image = host.images.add(b"\1" * MIB)
    spec = host.make(build.root(image))
    assert host.disks.bases() == {image.sha512}

    host.disks.remove(spec.id)
    host.disks.remove(spec.id)

    assert host.disks.bases() == frozenset()
    assert host.disks.guests() == []


def test_an_iso_is_a_cdrom_read_from_the_cache(host: Host) -> None:
    image = host.images.add(b"\1" * MIB, "iso")
    spec = host.make(build.root(image))

    (source,) = host.disks.sources(spec, host.cache)

    assert (source.record.device, source.path) == ("cdrom", host.cache.path(image.sha512))


def test_a_target_that_is_a_path_is_refused(host: Host) -> None:
    with pytest.raises(Fatal, match="device name"):
        host.make(DiskSpec("ephemeral", 0, "../../vdb", 1))


def test_qemu_img_cannot_be_called_without_a_known_format(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="'vmdk' is not supported"):
        qemu_img.convert(tmp_path / "a", "vmdk", tmp_path / "b", "raw", timeout_s=5)  # type: ignore[arg-type]


@pytest.mark.row("S09")
def test_qemu_img_runs_under_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S09."""
    seen: list[list[str]] = []
    monkeypatch.setattr(qemu_img, "run", lambda argv, **_: seen.append(argv))

    qemu_img.create_overlay(tmp_path / "-o", 2**20, base=tmp_path / "base", base_format="raw")

    (argv,) = seen
    assert argv[:3] == ["prlimit", "--cpu=30", f"--as={2**31}"]
    assert argv[argv.index("--") + 1 :] == [str(tmp_path / "-o"), str(2**20)]
    assert "/usr/bin/qemu-img" in argv


def test_flat_copies_know_both_formats(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"\7" * MIB)

    qemu_img.convert(source, "raw", tmp_path / "b", "qcow2", timeout_s=30)

    assert info(tmp_path / "b", "qcow2")["virtual-size"] == MIB
