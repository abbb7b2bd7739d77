"""With whom an image is shared, and its tags."""

from __future__ import annotations

from django.db import models


class MemberStatus(models.TextChoices):
    """What the project that was offered an image said to it."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class ImageMember(models.Model):
    """An image offered to one project (``member`` is its id)."""

    image = models.ForeignKey("images.Image", on_delete=models.CASCADE, related_name="members")
    member = models.CharField(max_length=64, db_index=True)
    status = models.CharField(max_length=16, choices=MemberStatus, default=MemberStatus.PENDING)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ("created_at", "id")
        constraints = (models.UniqueConstraint(fields=("image", "member"), name="image_member_once"),)

    def __str__(self) -> str:
        return f"{self.image_id} for {self.member}"


class ImageTag(models.Model):
    """A word on an image."""

    image = models.ForeignKey("images.Image", on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=255, db_index=True)

    class Meta:
        ordering = ("tag",)
        constraints = (models.UniqueConstraint(fields=("image", "tag"), name="image_tag_once"),)

    def __str__(self) -> str:
        return self.tag
