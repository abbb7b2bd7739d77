"""Does KVM really work here? ``/dev/kvm`` existing does not say so (nested machines), so some guest code is run."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from computecloud.core.command import CommandFailed, ProgramMissing, binary, run

TIME_LIMIT_S = 5.0
REMEMBERED = Path("/run/computecloud-kvm")  # an answer holds until the machine restarts or QEMU is replaced
# A firmware of 64 KiB. At the reset vector it jumps to CODE, which goes through protected mode (with an iret, where
# some nested KVMs give up) to paging and long mode (SSE2, a locked instruction, an iretq) and then writes to the
# debug-exit device, which ends QEMU with (0x10 << 1) | 1. The source is libvirt_kvm_probe.s.
CODE = bytes.fromhex(
    "fa2e660f011608f10f20c06683c8010f22c066ea1af00f00080066b810008ed88ec08ed0bc008000009c6a086832f00f00cf"
    "bf0010000031c0b9000c0000fcf3abc7050010000003200000c7050020000003300000c70500300000830000000f20e00d20"
    "0600000f22e0b8001000000f22d8b9800000c00f320d000100000f300f20c00d0000008083e0f30f22c0ea95f00f00180048"
    "b8efcdab896745230166480f6ec066480f7ec34839c37532b800000000f00fb11c25007000009c5a4883ec08b8100000008e"
    "d04889e16a10519c6a18488d0d030000005148cfb010e6f4f4ebfd8db40000900000000000000000ffff0000009bcf00ffff"
    "00000093cf00ffff0000009baf001f00e8f00f"
)
JUMP = bytes.fromhex("ea00f000f0")
FIRMWARE_BYTES, CODE_AT, JUMP_AT = 0x10000, 0xF000, 0xFFF0
GUEST_SAID_SO = 33


@cache
def kvm_works() -> bool:
    """True when a guest ran under KVM within 5 s. Costs 0.1 s where KVM works, and is remembered in /run."""
    if not Path("/dev/kvm").exists():
        return False
    try:
        stamp = str(Path(binary("qemu-system-x86_64")).stat().st_mtime_ns)
    except ProgramMissing:
        return False
    with suppress(OSError, ValueError):
        seen, answer = REMEMBERED.read_text().split()
        if seen == stamp:
            return answer == "works"
    works = runs_guest_code("kvm")
    with suppress(OSError):  # a folder that we may not write to only costs the next process another probe
        REMEMBERED.write_text(f"{stamp} {'works' if works else 'fails'}\n")
    return works


def runs_guest_code(accelerator: str) -> bool:
    """True when QEMU with ``accelerator`` (kvm, tcg) runs our guest code to its end within 5 s."""
    firmware = bytearray(FIRMWARE_BYTES)
    firmware[CODE_AT : CODE_AT + len(CODE)] = CODE
    firmware[JUMP_AT : JUMP_AT + len(JUMP)] = JUMP
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
