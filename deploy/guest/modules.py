"""Kernel modules for the guest: which ones, and in which order their dependencies want them."""

from __future__ import annotations

import re
from pathlib import Path

# Loaded by the first program: what a root disk on virtio-blk needs.
FIRST = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk")
# Loaded by it when that finds no root disk.
SECOND = ("virtio_scsi", "sd_mod", "ata_piix", "ata_generic")
# Loaded later, by what the machine has; a kernel that lacks one has it built in or does without.
LATER = (
    *("virtio_net", "virtio_balloon", "virtio_rng", "virtio_console", "virtio_input", "virtio_mem", "virtiofs"),
    *("evdev", "button", "isofs", "vfat", "sr_mod", "e1000", "8139cp", "i6300esb", "qemu_fw_cfg", "nvme"),
    *("nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"),
)
DEPENDS = re.compile(rb"\x00depends=([^\x00]*)\x00")


class ModuleMissing(Exception):
    """The kernel package lacks a module without which the guest does not boot."""


class Modules:
    """The modules of an unpacked kernel package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {_plain(file.stem): file for file in folder.rglob("*.ko")}
        builtin = (folder / "modules.builtin").read_text().split()
        self.builtin = {_plain(Path(line).stem) for line in builtin}

    def ordered(self, names: tuple[str, ...], *, needed: bool) -> list[Path]:
        """The files of ``names`` and of all they depend on, dependencies first."""
        found: dict[str, Path] = {}
        for name in names:
            self._visit(_plain(name), found, needed=needed)
        return list(found.values())

    def _visit(self, name: str, found: dict[str, Path], *, needed: bool) -> None:
        if name in found or name in self.builtin:
            return
        if name not in self.files:
            if needed:
                raise ModuleMissing(name)
            return
        for other in self._depends(name):
            self._visit(other, found, needed=needed)
        found[name] = self.files[name]

    def _depends(self, name: str) -> list[str]:
        match = DEPENDS.search(self.files[name].read_bytes())
        return [_plain(other) for other in match[1].decode().split(",") if other] if match else []


def _plain(name: str) -> str:
    return name.replace("-", "_")
