"""What happened, append-only: one row per transition, in the transaction that made it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from operations import sql


class Event(models.Model):
    """``kind`` reads ``server.create.accepted``; ``data`` is small and holds no secrets."""

    project_id = models.CharField(max_length=64, blank=True)
    subject_kind = models.CharField(max_length=32)
    subject_id = models.CharField(max_length=64)
    operation_id = models.CharField(max_length=36, blank=True)
    kind = models.CharField(max_length=96)
    data = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["subject_id", "id"], name="event_subject")]

    def __str__(self) -> str:
        return self.kind

    @classmethod
    def note(cls, kind: str, subject_kind: str, subject_id: str, **data: Any) -> None:
        """Write one; ``project_id`` and ``operation_id`` may be among the keywords."""
        sql.update(*cls.noting(kind, subject_kind, subject_id, **data))

    @classmethod
    def noting(cls, kind: str, subject_kind: str, subject_id: str, **data: Any) -> sql.Statement:
        """``note`` as a statement, for who has others to run along with it."""
        project_id, operation_id = data.pop("project_id", "") or "", data.pop("operation_id", "") or ""
        event = cls(
            kind=kind,
            subject_kind=subject_kind,
            subject_id=subject_id,
            project_id=project_id,
            operation_id=operation_id,
            data=data,
        )
        return sql.inserting(event)
