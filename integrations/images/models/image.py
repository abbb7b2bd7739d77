"""An image: its record, its one-way life, and who may see it."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Value

from computecloud.core.actor import Actor
from computecloud.core.ids import new_uuid
from integrations.images.models.member import ImageMember, MemberStatus


class ImageStatus(models.TextChoices):
    """queued → saving → active ⇄ deactivated; saving → killed when the content is refused; any → deleted.

    Bytes are written in saving only, and nothing leads from active back to saving.
    """

    QUEUED = "queued"
    SAVING = "saving"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    KILLED = "killed"
    DELETED = "deleted"


class Visibility(models.TextChoices):
    """Who besides the owner may use an image."""

    PUBLIC = "public"  # everybody; set by admins
    COMMUNITY = "community"  # everybody who knows the id; not in others' default lists
    SHARED = "shared"  # its members
    PRIVATE = "private"


class ImageQuerySet(models.QuerySet["Image"]):
    """Sentences about images."""

    def alive(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def for_actor(self, actor: Actor) -> Self:
        """What the actor may show: the own project's, public, community and shared-with-it; everything for admins."""
        if actor.is_admin:
            return self.alive()
        return self.alive().filter(
            Q(visibility__in=(Visibility.PUBLIC, Visibility.COMMUNITY)) | _owned(actor) | _shared_with(actor)
        )

    def own(self, actor: Actor) -> Self:
        return self.alive().filter(_owned(actor))

    def listed_for(self, actor: Actor, visibility: str | None = None, member_status: str | None = None) -> Self:
        """What a list holds. Without a visibility: own and public images and those shared with the project.

        Shared images appear once accepted, or with the ``member_status`` asked for ("all": any).
        """
        shared = _shared_with(actor, None if member_status == "all" else member_status or MemberStatus.ACCEPTED)
        own, alive = _owned(actor), self.alive()
        everything = actor.is_admin and member_status is None
        match visibility:
            case None:
                return alive if everything else alive.filter(Q(visibility=Visibility.PUBLIC) | own | shared)
            case "all":
                open_to_all = Q(visibility__in=(Visibility.PUBLIC, Visibility.COMMUNITY))
                return alive if everything else alive.filter(open_to_all | own | shared)
            case Visibility.PUBLIC | Visibility.COMMUNITY:
                return alive.filter(visibility=visibility)
            case Visibility.SHARED:
                return (
                    alive.filter(visibility=visibility)
                    if everything
                    else alive.filter(own | shared, visibility=visibility)
                )
            case _:
                return (
                    alive.filter(visibility=visibility) if actor.is_admin else alive.filter(own, visibility=visibility)
                )


def _owned(actor: Actor) -> Q:
    return Q(owner=actor.project_id) if actor.project_id else Q(pk__in=[])


def _shared_with(actor: Actor, status: str | None = None) -> Q:
    if not actor.project_id:
        return Q(pk__in=[])
    members = ImageMember.objects.filter(image_id=OuterRef("pk"), member=actor.project_id)
    if status is not None:
        members = members.filter(status=status)
    return Q(Exists(members), visibility=Visibility.SHARED)


class PropertyText(Func):
    """The text of one custom property, or null.

    Django's own key transform compares JSON with JSON and takes a name of digits for the index of an array.
    """

    output_field = models.TextField()

    def __init__(self, column: str, name: str) -> None:
        super().__init__(F(column), Value(name, output_field=models.TextField()))

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, name = self.get_source_expressions()
        (column_sql, column_params), (name_sql, name_params) = compiler.compile(column), compiler.compile(name)
        sql = f"(SELECT value FROM json_each({column_sql}) WHERE key = {name_sql})"  # noqa: S608  # compiled parts only
        return sql, (*column_params, *name_params)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s::text)", arg_joiner=" ->> ", **extra)


class Image(models.Model):
    """One image. The bytes are a file named after ``id``; ``owner`` is a project id.

    ``upload_id`` and ``lease_until`` say who is writing the bytes now; ``held_bytes`` is what the project is charged
    for them, given back only when they are gone from the disk.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid, editable=False)
    name = models.CharField(max_length=255, null=True, blank=True, db_index=True)  # Glance tells null from ""
    owner = models.CharField(max_length=64, null=True, db_index=True)
    status = models.CharField(max_length=16, choices=ImageStatus, default=ImageStatus.QUEUED)
    visibility = models.CharField(max_length=16, choices=Visibility, default=Visibility.SHARED)
    is_protected = models.BooleanField(default=False)
    is_hidden = models.BooleanField(default=False)
    disk_format = models.CharField(max_length=20, null=True, blank=True)
    container_format = models.CharField(max_length=20, null=True, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    virtual_size_bytes = models.BigIntegerField(null=True, blank=True)
    md5 = models.CharField(max_length=32, null=True, blank=True)
    sha512 = models.CharField(max_length=128, null=True, blank=True)
    min_disk_gb = models.PositiveIntegerField(default=0)
    min_ram_mb = models.PositiveIntegerField(default=0)
    properties = models.JSONField(default=dict, blank=True)
    message = models.CharField(max_length=255, blank=True, default="")  # why it was killed
    upload_id = models.CharField(max_length=36, null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    held_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ImageQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(
                fields=("owner", "created_at"), condition=Q(deleted_at__isnull=True), name="image_alive_by_owner"
            ),
            models.Index(
                fields=("visibility", "created_at"), condition=Q(deleted_at__isnull=True), name="image_alive_by_sight"
            ),
            models.Index(
                fields=("deleted_at",),
                condition=Q(deleted_at__isnull=False, held_bytes__gt=0),
                name="image_deleted_still_held",
            ),
            models.Index(fields=("lease_until",), condition=Q(lease_until__isnull=False), name="image_being_uploaded"),
        )
        constraints = (
            models.CheckConstraint(
                condition=~Q(status__in=("active", "deactivated"))
                | Q(sha512__isnull=False, md5__isnull=False, size_bytes__isnull=False, upload_id__isnull=True),
                name="image_active_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True, status__in=("queued", "saving", "active", "deactivated", "killed"))
                | Q(deleted_at__isnull=False, status="deleted"),
                name="image_deleted_says_when",
            ),
            models.CheckConstraint(condition=Q(held_bytes__gte=0), name="image_held_bytes_not_negative"),
        )

    def __str__(self) -> str:
        return self.name or self.id
