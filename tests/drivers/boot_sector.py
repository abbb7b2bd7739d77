"""A guest of 512 bytes: it says hello on the serial port, then waits for its ACPI power button and switches itself off.

Small enough to boot in software within a second, and honest: QEMU, SeaBIOS, disk, serial port and ACPI are real.
"""

from __future__ import annotations

HELLO = b"hello from the boot sector"

_CODE = bytes.fromhex(
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "be2d7c"  # mov si, text
    "ac"  # print: lodsb
    "84c0"  # test al, al
    "7406"  # jz ready
    "baf803"  # mov dx, 0x3f8 (COM1)
    "ee"  # out dx, al
    "ebf5"  # jmp print
    "ba0206"  # ready: mov dx, 0x602 (PM1 enable)
    "b80001"  # mov ax, 0x100 (power button)
    "ef"  # out dx, ax
    "fb"  # wait: sti
    "f4"  # hlt (until the next timer tick)
    "ba0006"  # mov dx, 0x600 (PM1 status)
    "ed"  # in ax, dx
    "f6c401"  # test ah, 1
    "74f5"  # jz wait
    "ba0406"  # mov dx, 0x604 (PM1 control)
    "b80020"  # mov ax, 0x2000 (sleep, type S5)
    "ef"  # out dx, ax
    "ebfe"  # jmp here
)


def image(size_bytes: int = 2**20) -> bytes:
    """A raw disk of ``size_bytes`` that boots."""
    return (_CODE + HELLO + b"\r\n\0").ljust(510, b"\0") + b"\x55\xaa" + b"\0" * (size_bytes - 512)
