"""What may be done to an image's record: made, changed, shared, tagged, put aside, deleted. Never its bytes.

Every change is a conditional UPDATE, so that two requests cannot both win and nothing leads back from active.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from computecloud.core.errors import Conflict, Forbidden
from computecloud.http import policy
from integrations.images import errors, reclaim
from integrations.images.models import Image, ImageMember, ImageStatus, ImageTag, MemberStatus, Visibility
from operations.models import QuotaGate

COUNT = "images"  # the quota's name
MAX_PROPERTIES = 128
MAX_TAGS = 128
MAX_MEMBERS = 128
ACTED_ON = {ImageStatus.ACTIVE, ImageStatus.DEACTIVATED}


def seen(actor: Actor, image_id: str) -> Image:
    """An image that the actor may show. Raises ImageNotFound."""
    image = Image.objects.for_actor(actor).filter(pk=image_id).first()
    if image is None:
        raise errors.ImageNotFound(image_id=image_id)
    return image


def own(actor: Actor, image_id: str) -> Image:
    """An image that the actor may change. Raises ImageNotFound, or ImageNotYours for one that is only visible."""
    image = seen(actor, image_id)
    if not actor.is_admin and image.owner != actor.project_id:
        raise errors.ImageNotYours
    return image


def create(actor: Actor, values: dict[str, Any], tags: Iterable[str] = (), status: str = ImageStatus.QUEUED) -> Image:
    """Make a record in the actor's project (an admin may name another owner). Raises OverQuota, ImageExists."""
    owner = values.pop("owner", None) or actor.project_id
    if owner is None:
        raise Forbidden("An image needs a project to belong to; use a token that is scoped to one.")
    if owner != actor.project_id and not actor.is_admin:
        raise Forbidden("You are not permitted to create images owned by another project.")
    if values.get("visibility") == Visibility.PUBLIC:
        policy.authorize(actor, "image:publicize")
    words = _distinct(tags)
    _check_counts(values.get("properties", {}), words)
    now = utcnow()
    with transaction.atomic():
        QuotaGate.add(owner, {COUNT: 1})
        image = Image(owner=owner, status=status, created_at=now, updated_at=now, **values)
        try:
            with transaction.atomic():
                image.save(force_insert=True)
        except IntegrityError as problem:
            if Image.objects.filter(pk=image.pk).exists():
                raise errors.ImageExists(image_id=image.pk) from problem
            raise
        ImageTag.objects.bulk_create(ImageTag(image=image, tag=word) for word in words)
    return image


def change(actor: Actor, image: Image, values: dict[str, Any], tags: Iterable[str] | None = None) -> None:
    """Write changed fields; the image must be as it was when it was read. Raises Conflict or Forbidden."""
    if values.get("visibility", image.visibility) == Visibility.PUBLIC != image.visibility:
        policy.authorize(actor, "image:publicize")
    if image.visibility == Visibility.PUBLIC and not actor.is_admin and "visibility" in values:
        policy.authorize(actor, "image:publicize")
    words = None if tags is None else _distinct(tags)
    _check_counts(values.get("properties", {}), words or [])
    with transaction.atomic():
        if "owner" in values and values["owner"] != image.owner:
            _hand_over(actor, image, values["owner"])
        same = Image.objects.alive().filter(pk=image.pk, updated_at=image.updated_at, status=image.status)
        if not same.update(**values, updated_at=utcnow()):
            raise errors.ImageInUse(image_id=image.pk)
        if words is not None:
            ImageTag.objects.filter(image=image).delete()
            ImageTag.objects.bulk_create(ImageTag(image=image, tag=word) for word in words)


def _hand_over(actor: Actor, image: Image, owner: str) -> None:
    """Another project takes the image and its charge; only by an admin, and only before there are bytes (S13)."""
    if not actor.is_admin or image.status != ImageStatus.QUEUED:
        raise Forbidden("Attribute 'owner' is read-only.")
    QuotaGate.add(owner, {COUNT: 1})
    if image.owner:
        QuotaGate.give_back(image.owner, {COUNT: 1})


def delete(actor: Actor, image_id: str) -> None:
    """End an image: the record now, its bytes at once or, while somebody uploads, as soon as that ends."""
    image = own(actor, image_id)
    if image.is_protected:
        raise errors.ImageProtected(image_id=image_id)
    if not _end(image):
        raise errors.ImageInUse(image_id=image_id)


def discard(image_id: str) -> bool:
    """End an image that never became active, whoever owns it; False when there is none."""
    unborn = (ImageStatus.QUEUED, ImageStatus.SAVING, ImageStatus.KILLED)
    image = Image.objects.alive().filter(pk=image_id, status__in=unborn).first()
    return image is not None and _end(image)


