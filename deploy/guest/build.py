"""How the guest image is made: two trees of files, then a disk with a boot partition and a root partition.

No loop device and no mount is needed: every tool writes at an offset of the image file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from computecloud.core.command import CommandFailed, ProgramMissing, run
from deploy.guest import packages
from deploy.guest.cpio import initramfs
from deploy.guest.modules import FIRST, LATER, SECOND, ModuleMissing, Modules
from deploy.guest.packages import BuildFailed

HERE = Path(__file__).parent
DEFAULT_CACHE = Path("/var/cache/computecloud/guest")
BUILD_FAILURES = (BuildFailed, CommandFailed, ProgramMissing)
MIB = 1024 * 1024
SECTOR = 512
BOOT_MIB = 32
DISK_MIB = 96
ROOT_AT_MIB = 1 + BOOT_MIB
ROOT_LABEL = "cc-guest-root"  # the first program looks for it
LARGEST_ROOT = "2T"  # as the partition table's; room is kept for the tables of a file system that grows so far
BLOCK = 4096
EMPTY_FOLDERS = ("dev", "proc", "sys", "run", "tmp", "root", "mnt", "var/lib", "etc/dropbear", "home/computecloud")
# No password has this hash; busybox stumbles over the usual "*".
LOCKED = "$6$none$*"
APPLETS_LEFT_OUT = frozenset({"dpkg", "dpkg-deb", "rpm", "rpm2cpio", "bc", "dc", "busybox"})


def build(out: Path, *, cache: Path = DEFAULT_CACHE) -> bool:
    """Make the image ``out`` (qcow2, compressed, 18 MB); False when it was there, made of the same inputs.

    ``cache`` keeps the kernel package and the last images. Needs root, for the owners of the files in the image.
    Raises one of BUILD_FAILURES.
    """
    if os.geteuid() != 0:
        raise BuildFailed("building the guest image needs root")
    packages.check_programs()
    kernel = packages.kernel_package(cache)
    contents = packages.guest_files()
    inputs = [kernel, packages.mbr(), *contents.values(), *sorted(file for file in HERE.rglob("*") if _is_input(file))]
    made = cache / f"guest-{packages.digest(inputs)[:20]}.qcow2"
    fresh = not made.exists()
    if fresh:
        with tempfile.TemporaryDirectory(prefix="computecloud-guest-", dir=cache) as work:
            image = _make(Path(work), kernel, contents)
            for old in cache.glob("guest-*.qcow2"):
                old.unlink()
            image.replace(made)
    if fresh or not out.exists() or not _same_size_and_age(made, out):
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(f".{out.name}.part")
        shutil.copy2(made, part)
        part.replace(out)
        return True
    return False


def _is_input(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _same_size_and_age(one: Path, other: Path) -> bool:
    a, b = one.stat(), other.stat()
    return (a.st_size, int(a.st_mtime)) == (b.st_size, int(b.st_mtime))


def _make(work: Path, kernel: Path, contents: dict[str, Path]) -> Path:
    """Everything, in the folder ``work``; returns the finished image."""
    unpacked = work / "kernel"
    run(["dpkg-deb", "--extract", str(kernel), str(unpacked)], timeout_s=120)
    try:
        modules = Modules(next((unpacked / "lib/modules").iterdir()))
        first = _first_tree(work / "first", modules)
        root = _root_tree(work / "root", modules, contents)
    except (ModuleMissing, StopIteration) as missing:
        raise BuildFailed(f"{kernel.name} is not a kernel that we know how to boot: {missing}") from missing
    (work / "initrd").write_bytes(initramfs(first))
    disk = work / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_MIB * MIB)
    _partition(disk)
    _fill_boot(disk, next((unpacked / "boot").glob("vmlinuz-*")), work / "initrd")
    _fill_root(disk, root)
    image = work / "guest.qcow2"
    run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", str(disk), str(image)], timeout_s=120)
    return image


def _first_tree(tree: Path, modules: Modules) -> Path:
    """The initramfs: busybox, the first modules and our first program."""
    for folder in ("bin", "dev", "proc", "sys", "root", "modules"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(Path("/usr/bin/busybox"), tree / "bin/busybox")
    applets = ("sh", "mount", "insmod", "dd", "tr", "cat", "usleep", "sync", "blockdev", "poweroff", "switch_root")
    for applet in (*applets, "[", "printf", "echo"):
        (tree / "bin" / applet).symlink_to("busybox")
    for name, wanted in (("first", FIRST), ("second", SECOND)):
        files = modules.ordered(wanted, needed=name == "first")
        for file in files:
            shutil.copy(file, tree / "modules" / file.name)
        (tree / "modules" / name).write_text("".join(f"{file.name}\n" for file in files))
    shutil.copy(HERE / "initramfs/init", tree / "init")
    return tree


def _open_to_its_users(tree: Path) -> None:
    """Modes as an ordinary system has them, whatever the umask of whoever builds (``./cloud up`` has 077)."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _root_tree(tree: Path, modules: Modules, contents: dict[str, Path]) -> Path:
    """The root file system: our scripts, the programs with their libraries, busybox under all its names, modules."""
    shutil.copytree(HERE / "rootfs", tree)
    for folder in EMPTY_FOLDERS:
        (tree / folder).mkdir(parents=True, exist_ok=True)
    for target, source in contents.items():
        place = tree / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    for applet in run(["busybox", "--list-full"]).decode().split():
        place = tree / applet
        if place.name not in APPLETS_LEFT_OUT and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to("/bin/busybox")
    _copy_modules(tree, modules)
    (tree / "etc/resolv.conf").touch()
    users = ("root", "computecloud")
    (tree / "etc/shadow").write_text("".join(f"{user}:{LOCKED}:19700:0:99999:7:::\n" for user in users))
    _open_to_its_users(tree)
    for folder in ("root", "home/computecloud", "etc/dropbear"):
        (tree / folder).chmod(0o700)
    (tree / "etc/shadow").chmod(0o600)
    (tree / "tmp").chmod(0o1777)
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)
    os.chown(tree / "home/computecloud", 1000, 1000)
    return tree


