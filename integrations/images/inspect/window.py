"""What a parser of disk formats may see of a file: bounded reads, zero-filled past the end, and nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

MAX_READ = 1024 * 1024
HEAD_BYTES = 256 * 1024
"""Enough of a file's start for every parser except those that read VHDX metadata or a VHD footer."""


class Window(Protocol):
    """Random access to a file that may still be growing. ``size`` is what is there now, in bytes."""

    @property
    def size(self) -> int: ...

    @property
    def complete(self) -> bool:
        """Whether the last byte has arrived; only then may a parser look at the end."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes (at most 1 MiB); what the file does not have is zeros."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of an upload, before the rest has come."""

    data: bytes
    complete: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        piece = self.data[offset : offset + min(length, MAX_READ)]
        return piece.ljust(min(length, MAX_READ), b"\0")


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that is all there, by its descriptor."""

    descriptor: int
    size: int
    complete: bool = True

    def read(self, offset: int, length: int) -> bytes:
        wanted = min(length, MAX_READ)
        if not 0 <= offset < self.size:
            return bytes(wanted)
        return os.pread(self.descriptor, wanted, offset).ljust(wanted, b"\0")


@dataclass(frozen=True, slots=True)
class Finding:
    """One parser recognised its format. ``refusal`` says why this content may not be used; None when it may.

    ``virtual_size`` is the size in bytes of the disk that a guest would see.
    """

    format: str
    virtual_size: int | None = None
    refusal: str | None = None
