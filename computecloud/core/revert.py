"""Undo a half-done piece of work: what was registered runs backwards unless the work succeeded."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import structlog

log = structlog.get_logger(__name__)


class Revert:
    """``with Revert() as revert: ...; revert.add(undo)``: on an exception the undos run in reverse order."""

    def __init__(self) -> None:
        self._undos: list[Callable[[], None]] = []

    def add(self, undo: Callable[[], None]) -> None:
        self._undos.append(undo)

    def __enter__(self) -> Revert:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        for undo in reversed(self._undos):
            try:
                undo()
            except Exception as problem:  # noqa: BLE001 -- one failing undo must not keep the others from running
                log.warning("undo failed", undo=repr(undo), error=str(problem))
