"""Does KVM really work here? ``/dev/kvm`` existing does not say so (nested machines), so some guest code is run."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from computecloud.core.command import CommandFailed, ProgramMissing, run

TIME_LIMIT_S = 5.0
# At the reset vector of a PC: mov al,0x10; out 0xf4,al; hlt. The debug-exit device ends QEMU with (0x10 << 1) | 1.
CODE = bytes([0xB0, 0x10, 0xE6, 0xF4, 0xF4])
FIRMWARE_BYTES = 65536
RESET_VECTOR = 0xFFF0
GUEST_SAID_SO = 33


@cache
def kvm_works() -> bool:
    """True when a guest ran under KVM within 5 s. Asked once per process; costs about 0.1 s where KVM works."""
    return Path("/dev/kvm").exists() and runs_guest_code("kvm")


def runs_guest_code(accelerator: str) -> bool:
    """True when QEMU with ``accelerator`` (kvm, tcg) executes a few instructions of a guest within 5 s."""
    firmware = bytearray(b"\xf4" * FIRMWARE_BYTES)
    firmware[RESET_VECTOR : RESET_VECTOR + len(CODE)] = CODE
    with tempfile.NamedTemporaryFile(prefix="computecloud-probe-") as file:
        file.write(firmware)
        file.flush()
        argv = ["qemu-system-x86_64", "-machine", "pc", "-accel", accelerator, "-m", "16", "-display", "none"]
        argv += ["-nodefaults", "-no-user-config", "-no-reboot", "-bios", file.name]
        argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        try:
            run(argv, timeout_s=TIME_LIMIT_S, accept=frozenset({GUEST_SAID_SO}))
        except (CommandFailed, ProgramMissing):
            return False
    return True
