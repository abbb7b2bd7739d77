"""What the guest image is made of: programs of this machine's packages, and a kernel package that is only unpacked."""

from __future__ import annotations

import hashlib
from pathlib import Path

from computecloud.core.command import CommandFailed, ProgramMissing, binary, run

KERNEL = "linux-image-cloud-amd64"
# Programs needed to build -> the Debian package that has them.
BUILD_PROGRAMS = {
    "sfdisk": "fdisk",
    "mformat": "mtools",
    "mcopy": "mtools",
    "syslinux": "syslinux",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "ldd": "libc-bin",
}
# Programs of this machine that go into the guest -> the Debian package that has them.
GUEST_PROGRAMS = {
    "/usr/bin/busybox": "busybox-static",
    "/usr/sbin/dropbear": "dropbear-bin",
    "/usr/bin/dropbearkey": "dropbear-bin",
    "/usr/sbin/resize2fs": "e2fsprogs",
}
MBR = {"/usr/lib/syslinux/mbr/mbr.bin": "syslinux-common", "/usr/lib/SYSLINUX/mbr.bin": "extlinux"}


class BuildFailed(Exception):
    """The guest image cannot be made; the text says what is missing and how to get it."""


def check_programs() -> None:
    """Everything that must be installed is. Raises BuildFailed with the packages to install."""
    missing = {package for path, package in GUEST_PROGRAMS.items() if not Path(path).exists()}
    for program, package in BUILD_PROGRAMS.items():
        try:
            binary(program)
        except ProgramMissing:
            missing.add(package)
    if not any(Path(path).exists() for path in MBR):
        missing.add("syslinux-common")
    if missing:
        raise BuildFailed(f"packages are missing: apt-get install {' '.join(sorted(missing))}")
    if b"=>" in run(["ldd", "/usr/bin/busybox"], accept=frozenset({0, 1})):
        raise BuildFailed("busybox is not the static one: apt-get install busybox-static")


def mbr() -> Path:
    """The boot code of a master boot record."""
    return next(Path(path) for path in MBR if Path(path).exists())


def guest_files() -> dict[str, Path]:
    """Path in the guest -> file of this machine: the programs and the libraries that they need."""
    found = {path: Path(path) for path in GUEST_PROGRAMS if not path.endswith("busybox")}
    found["/bin/busybox"] = Path("/usr/bin/busybox")
    for program in [*found]:
        if program != "/bin/busybox":
            for library in _libraries(program):
                found[library] = Path(library).resolve()
    return found


def _libraries(program: str) -> list[str]:
    """Absolute paths of the shared libraries and the loader, as the program looks for them."""
    words = [line.split() for line in run(["ldd", program]).decode().splitlines()]
    return [word for line in words for word in line if word.startswith("/")]


def kernel_package(cache: Path) -> Path:
    """The newest cached kernel package; the first time it is downloaded with apt. Raises BuildFailed."""
    cache.mkdir(parents=True, exist_ok=True)
    cached = sorted(cache.glob("linux-image-*-cloud-amd64_*.deb"), key=lambda file: file.stat().st_mtime)
    if cached:
        return cached[-1]
    options = ["-o", "APT::Sandbox::User=root"]
    try:
        depends = run(["apt-cache", "depends", "--important", KERNEL]).decode()
        name = next(line.split()[1] for line in depends.splitlines() if line.strip().startswith("Depends: linux-image"))
        run(["apt-get", *options, "download", name], cwd=cache, timeout_s=240)
    except (CommandFailed, StopIteration) as failure:
        raise BuildFailed(
            f"the kernel package ({KERNEL}) cannot be had: {failure}. "
            f"Run apt-get update, or put a linux-image-*-cloud-amd64_*.deb into {cache}"
        ) from failure
    return next(cache.glob("linux-image-*-cloud-amd64_*.deb"))


def digest(files: list[Path]) -> str:
    """One hash over the contents of ``files``."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as source:
            total.update(hashlib.file_digest(source, "sha256").digest())
    return total.hexdigest()
