"""Books that do not agree: what a comparison found, and how it is set right without a hand in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from operations.models.event import Event


@dataclass(frozen=True, slots=True)
class Drift:
    """One disagreement. ``mend`` is made of the conditional UPDATEs that everything else uses, so it is safe in a
    running cloud; it answers False when what was found has changed meanwhile. None: a person has to decide.
    """

    text: str
    subject_kind: str
    subject_id: str
    mend: Callable[[], bool] | None = None

    def set_right(self) -> bool:
        """Mend it, in one transaction with the event that tells of it."""
        if self.mend is None:
            return False
        with transaction.atomic():
            mended = self.mend()
            if mended:
                Event.note("audit.mended", self.subject_kind, self.subject_id, found=self.text)
        return mended