def _copy_modules(tree: Path, modules: Modules) -> None:
    place = tree / "lib/modules" / modules.folder.name
    for file in modules.ordered((*FIRST, *SECOND, *LATER), needed=False):
        target = place / file.relative_to(modules.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    run(["busybox", "depmod", "-b", str(tree), modules.folder.name])


def _partition(disk: Path) -> None:
    """A master boot record with a bootable FAT partition and a Linux one to the end."""
    boot = f"start={MIB // SECTOR}, size={BOOT_MIB * MIB // SECTOR}, type=c, bootable"
    layout = f"label: dos\n{boot}\nstart={ROOT_AT_MIB * MIB // SECTOR}, type=83\n"
    run(["sfdisk", "--quiet", "--no-tell-kernel", "--no-reread", str(disk)], data=layout.encode())
    with disk.open("r+b") as file:
        file.write(packages.mbr().read_bytes()[:440])


def _fill_boot(disk: Path, kernel: Path, initrd: Path) -> None:
    """Format the boot partition, copy kernel and initramfs, install the boot loader."""
    drive = f"{disk}@@{MIB}"
    hidden = str(MIB // SECTOR)
    sectors = str(BOOT_MIB * MIB // SECTOR)
    run(["mformat", "-i", drive, "-v", "CCBOOT", "-T", sectors, "-h", "64", "-s", "32", "-H", hidden, "::"])
    run(["mcopy", "-i", drive, str(kernel), "::vmlinuz"])
    run(["mcopy", "-i", drive, str(initrd), "::initrd"])
    run(["mcopy", "-i", drive, str(HERE / "syslinux.cfg"), "::syslinux.cfg"])
    run(["syslinux", "--offset", str(MIB), "--install", str(disk)])


def _fill_root(disk: Path, tree: Path) -> None:
    """Make the root file system with the tree in it; it can grow while mounted."""
    blocks = str((DISK_MIB - ROOT_AT_MIB) * MIB // BLOCK)
    extended = f"offset={ROOT_AT_MIB * MIB},resize={LARGEST_ROOT},lazy_itable_init=1,root_owner=0:0"
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-i", "32768", "-m", "1"]
    argv += ["-O", "^64bit", "-J", "size=4"]
    run([*argv, "-L", ROOT_LABEL, "-E", extended, "-d", str(tree), str(disk), blocks])
