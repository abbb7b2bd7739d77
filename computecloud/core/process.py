"""What every long-running process of ours asks of its interpreter, once, when everything is imported."""

from __future__ import annotations

import ctypes
import gc
import sys

SWITCH_S = 0.0005  # a thread inside a transaction must not wait 5 ms for the interpreter after each of its statements
YOUNGEST = 20_000


def settle() -> None:
    """Leave what was imported out of garbage collection, collect less often, switch threads sooner."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST, 20, 20)
    _give_back()


def _give_back() -> None:
    """What importing took for a while goes back to the system: up to 30 MB, kept by glibc (malloc_trim(3))."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # another C library has none
        trim(0)
