"""The single door to ``qemu-img``: no call without a format, and none without limits (S04, S05, S09, S28)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from computecloud.core.command import CommandFailed, ProgramMissing, binary, run
from hosts.drivers.errors import Fatal, Transient

DiskFormat = Literal["raw", "qcow2"]
FORMATS: tuple[DiskFormat, ...] = ("raw", "qcow2")
CPU_SECONDS = 30
ADDRESS_SPACE = 2 * 2**30
_LIMITS = ("prlimit", f"--cpu={CPU_SECONDS}", f"--as={ADDRESS_SPACE}", "--core=0", "nice", "-n", "10")


def check_format(value: str) -> DiskFormat:
    """``value`` when it is a format that disks may have here. Raises Fatal."""
    for known in FORMATS:
        if value == known:
            return known
    raise Fatal(f"disk format {value[:20]!r} is not supported")


def create_overlay(target: Path, size_bytes: int, *, base: Path, base_format: DiskFormat) -> None:
    """An empty qcow2 of ``size_bytes`` over ``base``, which is not opened for this."""
    backing = ["-u", "-b", str(base), "-F", check_format(base_format)]
    _run(["create", "-q", "-f", "qcow2", *backing, "--", str(target), str(size_bytes)], timeout_s=60)


def grow(target: Path, target_format: DiskFormat, size_bytes: int) -> None:
    """A disk that no guest has open is so large from now on; what is added reads as zeros."""
    _run(["resize", "-q", "-f", check_format(target_format), "--", str(target), str(size_bytes)], timeout_s=60)


def convert(
    source: Path, source_format: DiskFormat, target: Path, target_format: DiskFormat, *, timeout_s: float
) -> None:
    """Copy a disk into a flat one of another format. The limit of CPU time is lifted: the wall clock bounds it."""
    formats = ["-f", check_format(source_format), "-O", check_format(target_format)]
    _run(["convert", "-q", *formats, "--", str(source), str(target)], timeout_s=timeout_s, cpu_seconds=int(timeout_s))


def _run(arguments: list[str], *, timeout_s: float, cpu_seconds: int = CPU_SECONDS) -> None:
    limits = [f"--cpu={cpu_seconds}" if part.startswith("--cpu=") else part for part in _LIMITS]
    try:
        run([*limits, binary("qemu-img"), *arguments], timeout_s=timeout_s)
    except ProgramMissing as missing:
        raise Fatal(str(missing)) from missing
    except CommandFailed as failed:
        if failed.status is None:
            raise Transient(str(failed)) from failed
        raise Fatal(str(failed)) from failed
