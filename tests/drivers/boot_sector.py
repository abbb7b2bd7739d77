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

_COUNTING = bytes.fromhex(
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "8ec0"  # mov es, ax
    "be607c"  # mov si, text
    "e84600"  # call print
    "b280"  # mov dl, 0x80 (the disk that the firmware booted from)
    "bb007e"  # next: mov bx, 0x7e00
    "b80102"  # mov ax, 0x0201 (read one sector)
    "b90200"  # mov cx, 2 (the disk's second)
    "b600"  # mov dh, 0
    "cd13"  # int 0x13
    "721a"  # jc ready
    "80fa80"  # cmp dl, 0x80
    "7509"  # jne show
    "fe06007e"  # inc byte [0x7e00]
    "b80103"  # mov ax, 0x0301 (write it)
    "cd13"  # int 0x13
    "89de"  # show: mov si, bx
    "e82200"  # call print
    "fec2"  # inc dl
    "80fa82"  # cmp dl, 0x82
    "75d7"  # jne next
    "ba0206b80001ef"  # ready: as above, wait for the power button
    "fbf4ba0006edf6c40174f5ba0406b80020efebfe"
    "52"  # print: push dx
    "baf803"  # mov dx, 0x3f8
    "ac"  # again: lodsb
    "84c0"  # test al, al
    "7403"  # jz printed
    "ee"  # out dx, al
    "ebf8"  # jmp again
    "5a"  # printed: pop dx
    "c3"  # ret
)


def counting(name: str, size_bytes: int = 2**20) -> bytes:
    """A disk that boots, counts its boots on itself and tells: ``A of NAME`` at the first, ``B of NAME`` at the second;
    then what the second disk has written on it, if there is one.
    """
    first = (_COUNTING + HELLO + b"\r\n\0").ljust(510, b"\0") + b"\x55\xaa"
    second = f"@ of {name}\r\n\0".encode().ljust(512, b"\0")
    return (first + second).ljust(size_bytes, b"\0")
