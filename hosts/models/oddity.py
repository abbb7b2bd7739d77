"""What a host reports and no row explains. It is listed, never touched, until an administrator decides (F25, F46)."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from hosts.models.host import Host


class Oddity(models.Model):
    """Seen at the host's last look; the row goes when a look no longer sees it."""

    class Kind(models.TextChoices):
        UNKNOWN_GUEST = "unknown guest"  # it bears our mark, and no server was ever of that id
        LOST_DISK = "lost disk"

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="oddities")
    guest_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    detail = models.CharField(max_length=255, blank=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    condemned_at = models.DateTimeField(null=True, blank=True)  # an administrator wants the unknown guest removed

    class Meta:
        ordering = ("host", "kind", "guest_id")
        verbose_name_plural = "oddities"
        constraints = [
            models.UniqueConstraint(fields=["host", "kind", "guest_id"], name="one_oddity_per_guest_and_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.guest_id} on {self.host_id}"
