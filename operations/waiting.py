"""Waiting for an operation's end: for requests that are answered with what came of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from computecloud.core.errors import CloudError, Unavailable, Unsupported
from operations.models import Operation
from operations.models.operation import OPEN, State

COLUMNS = ("state", "result", "fault", "fault_code")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended. ``fault``: what its owner may read."""

    succeeded: bool
    result: dict[str, Any]
    fault: str = ""
    code: int | None = None

    def require(self, refusal: CloudError) -> None:
        """Raises Unsupported where the host's driver cannot do it, and ``refusal`` for any other failure."""
        if self.code == Unsupported.status:
            raise Unsupported(self.fault)
        if not self.succeeded:
            raise refusal


def outcome(operation_id: str, *, patience_s: float) -> Outcome:
    """Its end. Raises Unavailable when there is none in time: it may come yet.

    A host answers in milliseconds; the caller's thread waits as Nova's does on its RPC. Not inside a transaction.
    """
    pause, until = FIRST_PAUSE_S, time.monotonic() + patience_s
    while time.monotonic() < until:
        state, result, fault, code = Operation.objects.values_list(*COLUMNS).get(id=operation_id)
        if state not in OPEN:
            return Outcome(state == State.SUCCEEDED, result or {}, fault, code)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
    raise Unavailable("The compute host did not answer in time.")
