"""When a central queue was last heard by a worker: the canary's mark. A host's mark is in its own row."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Consumer(models.Model):
    """``seen_at`` is old while nobody consumes ``queue``, however alive its workers look."""

    queue = models.CharField(primary_key=True, max_length=64)
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.queue

    @classmethod
    def heard(cls, queue: str) -> None:
        """Somebody has just heard it."""
        if not cls.objects.filter(queue=queue).update(seen_at=Now()):
            cls.objects.get_or_create(queue=queue)