def _end(image: Image) -> bool:
    now = utcnow()
    with transaction.atomic():
        same = Image.objects.alive().filter(pk=image.pk, is_protected=image.is_protected, upload_id=image.upload_id)
        if not same.filter(status=image.status).update(status=ImageStatus.DELETED, deleted_at=now, updated_at=now):
            return False
        ImageMember.objects.filter(image=image).delete()
        if image.owner:
            QuotaGate.give_back(image.owner, {COUNT: 1})
    reclaim.purge(image.pk, image.upload_id)
    return True


def set_aside(actor: Actor, image_id: str, wanted: ImageStatus) -> None:
    """active ⇄ deactivated; repeating it is no error."""
    image = own(actor, image_id)
    if image.status == wanted:
        return
    came_from = (ACTED_ON - {wanted}).pop()
    if not Image.objects.alive().filter(pk=image_id, status=came_from).update(status=wanted, updated_at=utcnow()):
        raise Forbidden(f"Image status transition from {image.status} to {wanted} is not allowed")


def put_tag(actor: Actor, image_id: str, tag: str) -> None:
    """Put a word on an image; a second time is no error."""
    image = own(actor, image_id)
    held = set(ImageTag.objects.filter(image=image).values_list("tag", flat=True))
    if tag not in held:
        _check_counts({}, [*held, tag])
        ImageTag.objects.get_or_create(image=image, tag=tag)


def remove_tag(actor: Actor, image_id: str, tag: str) -> None:
    """Take a word off an image. Raises TagNotFound."""
    image = own(actor, image_id)
    if not ImageTag.objects.filter(image=image, tag=tag).delete()[0]:
        raise errors.TagNotFound(image_id=image_id, tag=tag)


def members(actor: Actor, image_id: str) -> list[ImageMember]:
    """Who was offered an image: the owner sees all, a member itself."""
    image = seen(actor, image_id)
    if image.visibility != Visibility.SHARED:
        raise errors.NotShareable
    rows = ImageMember.objects.filter(image=image)
    if not actor.is_admin and image.owner != actor.project_id:
        rows = rows.filter(member=actor.project_id or "")
    return list(rows)


def member(actor: Actor, image_id: str, project_id: str) -> ImageMember:
    """One of ``members``. Raises MemberNotFound."""
    for row in members(actor, image_id):
        if row.member == project_id:
            return row
    raise errors.MemberNotFound(image_id=image_id, member=project_id)


def share(actor: Actor, image_id: str, project_id: str) -> ImageMember:
    """Offer a shared image to a project."""
    image = own(actor, image_id)
    if image.visibility != Visibility.SHARED:
        raise errors.NotShareable
    count = ImageMember.objects.filter(image=image).count()
    if count >= MAX_MEMBERS:
        raise errors.TooManyOfThem(what="members", attempted=count + 1, maximum=MAX_MEMBERS)
    now = utcnow()
    try:
        with transaction.atomic():
            return ImageMember.objects.create(image=image, member=project_id, created_at=now, updated_at=now)
    except IntegrityError as problem:
        raise errors.MemberExists(image_id=image_id, member=project_id) from problem


def unshare(actor: Actor, image_id: str, project_id: str) -> None:
    """Take an offer back."""
    image = own(actor, image_id)
    if image.visibility != Visibility.SHARED:
        raise errors.NotShareable
    if not ImageMember.objects.filter(image=image, member=project_id).delete()[0]:
        raise errors.MemberNotFound(image_id=image_id, member=project_id)


def answer_offer(actor: Actor, image_id: str, project_id: str, status: MemberStatus) -> ImageMember:
    """Accept or reject an offer: by the project it was made to (or an admin), not by the owner."""
    row = member(actor, image_id, project_id)
    if not actor.is_admin and row.member != actor.project_id:
        raise Forbidden("Only the project that was offered an image may accept or reject it.")
    row.status, row.updated_at = status, utcnow()
    if not ImageMember.objects.filter(pk=row.pk).update(status=status, updated_at=row.updated_at):
        raise Conflict("The offer was taken back.")
    return row


def _distinct(tags: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _check_counts(properties: dict[str, Any], tags: list[str]) -> None:
    if len(properties) > MAX_PROPERTIES:
        raise errors.TooManyOfThem(what="properties", attempted=len(properties), maximum=MAX_PROPERTIES)
    if len(tags) > MAX_TAGS:
        raise errors.TooManyOfThem(what="tags", attempted=len(tags), maximum=MAX_TAGS)
