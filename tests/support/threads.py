"""One thread of a process held still while the others go on: what a hung thread looks like from outside."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SEIZE, INTERRUPT, GO_ON, DETACH = 0x4206, 0x4207, 7, 17  # of ptrace(2)
WAIT_FOR_THREADS = 0x40000000  # __WALL of waitpid(2)
POLLING = {"x86_64": {"7", "232", "271", "281"}, "aarch64": {"22", "73"}}  # system calls: poll, epoll_wait and theirs
TRIES = 200

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@contextmanager
def held_while_it_polls(pid: int) -> Iterator[None]:
    """The main thread of a process stops where it waits for its sockets, without the interpreter's lock.

    Linux, and the right to trace the process (root). It goes on in the end, if the process still lives.
    """
    _ptrace(SEIZE, pid)
    try:
        for _ in range(TRIES):
            _ptrace(INTERRUPT, pid)
            os.waitpid(pid, WAIT_FOR_THREADS)
            if _is_polling(pid):
                break
            _ptrace(GO_ON, pid)
            time.sleep(0.01)
        else:
            raise AssertionError(f"process {pid} was never met waiting for its sockets")
        yield
    finally:
        _ptrace(DETACH, pid)


def _is_polling(pid: int) -> bool:
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in POLLING[os.uname().machine]


def _ptrace(request: int, pid: int) -> None:
    if _libc.ptrace(request, pid, None, None) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
